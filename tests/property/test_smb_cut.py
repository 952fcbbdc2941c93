"""SMB: how bytes are cut changes nothing, and no bytes make the parser raise or grow."""

import sys
from pathlib import Path

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge
import smbforge as smb
from cutting import changed

from sensor.proto.smb import limits
from sensor.proto.smb.fields import SPEC

TALKS = (smb.file_talk(), smb.pipe_talk(), smb.file_talk1())


def outcome(talk, size=None):
    parser = SPEC.new_parser()
    stages = forge.drive(parser, talk, size)
    files = [(s.file.name, s.file.data, s.file.size, s.file.complete) for s in stages if s.file]
    records = [s.tx.eve() for s in stages]
    seen = [(s.tx.id, s.stage, s.side) for s in stages]
    frames = [b for s in stages for b in s.tx.buffer("frame.smb2.data")]
    return seen, files, records, frames, parser.anomalies(), parser.done


@pytest.mark.parametrize("talk", TALKS, ids=["files", "pipe", "version1"])
@pytest.mark.parametrize("size", [1, 3, 100])
def test_cuts_of_sound_talks(talk, size):
    assert outcome(talk, size) == outcome(talk)


@settings(max_examples=effort(80, 30), deadline=None)
@given(changed(TALKS), st.integers(1, 40))
def test_cuts(talk, size):
    assert outcome(talk, size) == outcome(talk)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1), st.sampled_from((b"\xffSMB", b"\xfeSMB")), st.binary(max_size=120), st.integers(0, 60)
        ),
        max_size=8,
    )
)
def test_any_bytes_and_gaps(parts):
    parser = SPEC.new_parser()
    for side, mark, data, gap in parts:
        parser.feed(side, smb.nbss(mark + data), 0)
        if gap:
            parser.gap(side, gap, 0)
            parser.feed(side, data, 0)
    parser.finish(0)
    assert all(len(framer._buffer) <= limits.MESSAGE for framer in parser._framers)
