import dpkt
import numpy as np
import pytest
from decode_frames import MAC_A, block_of, difference, eth, ext, frag6, ip4, ip6, rows_of, tag, tcp, udp

from sensor.decode import dpkt_view
from sensor.decode.limits import DecodeOptions
from sensor.decode.reference import decode_block_reference
from sensor.model.block import LINKTYPE_RAW

HOW = {"verify_checksums": False, "options": DecodeOptions()}


def views(frame, linktype=1):
    buf = np.frombuffer(frame, np.uint8)
    return [dpkt_view.packet_view(buf, row, linktype) for row in rows_of(frame, linktype)]


def test_view_of_a_tcp_packet():
    (view,) = views(eth(0x8100, tag(4, 0x0800, ip4(tcp(b"GET /", opts=b"\1\1\1\0")))))
    assert isinstance(view.tcp, dpkt.tcp.TCP)
    assert (view.tcp.dport, view.tcp.data, view.tcp.opts, view.payload) == (
        80,
        b"GET /",
        b"\1\1\1\0",
        b"GET /",
    )
    assert (view.ip.src, view.ip.data, view.ethernet.src) == (b"\x0a\0\0\1", view.tcp, MAC_A)
    assert (view.udp, view.icmp, view.icmp6, view.arp, view.gre) == (None,) * 5


def test_view_through_extension_headers_and_tunnels():
    (view,) = views(eth(0x86DD, ip6(frag6(60, 0, 0) + ext(17) + udp(b"q"), 44)))
    assert (view.ip.p, view.udp.dport, view.udp.data) == (17, 53, b"q")
    outer, inner = views(eth(0x0800, ip4(b"\0\0\x65\x58" + eth(0x0800, ip4(tcp(b"in"))), 47)))
    assert (outer.gre.p, outer.tcp) == (0x6558, None)
    assert (inner.tcp.data, inner.ethernet.type) == (b"in", 0x0800)


def test_view_of_icmp_and_arp():
    quote = ip4(udp(b"x"), 17)
    (view,) = views(eth(0x0800, ip4(b"\3\3\0\0" + bytes(4) + quote, 1)))
    assert (view.icmp.type, view.icmp.data.ip.p) == (3, 17)
    (view,) = views(eth(0x86DD, ip6(b"\x80\0\0\0" + bytes(4), 58)))
    assert view.icmp6.type == 128
    arp = bytes.fromhex("0001080006040002") + MAC_A + b"\x0a\0\0\1" + bytes(10)
    (view,) = views(eth(0x0806, arp))
    assert (view.arp.op, view.arp.sha, view.ip) == (2, MAC_A, None)


def test_view_of_what_is_broken_is_none():
    (view,) = views(eth(0x0800, ip4(tcp(b"abc", hlen=8))))
    assert (view.tcp, view.ip.p) == (None, 6)
    (view,) = views(ip4(b"\3\3\0\0" + bytes(4) + b"\x40", 1), LINKTYPE_RAW)
    assert (view.icmp.type, view.icmp.data[4:], view.ethernet) == (3, b"\x40", None)
    (view,) = views(b"")
    assert (view.ethernet, view.ip, view.payload) == (None, None, b"")


@pytest.mark.parametrize("error", [IndexError, AttributeError, dpkt.NeedData])
def test_where_dpkt_raises_the_reference_counts(monkeypatch, error):
    def fail(*_):
        raise error("dpkt")

    block = block_of([eth(0x0800, ip4(tcp(b"abc")))])
    monkeypatch.setattr(dpkt_view.DpktReader, "tcp", fail)
    assert not difference(dpkt_view.decode_block_dpkt(block, **HOW), decode_block_reference(block, **HOW))
