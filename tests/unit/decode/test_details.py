"""What is odd in packets, as finely as Suricata's decoder tells it: names and frames that it was asked about."""

import struct
import sys
from pathlib import Path

import decode_frames as df
import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.decode.details import details
from sensor.decode.kernels import decode_block
from sensor.decode.kernels_suspects import suspects
from sensor.decode.limits import DecodeOptions
from sensor.detect.packets.header import header_value
from sensor.detect.packets.oddities import oddities
from sensor.detect.packets.packetrow import packet_row
from sensor.model import block as blk
from sensor.model.anomaly import DecodeAnomaly
from sensor.model.details import FIRST, Detail
from sensor.rules.fields import BY_NAME

sys.path.append(str(Path(__file__).parents[2] / "property"))
from test_decode_parity import Forge

UDP = df.udp(b"data")
IP4, IP6 = df.ip4(UDP, 17), df.ip6(UDP, 17)
FAST_OPEN = b"\xf9\x89"


def found(frame):
    """Return the names of the details of all rows of a frame, and check that the cheap look suspects them."""
    block = df.block_of([frame])
    rows = decode_block(block, verify_checksums=False, options=DecodeOptions())
    suspect = np.empty(rows.size, np.uint8)
    suspects(rows, block.buf, suspect)
    names = set()
    for i in range(rows.size):
        bits = details(packet_row(rows, i), block.buf)
        assert suspect[i] or not bits
        names |= {one.event.removeprefix("decoder.") for one in Detail if bits >> one & 1}
    return names


def options(raw):
    return df.eth(0x0800, df.ip4(UDP, 17, opts=raw))


def tcp(raw=b"", **more):
    return df.eth(0x0800, df.ip4(df.tcp(b"data", opts=raw, **more), 6))


def six(kind, payload):
    return df.eth(0x86DD, df.ip6(payload, kind))


def head(following, raw=b""):
    """An extension header of eight bytes."""
    return bytes([following, 0]) + raw.ljust(6, b"\0")


def gre(flags, protocol=0x0800, rest=bytes(12) + IP4):
    return df.eth(0x0800, df.ip4(struct.pack("!HH", flags, protocol) + rest, 47))


def icmp(kind, code, quote):
    return df.eth(0x0800, df.ip4(bytes([kind, code]) + bytes(6) + quote, 1))


def icmp6(kind, code, quote):
    return six(58, bytes([kind, code]) + bytes(6) + quote)


def label(number, rest):
    return df.eth(0x8847, struct.pack("!I", number << 12 | 0x100 | 64) + rest)


def session(ppp):
    return df.eth(0x8864, b"\x11\0\0\1" + struct.pack("!H", len(ppp)) + ppp)


def discovery(code, length, tags=b"\1\1\0\0"):
    return df.eth(0x8863, bytes([0x11, code, 0, 0]) + struct.pack("!H", length) + tags)


def service(first, words, kind, following, rest=bytes(20) + IP4):
    return df.eth(0x894F, bytes([first, words, kind, following]) + rest)


