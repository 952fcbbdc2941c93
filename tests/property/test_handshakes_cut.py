"""TLS, SSH and DHCP parsers: how bytes are cut changes nothing, and no bytes make them raise."""

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge

from sensor.proto.dhcp.fields import SPEC as DHCP
from sensor.proto.ssh.fields import SPEC as SSH
from sensor.proto.tls import x509
from sensor.proto.tls.fields import SPEC as TLS

HELLO = forge.sni(b"www.example.org") + forge.alpn(b"h2") + forge.groups(29, 23) + forge.versions(0x0304)
TLS_TALKS = (
    forge.tls12(HELLO, client_certs=(forge.CERT,)),
    forge.tls13(),
    [(0, forge.ssl2_client_hello(version=2)), (1, forge.ssl2_server_hello(forge.CERT))],
)
SSH_TALKS = (forge.ssh(), [(0, b"SSH-2.0-" + b"x" * 300 + b"\r\n" + forge.kexinit(*forge.CLIENT_LISTS))])


@st.composite
def talks(draw, base):
    """Return a conversation with a few bytes changed, dropped or doubled."""
    talk = list(draw(st.sampled_from(base)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(talk) - 1))
        side, data = talk[at]
        if not data:
            continue
        pos = draw(st.integers(0, len(data) - 1))
        kind = draw(st.sampled_from("sidt"))
        byte = bytes([draw(st.integers(0, 255))])
        changed = {
            "s": data[:pos] + byte + data[pos + 1 :],
            "i": data[:pos] + byte * draw(st.integers(1, 300)) + data[pos:],
            "d": data[:pos] + data[pos + draw(st.integers(1, 50)) :],
            "t": data[:pos],
        }[kind]
        talk[at] = (side, changed)
    return talk


def outcome(spec, talk, size=None):
    parser = spec.new_parser()
    stages = forge.drive(parser, talk, size)
    records = [s.tx.eve() for s in stages[-1:]]
    return forge.seen(spec, stages), records, parser.anomalies(), parser.done


def check(spec, talk, size):
    whole = outcome(spec, talk)
    assert outcome(spec, talk, size) == whole
    reached = [stage for _, stage, _, _ in whole[0]]
    assert len(reached) == len(set(reached))


@settings(max_examples=60, deadline=None)
@given(talks(TLS_TALKS), st.integers(1, 9))
def test_tls(talk, size):
    check(TLS, talk, size)


@settings(max_examples=60, deadline=None)
@given(talks(SSH_TALKS), st.integers(1, 9))
def test_ssh(talk, size):
    check(SSH, talk, size)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from((TLS, SSH)),
    st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80)), max_size=6),
    st.data(),
)
def test_any_bytes(spec, talk, data):
    starts = data.draw(st.sampled_from((b"", b"\x16\3\1\0\x30", b"\x80\x20\1", b"SSH-2.0-x\n", b"\x16\3\3\0\7\2")))
    check(spec, [(0, starts), *talk], 1)


@settings(max_examples=60, deadline=None)
@given(talks([[(0, forge.dhcp(1, forge.option(53, b"\1") + forge.option(52, b"\3") + b"\xff"))]]))
def test_dhcp(talk):
    parser = DHCP.new_parser()
    stages = parser.feed(*talk[0], 0)
    for stage in stages:
        assert stage.tx.eve()["type"] in {"request", "reply"}
        assert all(isinstance(value, bytes) for b in DHCP.buffers for value in stage.tx.buffer(b.name))
    assert bool(stages) or parser.anomalies()


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, len(forge.CERT) - 1),
    st.integers(0, 255),
    st.integers(0, len(forge.CERT) - 1),
    st.integers(0, 255),
)
def test_certificate(at, value, at2, value2):
    der = bytearray(forge.CERT)
    der[at], der[at2] = value, value2
    cert = x509.parse(bytes(der))
    assert all(isinstance(text.encode(), bytes) for text in (cert.subject, cert.issuer, cert.serial, *cert.sans))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from((TLS, SSH)), st.integers(0, 1), st.integers(0, 5), st.integers(1, 10**9))
def test_gap_is_final(spec, side, after, length):
    parser = spec.new_parser()
    talk = TLS_TALKS[0] if spec is TLS else SSH_TALKS[0]
    for part in talk[:after]:
        parser.feed(*part, 0)
    parser.gap(side, length, 0)
    parser.gap(1 - side, length, 0)
    assert parser.done
    assert [parser.feed(*part, 0) for part in talk] == [[]] * len(talk)
    assert parser.finish(0) == []
