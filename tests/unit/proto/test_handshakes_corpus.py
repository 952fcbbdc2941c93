"""Parsers against real captures: fingerprints as of tshark, names as of Suricata's test cases."""

import shutil
import subprocess
from pathlib import Path

import dpkt
import pytest

from sensor.model.app import TO_SERVER
from sensor.proto.ssh.state import SshParser
from sensor.proto.tls.state import TlsParser

SHARED = Path(__file__).resolve().parents[3] / "../shared"
CASES = SHARED / "conformance"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not CASES.is_dir(), reason="captures in ../shared are not here"),
]
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


def network_layer(linktype, frame):
    if linktype == dpkt.pcap.DLT_NULL:
        return dpkt.loopback.Loopback(frame).data
    if linktype == dpkt.pcap.DLT_EN10MB:
        return dpkt.ethernet.Ethernet(frame).data
    return dpkt.ip.IP(frame)


def segments(path):
    """Yield (connection, side, seq, payload, is_syn) of a capture's TCP packets."""
    sides = {}
    with path.open("rb") as file:
        reader = dpkt.pcap.UniversalReader(file)
        for _, frame in reader:
            ip = network_layer(reader.datalink(), frame)
            tcp = getattr(ip, "data", None)
            if not isinstance(tcp, dpkt.tcp.TCP):
                continue
            here, there = (ip.src, tcp.sport), (ip.dst, tcp.dport)
            client = sides.setdefault(frozenset((here, there)), here)
            yield frozenset((here, there)), int(here != client), tcp.seq, bytes(tcp.data), bool(tcp.flags & 2)


def conversations(path):
    """Return per connection the (side, bytes) in order, segments out of order put in place."""
    found, expected, waiting = {}, {}, {}
    for key, side, seq, data, syn in segments(path):
        if syn:
            expected[key, side] = seq + 1
        if not data:
            continue
        expected.setdefault((key, side), seq)
        queue = waiting.setdefault((key, side), {})
        queue[seq] = max(queue.get(seq, b""), data, key=len)
        while ready := [s for s in queue if s <= expected[key, side]]:
            at = ready[0]
            fresh = queue.pop(at)[expected[key, side] - at :]
            if fresh:
                found.setdefault(key, []).append((side, fresh))
                expected[key, side] += len(fresh)
    return list(found.values())


def transactions(path, start, parser_type):
    """Return the transactions of the connections whose client's first bytes are `start`."""
    found = []
    for talk in conversations(path):
        first = next((data for side, data in talk if side == TO_SERVER), b"")
        if not first.startswith(start):
            continue
        parser = parser_type()
        stages = [stage for part in talk for stage in parser.feed(*part, 0)] + parser.finish(0)
        found += [stages[-1].tx] if stages else []
    return found


def tshark(path, *fields):
    """Return the values of fields in a capture, as one set a field."""
    names = [word for field in fields for word in ("-e", field)]
    run = subprocess.run(
        ["tshark", "-r", path, "-Y", "tcp", "-T", "fields", *names],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    return [{v for row in rows if len(row) > i for v in row[i].split(",") if v} for i in range(len(fields))]


def values(txs, name):
    return {value.decode() for tx in txs for value in tx.buffer(name)}


TLS_CAPTURES = [
    CASES / "bug-5758/input.pcap",
    CASES / "tls__tls-client-cert-01/input.pcap",
    CASES / "tls__tls-random-6989/input.pcap",
    CASES / "ja4-rules-7.0.x-01/input.pcap",
    CASES / "flowint-isnotset/input.pcap",
]


@needs_tshark
@pytest.mark.parametrize("path", TLS_CAPTURES, ids=lambda p: p.parent.name)
def test_ja3_like_tshark(path):
    txs = transactions(path, b"\x16\x03", TlsParser)
    ja3, ja3s = tshark(path, "tls.handshake.ja3", "tls.handshake.ja3s")
    assert values(txs, "ja3.hash") == ja3
    assert values(txs, "ja3s.hash") == ja3s
    assert ja3


@needs_tshark
@pytest.mark.parametrize("name", ["ssh-hassh-only", "ssh-hassh-reassembled", "ssh-newkeys"])
def test_hassh_like_tshark(name):
    path = CASES / name / "input.pcap"
    txs = transactions(path, b"SSH-", SshParser)
    client, server = tshark(path, "ssh.kex.hassh", "ssh.kex.hasshserver")
    assert values(txs, "ssh.hassh") == client
    assert values(txs, "ssh.hassh.server") == server
    assert client


def test_ja4_of_a_browser():
    txs = transactions(CASES / "ja4-rules-7.0.x-01/input.pcap", b"\x16\x03", TlsParser)
    assert "t13d1516h2_8daaf6152771_e5627efa2ab1" in values(txs, "ja4.hash")


@pytest.mark.parametrize(
    ("case", "buffer", "expected"),
    [
        ("tls__tls-issuerdn", "tls.cert_issuer@to_client", "C=FR, ST=IDF, L=Paris, O=Stamus, CN=SELKS"),
        (
            "tls__tls-client-cert-01",
            "tls.cert_fingerprint",
            "32:56:41:d0:6a:ff:47:cb:21:e4:89:c5:ae:2a:a2:d8:1b:c9:70:0c",
        ),
        ("tls__tls-client-hello-frag-01", "tls.sni", "www.google.com"),
    ],
)
def test_names_of_suricata_cases(case, buffer, expected):
    assert expected in values(transactions(CASES / case / "input.pcap", b"\x16\x03", TlsParser), buffer)


def test_versions_of_the_random_case():
    (tx,) = transactions(CASES / "tls__tls-random-6989/input.pcap", b"\x16\x03", TlsParser)
    assert tx.buffer("tls.random_time") == (bytes.fromhex("54b4c97b"),)
    assert tx.buffer("tls.random_time@to_client") == (bytes.fromhex("54b8f773"),)


def test_whole_chain():
    txs = transactions(CASES / "tls__tls-cert-chain-len/input.pcap", b"\x16\x03", TlsParser)
    assert any(tx.buffer("tls.cert_chain_len@to_client") == (b"\0\0\0\3",) for tx in txs)
    assert all(len(tx.buffer("tls.certs@to_client")) in {0, 3} for tx in txs)
