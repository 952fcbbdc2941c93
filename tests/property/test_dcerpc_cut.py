"""DCE/RPC: how bytes are cut changes nothing, and no bytes make the parser raise or grow."""

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge
import rpcforge as rpc
from cutting import changed

from sensor.proto.dcerpc.fields import SPEC


def outcome(talk, size=None):
    parser = SPEC.new_parser()
    stages = forge.drive(parser, talk, size)
    return forge.seen(SPEC, stages), [s.tx.eve() for s in stages[-1:]], parser.anomalies(), parser.done


@settings(max_examples=80, deadline=None)
@given(changed([rpc.talk()], filler=b"\5"), st.integers(1, 9))
def test_cuts(talk, size):
    assert outcome(talk, size) == outcome(talk)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=60), st.integers(0, 40)), max_size=8))
def test_any_bytes_and_gaps(parts):
    parser = SPEC.new_parser()
    for side, data, gap in parts:
        parser.feed(side, b"\5\0\0\3\x10\0\0\0" + data, 0)
        if gap:
            parser.gap(side, gap, 0)
    assert all(len(stream._buffer) <= 65_535 for stream in parser._sides)
