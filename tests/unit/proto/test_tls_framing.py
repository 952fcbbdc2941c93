"""Frames of TLS: where messages stand, and what the framer writes of them."""

import hashlib

import numpy as np
import pytest
from handshakes import (
    CCS,
    CERT,
    DATA,
    TO_CLIENT,
    TO_SERVER,
    alpn,
    certificates,
    client_hello,
    extension,
    formats,
    groups,
    record,
    server_hello,
    sni,
    tls12,
    tls13,
    versions,
)

from sensor.model.frames import ABSENT, APART, CONTINUED, HEAD, PARTS, REST, UNKNOWN
from sensor.model.rows import FLOW
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto.tls import parts as p
from sensor.proto.tls.framing import TlsFramer

HELLO = sni(b"www.example.org") + groups(0x0A0A, 29, 23) + formats(0, 1) + versions(0x2A2A, 0x0304)
JA3 = b"771,4865-47,0-10-11-43,29-23,0-1"


class Flow:
    """One flow, a unit of one side at a time."""

    def __init__(self, asked=range(PARTS), gap=False):
        self.framer, self.flows = TlsFramer(asked), np.zeros(1, FLOW)
        self.flows["gaps"][0, 1] = gap
        self.pos = [0, 0]

    def take(self, side, octets):
        """Return the frames of the next bytes of a side as [{part: bytes or why there are none}], None: refused."""
        unit = np.zeros(1, UNIT)
        unit["end"], unit["pos"], unit["side"], unit["kind"] = len(octets), self.pos[side], side, UNIT_STREAM
        self.pos[side] += len(octets)
        self.data = np.frombuffer(octets + bytes(8), np.uint8).copy()
        self.made = self.framer.frame(self.data, unit, np.ones(1, np.bool_), self.flows)
        if self.made.refused.size:
            return None
        return [
            {part: self._part(frame, part, octets) for part in range(p.NAMES + 1)}
            for frame in self.made.frames if not frame["flags"] & CONTINUED
        ]  # fmt: skip

    def _part(self, frame, part, octets):
        at, to = int(frame["at"][part]), int(frame["to"][part])
        source = self.made.text.tobytes() if part in p.FRAMING.text else octets
        return source[at:to] if at >= 0 else at


def test_a_hello_of_a_client():
    flow = Flow()
    (hello,) = flow.take(TO_SERVER, record(22, client_hello(extensions=HELLO)) + DATA)
    assert hello[p.SNI] == b"www.example.org"
    assert hello[p.JA3] == JA3
    assert hello[p.JA3_HASH] == hashlib.md5(JA3, usedforsecurity=False).hexdigest().encode()
    assert hello[p.VERSION] == b"1.3"
    assert hello[p.HELLO] == UNKNOWN
    assert hello[p.CERTS] == hello[p.SUBJECT] == APART
    tx, known = flow.framer.message(flow.data, flow.made.frames[0], whole=False)
    assert known == HEAD
    assert tx.buffer("ja3.string") == (JA3,)
    assert flow.framer.message(flow.data, flow.made.frames[0], whole=True) is None


def test_a_flight_of_a_server():
    flow = Flow()
    hello, chain = flow.take(TO_CLIENT, tls12()[1][1])
    assert hello[p.JA3] == b"771,47,16"
    assert hello[p.VERSION] == b"1.2"
    assert chain[p.SERIAL] == b"00:FF:01"
    assert chain[p.SUBJECT].startswith(b"C=US, ST=Wash, O=Acme, Inc., OU=U1, OU=U2, CN=host, Email=a@b.c")
    assert chain[p.SUBJECT].endswith(b"DC=corp, OID(2.5.4.65)=ps")
    assert chain[p.FINGERPRINT] == hashlib.sha1(CERT, usedforsecurity=False).digest().hex(":").encode()
    assert chain[p.CERTS] == CERT
    assert chain[p.JA3] == APART
    tx, known = flow.framer.message(flow.data, flow.made.frames[1], whole=False)
    assert known == REST
    assert tx.buffer("tls.cert_serial@to_client") == (b"00:FF:01",)


def test_what_no_rule_asks_for_is_not_written():
    (hello,) = Flow(asked=[p.SNI]).take(TO_SERVER, record(22, client_hello(extensions=HELLO)))
    assert hello[p.SNI] == b"www.example.org"
    assert hello[p.JA3] == hello[p.JA3_HASH] == hello[p.VERSION] == UNKNOWN


@pytest.mark.parametrize("talk", [tls12(HELLO, client_certs=(CERT,)), tls13()])
def test_once_both_sides_encrypt_a_flow_is_over(talk):
    flow = Flow()
    for side, octets in talk:
        assert flow.take(side, octets) is not None
    assert flow.made.over.tolist() == [0]
    assert flow.framer.follows(0, 0)
    assert flow.take(TO_CLIENT, b"whatever comes") == []


def test_a_flow_whose_server_hello_is_missing_is_not_over():
    flow = Flow()
    assert flow.take(TO_SERVER, record(22, client_hello()) + CCS + DATA)
    assert flow.take(TO_CLIENT, CCS) == []
    assert not flow.made.over.size


@pytest.mark.parametrize("octets", [
    record(22, client_hello())[:-1],
    record(22, client_hello()[:40]) + record(22, client_hello()[40:]),
    record(22, client_hello(extensions=sni(b"a") + sni(b"b"))),
    record(22, client_hello(extensions=extension(10, b"\0\xff"))),
    record(22, client_hello(), 0x7F1C),
    record(22, client_hello()) + b"\x16\3",
    record(22, client_hello()) + record(99, b""),
    record(22, client_hello() + certificates(b"no certificate")),
    record(22, client_hello() + certificates(CERT) + certificates(CERT)),
    record(22, client_hello()) + DATA + record(22, certificates(CERT)),
    b"\x80\x2e\1\0\2" + bytes(43),
])  # fmt: skip
def test_what_is_not_plain_is_refused(octets):
    flow = Flow()
    assert flow.take(TO_SERVER, octets) is None
    assert not flow.framer.follows(0, 0)
    assert flow.take(TO_CLIENT, record(22, server_hello())) is None


def test_what_may_be_read_in_tls_1_3_is_refused_where_that_was_chosen():
    later = CCS + record(22, certificates(CERT))
    flow = Flow()
    assert flow.take(TO_CLIENT, record(22, server_hello(extensions=extension(43, b"\3\4")))) is not None
    assert flow.take(TO_SERVER, record(22, client_hello()) + later) is None
    flow = Flow()
    assert flow.take(TO_SERVER, record(22, client_hello()) + later) is not None
    assert flow.take(TO_CLIENT, record(22, server_hello(extensions=extension(43, b"\3\4")))) is None
    flow = Flow()
    assert flow.take(TO_CLIENT, record(22, server_hello(extensions=alpn(b"h2")))) is not None
    assert len(flow.take(TO_SERVER, record(22, client_hello()) + later)) == 1


def test_flows_with_gaps_are_refused():
    assert Flow(gap=True).take(TO_SERVER, record(22, client_hello())) is None


def test_a_chain_without_certificates():
    (chain,) = Flow().take(TO_CLIENT, record(22, certificates()))
    assert chain[p.CERTS] == chain[p.SUBJECT] == ABSENT
