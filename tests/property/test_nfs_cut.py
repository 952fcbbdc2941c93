"""NFS: how bytes are cut changes nothing, and no bytes make the parser raise or grow."""

import sys
from pathlib import Path

from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge
import nfsforge as nfs
from cutting import changed

from sensor.proto.nfs import limits
from sensor.proto.nfs.fields import SPEC

TALKS = (nfs.talk2(), nfs.talk3(), nfs.talk4(), nfs.talk4(2))


def outcome(talk, size=None):
    parser = SPEC.new_parser()
    stages = forge.drive(parser, talk, size)
    files = [(s.file.name, s.file.data, s.file.size, s.file.complete) for s in stages if s.file]
    return [(s.tx.id, s.stage, s.side, s.tx.eve()) for s in stages], files, parser.anomalies(), parser.done


@settings(max_examples=effort(100, 30), deadline=None)
@given(changed(TALKS, filler=b"\x80"), st.integers(1, 40))
def test_cuts(talk, size):
    assert outcome(talk, size) == outcome(talk)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1), st.integers(0, 60), st.binary(max_size=80), st.integers(0, 60)), max_size=8)
)
def test_any_bytes_and_gaps(parts):
    parser = SPEC.new_parser()
    head = nfs.call(4, 1, nfs.opaque(b"") + nfs.u32(0, 9))
    for side, cut, data, gap in parts:
        parser.feed(side, nfs.record(head[:cut] + data), 0)
        if gap:
            parser.gap(side, gap, 0)
            parser.feed(side, data, 0)
    parser.finish(0)
    assert all(pieces.held <= limits.RECORD for pieces in parser._pieces)