FRAMES = [
    # ---- options of IPv4
    (options(b"\x94\4\0\0\1\1\1\1"), set()),
    (options(b"\x94\4\0\0"), {"ipv4.opt_pad_required"}),
    (options(b"\x94\4\0\0\x94\4\0\0"), {"ipv4.opt_duplicate"}),
    (options(b"\x94\5\0\0\0\0\0\0"), {"ipv4.opt_invalid_len"}),
    (options(b"\x94\xff\0\0\0\0\0\0"), {"ipv4.opt_invalid_len"}),
    (options(b"\x94\1\0\0\0\0\0\0"), {"ipv4.opt_invalid_len"}),
    (options(b"\x99\4\0\0\0\0\0\0"), {"ipv4.opt_invalid"}),
    (options(b"\x07\x07\x04\0\0\0\0\0"), set()),
    (options(b"\x07\x07\x05\0\0\0\0\0"), {"ipv4.opt_malformed"}),
    (options(b"\x83\x07\x10\0\0\0\0\0"), {"ipv4.opt_malformed"}),
    (options(b"\x44\x08\x05\0\0\0\0\0"), set()),
    (options(b"\x44\x08\x04\0\0\0\0\0"), {"ipv4.opt_malformed"}),
    (options(b"\x44\x04\x05\0\0\0\0\0"), {"ipv4.opt_invalid_len"}),
    (options(b"\x86\x0a\0\0\0\1\1\4\0\0" + bytes(6)), set()),
    (options(b"\x86\x0a\0\0\0\1\3\4\0\0" + bytes(6)), {"ipv4.opt_malformed"}),
    (options(b"\x86\x0a\0\0\0\1\1\5\0\0" + bytes(6)), {"ipv4.opt_malformed"}),
    (options(b"\1\1\1\1\1\1\1\x94"), {"ipv4.opt_eol_required"}),
    # ---- TCP
    (tcp(b"\2\4\5\xb4\1\3\3\7"), set()),
    (tcp(b"\2\5\5\xb4\0\0\0\0"), {"tcp.opt_invalid_len"}),
    (tcp(b"\2\4\5\xb4\2\4\5\xb4"), {"tcp.opt_duplicate"}),
    (tcp(b"\5\x0b" + bytes(10)), {"tcp.opt_invalid_len"}),
    (tcp(b"\x1d\3\0\0"), {"tcp.opt_invalid_len"}),
    (tcp(b"\x63\4\0\0\x63\4\0\0"), set()),
    (tcp(b"\x22\2\x22\2"), {"tcp.opt_duplicate"}),
    (tcp(b"\x22\7" + bytes(6)), {"tcp.opt_invalid_len"}),
    (tcp(b"\xfd\4" + FAST_OPEN + b"\xfe\4" + FAST_OPEN), {"tcp.opt_duplicate"}),
    (tcp(b"\xfd\x08" + FAST_OPEN + bytes(4)), {"tcp.opt_invalid_len"}),
    (tcp(hlen=16), {"tcp.invalid_optlen"}),
    (tcp(hlen=40), {"tcp.hlen_too_small"}),
    (df.eth(0x0800, df.ip4(bytes(10), 6)), {"tcp.pkt_too_small"}),
    # ---- UDP
    (df.eth(0x0800, df.ip4(bytes(5), 17)), {"udp.hlen_too_small"}),
    (df.eth(0x0800, df.ip4(df.udp(b"data", length=7), 17)), {"udp.len_invalid"}),
    (df.eth(0x0800, df.ip4(df.udp(b"data", length=9), 17)), set()),
    (df.eth(0x0800, df.ip4(df.udp(b"data", length=13), 17)), {"udp.pkt_too_small"}),
    (six(17, df.udp(b"data", length=0)), {"udp.len_invalid"}),
    # ---- extension headers of IPv6
    (six(0, head(17, b"\5\2\0\0\1\0") + UDP), {"ipv6.zero_len_padn"}),
    (six(0, head(17, b"\1\4") + UDP), {"ipv6.hopopts_only_padding"}),
    (six(60, head(17) + UDP), {"ipv6.dstopts_only_padding"}),
    (six(0, head(17, b"\x33\4") + UDP), {"ipv6.hopopts_unknown_opt"}),
    (six(60, head(17, b"\x33\4") + UDP), {"ipv6.dstopts_unknown_opt"}),
    (six(0, head(17, b"\5\1\0\5\2") + UDP), {"ipv6.exthdr_invalid_optlen"}),
    (six(60, head(17, b"\x33\x09") + UDP), {"ipv6.exthdr_invalid_optlen"}),
    (six(0, head(0, b"\5\2") + head(17, b"\5\2") + UDP), {"ipv6.exthdr_dupl_hh"}),
    (six(60, head(60, b"\5\2") + head(17, b"\5\2") + UDP), set()),
    (six(60, 2 * head(60, b"\5\2") + head(17, b"\5\2") + UDP), {"ipv6.exthdr_dupl_dh"}),
    (six(43, head(43, b"\2") + head(17, b"\2") + UDP), {"ipv6.exthdr_dupl_rh"}),
    (six(51, (bytes([51, 1]) + bytes(10)) + (bytes([17, 1]) + bytes(10)) + UDP), {"ipv6.exthdr_dupl_ah"}),
    (six(51, bytes([17, 1, 0, 1]) + bytes(8) + UDP), {"ipv6.exthdr_ah_res_not_null"}),
    (six(44, df.frag6(44, 0, 0) + df.frag6(17, 0, 0) + UDP), {"ipv6.exthdr_dupl_fh"}),
    (six(44, b"\x11\3\0\0\0\0\0\1" + UDP), {"ipv6.fh_non_zero_reserved_field"}),
    (six(59, b"abc"), {"ipv6.data_after_none_header"}),
    (six(59, b""), set()),
    (six(200, b"abc"), {"ipv6.unknown_next_header"}),
    (six(4, IP4), set()),
    (six(4, b"1234"), {"ipv6.ipv4_in_ipv6_too_small"}),
    (six(4, IP6), {"ipv6.ipv4_in_ipv6_wrong_version"}),
    (six(41, b"1234"), {"ipv6.ipv6_in_ipv6_too_small"}),
    (six(41, IP4 + bytes(40)), {"ipv6.ipv6_in_ipv6_wrong_version"}),
    # ---- what ICMP quotes
    (icmp(3, 1, IP4), set()),
    (icmp(3, 1, b""), set()),
    (icmp(3, 1, b"short"), {"icmpv4.ipv4_trunc_pkt"}),
    (icmp(3, 16, b"short"), set()),
    (icmp(4, 0, b""), {"icmpv4.ipv4_trunc_pkt"}),
    (icmp(11, 0, IP6), {"icmpv4.ipv4_unknown_ver"}),
    (icmp(8, 0, b"short"), set()),
    (icmp6(1, 0, IP6), set()),
    (icmp6(2, 0, b"short"), {"icmpv6.ipv6_trunc_pkt"}),
    (icmp6(3, 0, IP4 + bytes(20)), {"icmpv6.ipv6_unknown_version"}),
    # ---- GRE and ESP
    (gre(0x3000, rest=bytes(8) + IP4), set()),
    (df.eth(0x0800, df.ip4(b"\0\0", 47)), {"gre.pkt_too_small"}),
    (gre(2), {"gre.wrong_version"}),
    (gre(0x0100), {"gre.version0_recur"}),
    (gre(0x0008), {"gre.version0_flags"}),
    (gre(0x2000, rest=b""), {"gre.version0_hdr_too_big"}),
    (gre(0x4000, rest=bytes(4) + b"\0\2\0\x09ab"), {"gre.version0_malformed_sre_hdr"}),
    (gre(0x4000, rest=bytes(8)), set()),
    (gre(0xA001, 0x880B), {"gre.version1_chksum"}),
    (gre(0x6001, 0x880B), {"gre.version1_route"}),
    (gre(0x2801, 0x880B), {"gre.version1_ssr"}),
    (gre(0x2101, 0x880B), {"gre.version1_recur"}),
    (gre(0x2041, 0x880B), {"gre.version1_flags"}),
    (gre(0x1001, 0x880B), {"gre.version1_no_key"}),
    (gre(0x2001, 0x0800), {"gre.version1_wrong_protocol"}),
    (gre(0x3081, 0x880B, b"1234"), {"gre.version1_hdr_too_big"}),
    (df.eth(0x0800, df.ip4(bytes(7), 50)), {"esp.pkt_too_small"}),
    # ---- below IP
    (label(16, IP4), set()),
    (label(16, b"abc"), {"mpls.pkt_too_small"}),
    (label(1, IP4), {"mpls.bad_label_router_alert"}),
    (label(3, IP4), {"mpls.bad_label_implicit_null"}),
    (label(14, IP4), {"mpls.bad_label_reserved"}),
    (label(16, b"\x15" + bytes(30)), {"mpls.unknown_payload_type"}),
    (session(b"\0\x21" + IP4), set()),
    (session(b"\0\x21abc"), {"ppp.ip4_pkt_too_small"}),
    (session(b"\0\x57" + bytes(30)), {"ppp.ip6_pkt_too_small"}),
    (session(b"\0\x2fabc"), {"ppp.vju_pkt_too_small"}),
    (session(b"\xc0\x21abc"), {"ppp.unsup_proto"}),
    (session(b"\x12\x34abc"), {"ppp.wrong_type"}),
    (df.eth(0x8864, b"\x11\0\0\1\0"), {"pppoe.pkt_too_small"}),
    (discovery(9, 4), set()),
    (discovery(1, 4), {"pppoe.wrong_code"}),
    (discovery(9, 5), {"pppoe.malformed_tags"}),
    (service(0, 6, 1, 1), set()),
    (df.eth(0x894F, b"\0\2\2\1"), {"nsh.header_too_small"}),
    (service(0x40, 6, 1, 1), {"nsh.unsupported_version"}),
    (service(0, 2, 1, 1), {"nsh.bad_header_length"}),
    (service(0, 6, 0, 1), {"nsh.reserved_type"}),
    (service(0, 6, 3, 1), {"nsh.unsupported_type"}),
    (service(0, 6, 1, 9), {"nsh.unknown_payload"}),
    (df.eth(0x8100, df.tag(5, 0x1234, IP4)), {"vlan.unknown_type"}),
    (df.eth(0x1234, IP4), set()),
    (df.eth(0x8926, b"abc"), {"vntag.header_too_small"}),
    (df.eth(0x8926, bytes(4) + b"\x12\x34"), {"vntag.unknown_type"}),
    (df.eth(0x88E7, bytes(17)), {"ieee8021ah.header_too_small"}),
    (df.eth(0x8903, bytes(15)), {"dce.pkt_too_small"}),
    (df.MAC_A + df.MAC_B, {"ethernet.pkt_too_small"}),
]  # fmt: skip


