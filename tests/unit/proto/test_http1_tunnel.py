"""What follows an HTTP CONNECT."""

import random

import h2kit
import numpy as np
import pytest
import trafficgen

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1 import limits
from sensor.proto.http1.fields import SPEC
from sensor.proto.http1.tunnel import Tunnel
from sensor.proto.probe import HEAD, probe_streams
from sensor.proto.registry import SPECS

CONNECT = b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n"
GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
REFUSED = b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nnope"
GET = b"GET /inner HTTP/1.1\r\nHost: h\r\n\r\n"
HELLO = b"\x16\3\1\0\x40\1\0\0"


def talk(*turns):
    """Feed (side, bytes) turns; an int instead of bytes is a gap."""
    parser, seen = SPEC.new_parser(), []
    for side, data in turns:
        seen += parser.gap(side, data, 0) if isinstance(data, int) else parser.feed(side, data, 0)
    return parser, {one.tx.id: one.tx for one in seen}


@pytest.mark.parametrize(
    ("turns", "protocol", "rests"),
    [
        ([(0, HELLO)], "tls", (HELLO, b"")),
        ([(0, HELLO[:3]), (0, HELLO[3:])], "tls", (HELLO, b"")),
        ([(1, b"SSH-2.0-x\r\n")], "ssh", (b"", b"SSH-2.0-x\r\n")),
        ([(1, b"220 mx\r\n"), (0, b"EHLO x\r\n")], "smtp", (b"EHLO x\r\n", b"220 mx\r\n")),
        ([(0, GET)], "http", (GET, b"")),
        ([(0, b"PRI * HTTP/2.0\r\n\r\n")], "http2", (b"PRI * HTTP/2.0\r\n\r\n", b"")),
        ([(0, b"x" * 99)], "", None),
    ],
)
def test_the_protocol_behind_a_connect(turns, protocol, rests):
    parser, _ = talk((0, CONNECT), (1, GRANTED), *turns)
    assert (parser.becomes, parser.done) == (protocol, bool(protocol))
    if rests is not None:
        assert (parser.rest(TO_SERVER), parser.rest(TO_CLIENT)) == rests


def test_what_comes_with_the_answer_is_of_the_tunnel():
    parser, found = talk((0, CONNECT), (1, GRANTED + b"220 mx\r\n"), (0, b"HELO x\r\n"))
    assert (parser.becomes, parser.rest(TO_CLIENT)) == ("smtp", b"220 mx\r\n")
    assert found[0].buffer("http.stat_code") == (b"200",)


@pytest.mark.parametrize("early", [HELLO, b"abc"])
def test_a_client_that_does_not_wait_for_the_answer(early):
    for turns in ([(0, CONNECT + early)], [(0, CONNECT), (0, early)]):
        parser, found = talk(*turns, (1, GRANTED), (0, HELLO))
        assert parser.becomes == "tls"
        assert parser.rest(TO_SERVER).startswith(HELLO)
        assert not found[0].buffer("http.request_body")


def test_a_connect_has_no_body_whatever_length_it_names():
    parser, found = talk((0, CONNECT[:-2] + b"Content-Length: 3\r\n\r\nabc"), (1, GRANTED), (0, HELLO))
    assert parser.becomes == "tls"
    assert not found[0].buffer("http.request_body")


@pytest.mark.parametrize("early", [b"", GET])
def test_a_connect_that_is_refused_goes_on_as_http(early):
    parser, found = talk((0, CONNECT + early), (1, REFUSED), *([] if early else [(0, GET)]), (1, GRANTED))
    assert (parser.becomes, parser.done) == ("", False)
    assert found[0].buffer("http.stat_code") == (b"403",)
    assert found[1].buffer("http.uri") == (b"/inner",)
    assert found[1].buffer("http.stat_code") == (b"200",)


def test_a_connect_with_a_password_behind_one_without():
    parser, found = talk((0, CONNECT), (1, REFUSED), (0, CONNECT), (1, GRANTED), (0, HELLO))
    assert (parser.becomes, len(found)) == ("tls", 2)


def test_nothing_known_behind_a_connect():
    parser, _ = talk((0, CONNECT), (1, GRANTED), (0, b"\1\2\3" * 20), (1, b"\4\5\6" * 20))
    assert (parser.becomes, parser.done) == ("", True)
    assert parser.feed(TO_SERVER, GET, 0) == []


@pytest.mark.parametrize("side", [TO_SERVER, TO_CLIENT])
def test_bytes_lost_in_a_tunnel(side):
    parser, _ = talk((0, CONNECT), (1, GRANTED), (side, 5))
    assert parser.done
    assert not parser.becomes


def test_bytes_of_the_client_lost_before_the_answer():
    assert talk((0, CONNECT), (0, 5), (1, GRANTED))[0].done
    _, found = talk((0, CONNECT), (0, 5), (1, REFUSED), (0, GET))
    assert found[1].buffer("http.uri") == (b"/inner",)


def test_what_is_kept_is_bounded():
    tunnel = Tunnel()
    tunnel.begin(b"")
    for _ in range(40):
        tunnel.take(TO_SERVER, bytes(1000))
    assert len(tunnel.kept[TO_SERVER]) == limits.TUNNEL
    assert (tunnel.protocol(), tunnel.lost) == ("", True)


def of_side(side, data):
    """Return what protocol detection says of a side by itself, of what may be in a tunnel; empty: nothing yet."""
    heads, lengths = np.zeros((1, 2, HEAD), np.uint8), np.zeros((1, 2), np.int64)
    heads[0, side, : len(data)] = np.frombuffer(data, np.uint8)[:HEAD]
    lengths[0, side] = len(data)
    found = int(probe_streams(heads, lengths, np.zeros(1, np.uint16), np.zeros(1, np.uint16))[0])
    return SPECS[found].name if found in SPECS else ""


def samples():
    rnd = random.Random(7)
    for make in (trafficgen.http, trafficgen.tls, trafficgen.ssh, trafficgen.services, trafficgen.raw) * 60:
        talk = make(rnd)
        for side in (0, 1):
            data = b"".join(one for sender, one in talk if sender == side)[: rnd.choice((8, 20, 32))]
            yield side, data
    yield from ((side, data[:HEAD]) for side, data in h2kit.talk())
    yield from ((0, data) for data in (b"EHLO x\r\n", b"HELO mail.example\r\n", b"EHLO", b"PRI * HTTP/2.", HELLO))


def test_it_says_what_protocol_detection_says_or_nothing():
    told = set()
    for side, data in samples():
        tunnel = Tunnel()
        tunnel.begin(b"")
        tunnel.take(side, data)
        said = tunnel.protocol()
        assert said in {"", of_side(side, data)}, (side, data)
        told.add(said)
    assert {"http", "tls", "ssh", "smtp", "http2"} <= told
