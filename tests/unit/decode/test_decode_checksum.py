import struct

import numpy as np
import pytest
from decode_frames import A6, B6, csum, eth, ext, ip4, ip6, row_of, rows_of, tcp, udp
from jitkit import from_python

from sensor.decode import checksum
from sensor.model.block import HINT_CSUM_PARTIAL, HINT_CSUM_VALID
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL, CSUM_UNVERIFIED

ones_sum = from_python(checksum.ones_sum)
AT = {1: 2, 6: 16, 17: 6, 58: 2}
V4 = struct.pack("!II", 0x0A000001, 0x0A000002)


def pseudo(ipv, proto, length):
    if ipv == 4 and proto == 1:
        return b""
    return (V4 if ipv == 4 else A6 + B6) + struct.pack("!II", length, proto)


def with_sum(message, proto, ipv, value=None):
    at = AT[proto]
    blank = message[:at] + b"\0\0" + message[at + 2 :]
    value = csum(pseudo(ipv, proto, len(blank)) + blank) if value is None else value
    return blank[:at] + struct.pack("!H", value) + blank[at + 2 :]


def frame_of(message, proto, ipv, **kw):
    return eth(0x0800, ip4(message, proto, **kw)) if ipv == 4 else eth(0x86DD, ip6(message, proto, **kw))


CASES = [(4, 6), (6, 6), (4, 17), (6, 17), (4, 1), (6, 58)]
MESSAGE = {
    1: b"\x08\0\0\0" + bytes(4) + b"odd",
    58: b"\x80\0\0\0" + bytes(4) + b"odd",
    6: tcp(b"odd"),
    17: udp(b"odd"),
}


@pytest.mark.parametrize(("ipv", "proto"), CASES)
def test_ok_and_bad(ipv, proto):
    good = frame_of(with_sum(MESSAGE[proto], proto, ipv), proto, ipv)
    assert row_of(good, verify=True)["l4csum"] == CSUM_OK
    wrong = good[:-1] + bytes([good[-1] ^ 1])
    assert row_of(wrong, verify=True)["l4csum"] == CSUM_BAD
    assert row_of(good)["l4csum"] == CSUM_UNVERIFIED


@pytest.mark.parametrize(("ipv", "proto"), [c for c in CASES if c != (4, 1)])
def test_the_pseudo_header_sum_of_an_offloading_sender_is_partial(ipv, proto):
    message = MESSAGE[proto]
    for length in (len(message), 0):
        left = csum(pseudo(ipv, proto, length)) ^ 0xFFFF
        frame = frame_of(with_sum(message, proto, ipv, left), proto, ipv)
        assert row_of(frame, verify=True)["l4csum"] == CSUM_PARTIAL


def test_the_kernels_hints_count():
    frame = frame_of(with_sum(MESSAGE[6], 6, 4, 0xBEEF), 6, 4)
    assert row_of(frame, verify=True, hints=HINT_CSUM_PARTIAL)["l4csum"] == CSUM_PARTIAL
    assert row_of(frame, verify=True, hints=HINT_CSUM_VALID)["l4csum"] == CSUM_OK
    assert row_of(frame, verify=False, hints=HINT_CSUM_VALID)["l4csum"] == CSUM_UNVERIFIED


def test_ipv4_header():
    frame = frame_of(tcp(), 6, 4)
    assert row_of(frame, verify=True)["l3csum"] == CSUM_OK
    assert row_of(frame)["l3csum"] == CSUM_UNVERIFIED
    blank = frame[:24] + b"\0\0" + frame[26:]
    assert row_of(blank, verify=True)["l3csum"] == CSUM_PARTIAL
    wrong = frame[:24] + b"\0\1" + frame[26:]
    assert row_of(wrong, verify=True)["l3csum"] == CSUM_BAD
    assert row_of(frame_of(tcp(), 6, 6), verify=True)["l3csum"] == CSUM_UNVERIFIED


def test_udp_without_checksum():
    assert row_of(frame_of(udp(b"x"), 17, 4), verify=True)["l4csum"] == CSUM_OK
    assert row_of(frame_of(udp(b"x"), 17, 6), verify=True)["l4csum"] == CSUM_BAD
    vxlan = b"\x08" + bytes(7) + eth(0x0800, ip4(tcp()))
    outer = frame_of(udp(vxlan, 1, 4789), 17, 6)
    assert rows_of(outer, verify=True)["l4csum"][0] == CSUM_OK


def test_what_is_not_all_there_is_unverified():
    message = with_sum(tcp(b"abcdef"), 6, 4)
    assert row_of(frame_of(message, 6, 4)[:-1], verify=True, missing=1)["l4csum"] == CSUM_UNVERIFIED
    assert row_of(frame_of(message, 6, 4, flags=0x2000), verify=True)["l4csum"] == CSUM_UNVERIFIED
    assert row_of(frame_of(udp(b"x", length=99, check=1), 17, 4), verify=True)["l4csum"] == CSUM_UNVERIFIED
    assert row_of(frame_of(bytes(12), 132, 4), verify=True)["l4csum"] == CSUM_UNVERIFIED


def test_addresses_that_extension_headers_replace_make_a_mismatch_unverified():
    message = with_sum(tcp(b"x"), 6, 6)
    assert row_of(frame_of(ext(6) + message, 60, 6), verify=True)["l4csum"] == CSUM_OK
    wrong = message[:-1] + b"y"
    assert row_of(frame_of(ext(6) + wrong, 60, 6), verify=True)["l4csum"] == CSUM_UNVERIFIED
    assert (
        row_of(frame_of(bytes([6, 0, 4, 1]) + bytes(4) + wrong, 43, 6), verify=True)["l4csum"]
        == CSUM_UNVERIFIED
    )
    assert row_of(frame_of(bytes([6, 0, 4, 0]) + bytes(4) + wrong, 43, 6), verify=True)["l4csum"] == CSUM_BAD


def test_a_short_udp_length_bounds_the_sum():
    message = with_sum(udp(b"abcd"), 17, 4)
    frame = eth(0x0800, ip4(message + b"beyond", 17))
    assert row_of(frame, verify=True)["l4csum"] == CSUM_OK


@pytest.mark.parametrize("size", [0, 1, 2, 7, 64, 1501, 65535])
def test_ones_sum_is_the_plain_sum(size):
    raw = bytes((i * 37 + 11) & 0xFF for i in range(size))
    assert ones_sum(np.frombuffer(b"##" + raw + b"#", np.uint8), 2, size) == csum(raw) ^ 0xFFFF


def test_ones_sum_carries():
    assert ones_sum(np.full(65_535, 0xFF, np.uint8), 0, 65_534) == 0xFFFF
