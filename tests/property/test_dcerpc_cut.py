"""DCE/RPC: how bytes are cut changes nothing, and no bytes make the parser raise or grow."""

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge
import rpcforge as rpc

from sensor.proto.dcerpc.fields import SPEC


@st.composite
def talks(draw):
    """Return a conversation with a few bytes changed or dropped."""
    talk = list(rpc.talk())
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(talk) - 1))
        side, data = talk[at]
        pos = draw(st.integers(0, len(data) - 1))
        byte = bytes([draw(st.integers(0, 255))])
        changed = data[:pos] + byte + data[pos + 1 :] if draw(st.booleans()) else data[:pos] + data[pos + 1 :]
        talk[at] = (side, changed or b"\5")
    return talk


def outcome(talk, size=None):
    parser = SPEC.new_parser()
    stages = forge.drive(parser, talk, size)
    return forge.seen(SPEC, stages), [s.tx.eve() for s in stages[-1:]], parser.anomalies(), parser.done


@settings(max_examples=80, deadline=None)
@given(talks(), st.integers(1, 9))
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
