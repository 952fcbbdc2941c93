"""PostgreSQL and MySQL: how bytes are cut changes nothing, and no bytes make the parsers raise or grow."""

import sys
from pathlib import Path

from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import handshakes as forge
import sqlforge as sql
from cutting import changed

from sensor.proto.mysql.fields import SPEC as MYSQL
from sensor.proto.pgsql.fields import SPEC as PGSQL

TALKS = {"pgsql": (PGSQL, sql.pgsql()), "mysql": (MYSQL, sql.mysql())}


def talks():
    """Return a specification and a conversation with a few bytes changed or dropped."""
    return st.one_of([st.tuples(st.just(spec), changed([talk])) for spec, talk in TALKS.values()])


def outcome(spec, talk, size=None):
    parser = spec.new_parser()
    stages = forge.drive(parser, talk, size)
    return forge.seen(spec, stages), [s.tx.eve() for s in stages], parser.anomalies(), parser.done


@settings(max_examples=effort(150, 50), deadline=None)
@given(talks(), st.integers(1, 20))
def test_cuts(one, size):
    spec, talk = one
    assert outcome(spec, talk, size) == outcome(spec, talk)


@settings(max_examples=effort(80, 30), deadline=None)
@given(
    st.sampled_from((PGSQL, MYSQL)),
    st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80), st.integers(0, 40)), max_size=8),
)
def test_any_bytes_and_gaps(spec, parts):
    parser = spec.new_parser()
    for side, data, gap in parts:
        parser.feed(side, data, 0)
        if gap:
            parser.gap(side, gap, 0)
    parser.finish(0)
    assert all(pieces.held <= 16_384 for pieces in parser._sides)
