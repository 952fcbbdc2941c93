"""Checksums that a rule has worked out mean what the decoder's do."""

import struct

import pytest
from decode_frames import A6, B6, csum, eth, ext, ip4, ip6, row_of
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.packets.header import header_value
from sensor.detect.packets.packetrow import PacketRow
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL, CSUM_UNVERIFIED

AT = {1: 2, 6: 16, 17: 6, 58: 2}
HEADERS = {1: 8, 6: 20, 17: 8, 58: 8}
V4 = struct.pack("!II", 0x0A000001, 0x0A000002)


def message(proto, ipv, payload, how):
    """Return TCP, UDP or ICMP bytes whose checksum is right, wrong, left to the card, or blank."""
    head = bytearray(HEADERS[proto])
    head[12:13] = b"\x50" if proto == 6 else head[12:13]
    head[4:6] = struct.pack("!H", 8 + len(payload)) if proto == 17 else head[4:6]
    raw, at = bytes(head) + payload, AT[proto]
    pseudo = b"" if (ipv, proto) == (4, 1) else (V4 if ipv == 4 else A6 + B6) + struct.pack("!II", len(raw), proto)
    right = csum(pseudo + raw)
    value = {"right": right, "wrong": right ^ 0x1234, "card": csum(pseudo) ^ 0xFFFF, "blank": 0}[how]
    return raw[:at] + struct.pack("!H", value) + raw[at + 2 :]


def frame_of(raw, proto, ipv):
    return eth(0x0800, ip4(raw, proto)) if ipv == 4 else eth(0x86DD, ip6(raw, proto))


def asked(frame, field="l4.checksum", **how):
    return header_value(field, PacketRow(*row_of(frame, **how).item()), frame)


@given(
    st.sampled_from(((1, 4), (6, 4), (17, 4), (6, 6), (17, 6), (58, 6))), st.binary(max_size=40),
    st.sampled_from(("right", "wrong", "card", "blank")), st.integers(0, 3),
)  # fmt: skip
def test_the_state_is_that_of_the_decoder(kind, payload, how, cut):
    proto, ipv = kind
    frame = frame_of(message(proto, ipv, payload, how), proto, ipv)
    frame = frame[: len(frame) - cut]
    expected = asked(frame, verify=True, missing=cut)
    if (kind, how) == ((17, 6), "blank") and expected is not None:
        expected = CSUM_UNVERIFIED
    assert asked(frame, missing=cut) == expected


@pytest.mark.parametrize(
    ("how", "state"), [("right", CSUM_OK), ("wrong", CSUM_BAD), ("card", CSUM_PARTIAL)]
)
def test_states(how, state):
    assert asked(frame_of(message(6, 4, b"abc", how), 6, 4)) == state


def test_extension_headers_leave_it_unverified():
    raw = message(6, 6, b"abc", "wrong")
    assert asked(eth(0x86DD, ip6(ext(6) + raw, 60))) == CSUM_UNVERIFIED


def test_a_fragment_header_that_divides_nothing_changes_no_address():
    whole = bytes([6, 0, 0, 0]) + bytes(4)
    assert asked(eth(0x86DD, ip6(whole + message(6, 6, b"abc", "right"), 44))) == CSUM_OK
    assert asked(eth(0x86DD, ip6(ext(44) + whole + message(6, 6, b"abc", "wrong"), 0))) == CSUM_BAD


def test_what_is_cut_has_none():
    frame = frame_of(message(6, 4, b"abc", "wrong"), 6, 4)
    assert asked(frame) == CSUM_BAD
    for field in ("l4.checksum", "ip.checksum"):
        assert asked(frame[:-1], field) is None
    longer = bytearray(frame_of(message(17, 4, b"abc", "wrong"), 17, 4))
    longer[38:40] = b"\0\xff"
    assert asked(bytes(longer)) is None


def test_the_ipv4_header():
    frame = frame_of(message(6, 4, b"", "right"), 6, 4)
    assert asked(frame, "ip.checksum") == CSUM_OK
    assert asked(frame[:24] + b"\xff\xfe" + frame[26:], "ip.checksum") == CSUM_BAD
    assert asked(frame[:24] + b"\0\0" + frame[26:], "ip.checksum") == CSUM_PARTIAL
    assert asked(frame_of(message(6, 6, b"", "right"), 6, 6), "ip.checksum") is None


def test_what_has_no_checksum():
    assert asked(eth(0x0800, ip4(bytes(20), 47))) is None