@pytest.mark.parametrize(("frame", "wanted"), FRAMES, ids=range(len(FRAMES)))
def test_details_of_a_frame(frame, wanted):
    assert found(frame) == wanted


def test_each_detail_stands_in_some_frame():
    told = set().union(*(names for _, names in FRAMES))
    assert told == {one.event.removeprefix("decoder.") for one in Detail}


def test_fragments_and_cut_packets_have_no_details_of_what_is_missing():
    whole = df.ip4(df.tcp(b"data", hlen=40), 6)
    assert found(df.eth(0x0800, whole)) == {"tcp.hlen_too_small"}
    assert found(df.eth(0x0800, whole[:-2])) == set()
    assert found(df.eth(0x0800, df.ip4(df.tcp(b"data", hlen=40), 6, flags=0x2000))) == set()


def raised(frame, linktype=df.LINKTYPE_ETHERNET):
    """Return the names of all that `decode.event` finds in the rows of a frame and Suricata has, too."""
    block = df.block_of([frame], linktype)
    rows = decode_block(block, verify_checksums=False, options=DecodeOptions())
    odd = oddities(rows, block.buf, None)
    names = set()
    for i in range(rows.size):
        value = header_value("decode.event", packet_row(rows, i), block.buf)
        assert value == sum(int(odd[i, word]) << 64 * word for word in range(3))
        names |= {name.removeprefix("decoder.") for name, number in BY_NAME["decode.event"].names.items()
                  if value >> number & 1}  # fmt: skip
    return names - {"ethernet.unknown_ethertype", "ppp.unsupported"}


