"""What parsers forget within the bounds of one flow is counted."""

import struct

import forgekit as forge
import h2kit as h2
import hoards
import nfsforge as nfs
import pytest
import rpcforge as rpc
import smbforge as smb
import test_http1_ranges as ranges
import test_http1_tunnel as tunnel

from sensor.engine.apps import AppLayer
from sensor.proto.dcerpc import association
from sensor.proto.nfs import limits as nfs_limits
from sensor.proto.registry import APP_ID
from sensor.proto.smb import limits as smb_limits


def lost(proto, talk, *, finish=False):
    """Return what was counted, zeros left out. An int instead of bytes is a gap."""
    layer = AppLayer()
    layer.start(1, APP_ID[proto])
    for side, data in talk:
        if isinstance(data, int):
            layer.gap(1, side, data, 0)
        else:
            layer.feed(1, side, data, 0)
    if finish:
        layer.finish(1, 0)
    return {name: n for name, n in layer.losses.snapshot().items() if n}


GET = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
GRANTED = [(0, tunnel.CONNECT), (1, tunnel.GRANTED)]
UPGRADED = b"HTTP/1.1 101 Switching\r\nUpgrade: %s\r\n\r\n"


@pytest.mark.parametrize(
    ("turns", "tunnels"),
    [
        ([(0, tunnel.HELLO)], 0),
        ([(0, b"\1\2\3" * 20), (1, b"\4\5\6" * 20)], 1),
        ([(0, b"\1\2\3" * 6000)], 1),
        ([(0, 5)], 1),
        ([(0, b"abc")], 1),
        ([], 0),
    ],
)
def test_tunnels_whose_protocol_is_never_told(turns, tunnels):
    assert lost("http", [*GRANTED, *turns], finish=True) == ({"tunnels": tunnels} if tunnels else {})


@pytest.mark.parametrize(("word", "tunnels"), [(b"h2c", 0), (b"websocket", 0), (b"foo", 1)])
def test_upgrades_to_something_unknown(word, tunnels):
    talk = [(0, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), (1, UPGRADED % word)]
    assert lost("http", talk, finish=True) == ({"tunnels": tunnels} if tunnels else {})


def test_a_connect_that_is_refused_is_no_tunnel():
    assert lost("http", [(0, tunnel.CONNECT), (1, tunnel.REFUSED)], finish=True) == {}


def part(n):
    head = b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-49/100\r\nContent-Length: 50\r\n\r\n"
    return [(0, b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n), (1, head + ranges.FILE[:50])]


def test_ranges_without_room():
    talk = [turn for n in range(11) for turn in part(n)]
    assert lost("http", talk) == {"ranges": 3}
    assert lost("http", hoards.TALKS["http ranges"][1]()) == {"ranges": 1}


@pytest.mark.parametrize("answered", [False, True])
def test_requests_without_room(answered):
    """Where the server is not heard, nothing that waits for it is missed."""
    talk = [(0, GET), (1, forge.response())] if answered else []
    assert lost("http", [*talk, (0, GET * 130)]) == ({"transactions": 2} if answered else {})


def test_streams_without_room():
    assert lost("http2", hoards.TALKS["http2 fields"][1]())["transactions"] > 200
    assert lost("http2", h2.talk()) == {}


def test_files_without_room():
    assert lost("nfs", [(0, nfs.record(nfs.write3(bytes(9), 0, n, b"%032d" % n))) for n in range(70)]) == {
        "files": 70 - nfs_limits.FILES
    }
    large = (smb.write2(bytes(60_000), 0, struct.pack("<QQ", n, n), n) for n in range(150))
    assert lost("smb", [(0, smb.nbss(one)) for one in large])["files"] > 5


@pytest.mark.parametrize("proto", ["smtp", "pop3", "imap"])
def test_files_of_a_mail_without_room(proto):
    (name,) = (one for one in hoards.TALKS if one.startswith(proto) and one.endswith(("files", "mails")))
    talk = hoards.TALKS[name][1]()
    more = b"--b\r\n" + hoards._mail(3, 90_000).partition(b"--b\r\n")[2]
    assert lost(proto, talk) == {"files": 1}
    assert lost(proto, [*talk, (talk[-1][0], more)])["files"] > 1


def test_handles_without_room():
    opened = ((0, smb.nbss(smb.write2(b"x", 0, struct.pack("<QQ", n, 7), n))) for n in range(smb_limits.HANDLES + 4))
    assert lost("smb", opened) == {"handles": 4}
    talk = hoards.TALKS["nfs names"][1]() + [
        (side, nfs.record(one))
        for n in range(600, 1030)
        for side, one in ((0, nfs.lookup3(b"%d" % n, n)), (1, nfs.found3(b"%032d" % n, n)))
    ]
    assert lost("nfs", talk) == {"handles": 1030 - nfs_limits.NAMES}


def test_interfaces_without_room():
    talk = []
    for n in range(0, association.MAX_BOUND + 64, 64):
        talk += [(0, rpc.bind(*((n + k, rpc.SPOOLSS, 1) for k in range(64)), call=n))]
        talk += [(1, rpc.bind_ack(*[0] * 64, call=n))]
    assert lost("dcerpc", talk) == {"handles": 64}


@pytest.mark.parametrize("proto", ["pop3", "imap"])
def test_commands_without_room(proto):
    talk = [(0, b"a%d NOOP\r\n" % n) for n in range(260)]
    assert lost(proto, talk) == {"transactions": 4}


@pytest.mark.parametrize("heard", [False, True])
def test_commands_of_smtp_without_room(heard):
    talk = [(1, b"220 mx ESMTP\r\n")] if heard else []
    assert lost("smtp", [*talk, (0, b"NOOP\r\n" * 4100)]) == ({"transactions": 4} if heard else {})
