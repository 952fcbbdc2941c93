"""DNS: no input raises, streams may be cut anywhere, and dpkt reads the same where it reads at all."""

import json
import struct

import dpkt
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.dns import parse
from sensor.proto.dns.fields import SPEC
from sensor.proto.dns.state import DnsParser

QUICK = settings(max_examples=effort(150, 50), deadline=None)
NAMES = [buffer.name for buffer in SPEC.buffers]

label = st.text("abcXYZ0-_", min_size=1, max_size=12)
dotted = st.lists(label, min_size=1, max_size=5).map(".".join)


@st.composite
def messages(draw):
    """Return a well-formed message whose records point back to its question."""
    owner = draw(dotted)
    response = draw(st.booleans())
    answers = draw(st.lists(st.sampled_from([1, 2, 5, 12, 16, 28]), max_size=4)) if response else []
    out = struct.pack(
        "!6H", draw(st.integers(0, 65535)), 0x8180 if response else 0x100, 1, len(answers), 0, 0
    )
    out += b"".join(bytes((len(part),)) + part.encode() for part in owner.split(".")) + b"\0" + b"\0\1\0\1"
    for kind in answers:
        data = {1: b"\1\2\3\4", 28: bytes(16), 16: b"\2hi"}.get(kind, b"\1x\xc0\x0c")
        out += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(data)) + data
    return out


@st.composite
def mutated(draw):
    data = bytearray(draw(messages()))
    for _ in range(draw(st.integers(1, 6))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.sampled_from([0, 1, 12, 63, 64, 192, 255]))
    return bytes(data[: draw(st.integers(0, len(data)))])


def view(stages):
    out = []
    for stage in stages:
        eve = stage.tx.eve()
        json.dumps(eve)
        out.append((stage.stage, stage.side, stage.tx.id, [list(stage.tx.buffer(n)) for n in NAMES], eve))
    return out


@QUICK
@given(st.lists(st.one_of(mutated(), messages(), st.binary(max_size=80)), max_size=6), st.booleans())
def test_datagrams_do_not_raise(data, stream):
    parser = DnsParser(stream=stream)
    for number, datagram in enumerate(data):
        view(parser.feed(number & 1, datagram, 0))
    assert parser.gap(TO_SERVER, 5, 0) == parser.finish(0) == []
    parser.anomalies()


@QUICK
@given(st.lists(st.one_of(mutated(), messages()), max_size=4), st.lists(st.integers(1, 30), min_size=1))
def test_the_cuts_of_a_stream_do_not_matter(data, sizes):
    stream = b"".join(len(one).to_bytes(2, "big") + one for one in data)
    whole, pieces = DnsParser(stream=True), DnsParser(stream=True)
    expected = view(whole.feed(TO_CLIENT, stream, 0))
    stages, pos, turn = [], 0, 0
    while pos < len(stream):
        step = sizes[turn % len(sizes)]
        stages += pieces.feed(TO_CLIENT, stream[pos : pos + step], 0)
        pos, turn = pos + step, turn + 1
    assert view(stages) == expected
    assert set(whole.anomalies()) == set(pieces.anomalies())


@QUICK
@given(messages())
def test_well_formed_messages_read_as_dpkt_reads_them(data):
    theirs = dpkt.dns.DNS(data)
    ours = parse.message(data)
    assert ours.fault is None
    assert [q.name for q in theirs.qd] == [q.name.decode() for q in ours.questions]
    assert [(r.name, r.type, r.rlen) for r in theirs.an] == [
        (r.name.decode(), r.rrtype, r.length) for r in ours.answers
    ]