FRAGMENT = bytes([17, 0, 0, 0]) + bytes(4)


@pytest.mark.parametrize(("frame", "linktype", "names"), [
    (six(44, FRAGMENT + UDP), df.LINKTYPE_ETHERNET, {"ipv6.exthdr_useless_fh"}),
    (six(44, FRAGMENT + UDP)[:-1], df.LINKTYPE_ETHERNET, {"ipv6.trunc_pkt"}),
    (df.eth(0x0800, df.ip4(b"\x08\0\0\0", 1)), df.LINKTYPE_ETHERNET, {"icmpv4.pkt_too_small"}),
    (df.eth(0x0800, df.ip4(b"\x08\0\0\0", 1))[:-1], df.LINKTYPE_ETHERNET, {"ipv4.trunc_pkt"}),
    (df.eth(0x8100, (b"\0\5\x81\0" * 3 + b"\0\5\x12\x34")), df.LINKTYPE_ETHERNET, {"vlan.too_many_layers"}),
    (df.eth(0x8100, (b"\0\5\x81\0" * 3)), df.LINKTYPE_ETHERNET, {"vlan.too_many_layers"}),
    (label(16, b"\0\0\0\0abc"), df.LINKTYPE_ETHERNET, {"ethernet.pkt_too_small"}),
    (label(16, b"\x45\0"), df.LINKTYPE_ETHERNET, {"mpls.pkt_too_small"}),
    (b"\xff\x03\0\x21" + IP4[:19], blk.LINKTYPE_PPP, {"ppp.ip4_pkt_too_small"}),
    (b"\xff\x03\x12\x34" + IP4, blk.LINKTYPE_PPP, {"ppp.wrong_type"}),
    (b"\xff\x03\xc0\x21" + IP4, blk.LINKTYPE_PPP, {"ppp.unsup_proto"}),
    (b"\xff\x03\x00", blk.LINKTYPE_PPP, {"ppp.pkt_too_small"}),
    (b"\0" * 15, blk.LINKTYPE_LINUX_SLL, {"sll.pkt_too_small"}),
    (b"\x0f\0\x08", blk.LINKTYPE_C_HDLC, {"chdlc.pkt_too_small"}),
    (b"\2\0\0", blk.LINKTYPE_NULL, {"ltnull.pkt_too_small"}),
    (b"\x63\0\0\0" + IP4, blk.LINKTYPE_NULL, {"ltnull.unsupported_type"}),
    (b"\x55" + IP4, blk.LINKTYPE_RAW, {"ipraw.invalid_ip_version"}),
    (IP6[:19], blk.LINKTYPE_RAW, {"ipv4.pkt_too_small"}),
])  # fmt: skip
def test_what_rules_hear_of(frame, linktype, names):
    assert raised(frame, linktype) == names


def test_numbers_are_those_of_anomalies_and_then_of_details():
    assert max(DecodeAnomaly) < FIRST == min(Detail)
    assert max(Detail) < 3 * 64


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.integers(0, 1 << 32))
def test_what_has_details_is_suspected(seed):
    forge = Forge(seed)
    for frame, linktype in (forge.frame() for _ in range(60)):
        if linktype == df.LINKTYPE_ETHERNET:
            found(frame)
