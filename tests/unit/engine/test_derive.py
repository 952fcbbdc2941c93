"""Bytes as parsers show them: the names of questions are there to be scanned."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.engine.derive import names
from sensor.model.rows import new_rows
from sensor.model.units import UNIT_PACKET
from sensor.proto.dns.parse import message

labels = st.lists(st.sampled_from(b"abcXYZ019-_*"), min_size=1, max_size=63).map(bytes)
odd_labels = st.sampled_from((b"a.b", b"a b", b"\xff", b"A" * 32, b"x" * 63))
dotted = st.lists(st.one_of(labels, labels, odd_labels), max_size=6)


def query(parts, *, response=False, count=1, cut=None):
    name = b"".join(bytes((len(part),)) + part for part in parts) + b"\0"
    head = b"\x12\x34" + (b"\x81\x80" if response else b"\1\0") + count.to_bytes(2, "big") + bytes(6)
    return (head + name + b"\0\1\0\1")[:cut]


def read(messages, *, responses=True):
    """Return ({row: name with its edges}, rows that must be parsed)."""
    rows = new_rows(len(messages) + 1)
    sizes = [len(text) for text in messages]
    rows["paylen"][1:], rows["pay"][1:] = sizes, np.cumsum([5, *sizes])[:-1]
    rows["flow"], rows["side"] = np.arange(rows.size) + 10, 1
    buf = np.frombuffer(b"front" + b"".join(messages), np.uint8)
    made, odd = names(rows, buf, np.arange(1, rows.size), responses=responses)
    found = {}
    for unit in made.units:
        assert (unit["flow"], unit["side"], unit["kind"]) == (unit["row"] + 10, 1, UNIT_PACKET)
        assert (unit["fresh"], unit["pos"]) == (unit["start"], 0)
        found[int(unit["row"]) - 1] = made.data[unit["start"] : unit["end"]].tobytes()
    return found, [row - 1 for row in odd.tolist()]


@settings(deadline=None)
@given(st.lists(st.tuples(dotted, st.booleans(), st.sampled_from((0, 1, 1, 1, 2))), max_size=5), st.booleans())
def test_names_are_those_that_the_parser_shows(members, responses):
    messages = [query(parts, response=response, count=count) for parts, response, count in members]
    found, odd = read(messages, responses=responses)
    for n, (parts, response, _) in enumerate(members):
        if response and not responses:
            assert n not in found
            assert n not in odd
            continue
        assert (n in found) != (n in odd)
        if n in found:
            assert [found[n]] == [b"\0" + question.name + b"\0" for question in message(messages[n]).questions]
        elif members[n][2] == 1:
            whole = sum(len(part) + 1 for part in parts)
            assert whole > 250 or any(len(part) == 32 or re.search(rb"[^\w*-]", part) for part in parts)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 60))
def test_hostile_questions_are_parsed_or_say_the_same(tail, cut):
    text = (b"\x12\x34\1\0\0\1" + bytes(6) + tail)[: 12 + cut]
    found, odd = read([text, text[:11]])
    assert 1 not in found
    assert 1 not in odd
    assert (0 in found) != (0 in odd)
    shown = message(text).questions
    if 0 in found and shown:
        assert found[0] == b"\0" + shown[0].name + b"\0"


def test_the_longest_name_fits():
    parts = [b"a" * 63, b"b" * 63, b"c" * 63, b"d" * 61]
    found, odd = read([query(parts)] * 3)
    assert found == dict.fromkeys(range(3), b"\0" + b".".join(parts) + b"\0")
    assert odd == []
    found, odd = read([query([*parts, b"e"])] * 3)
    assert (found, odd) == ({}, [0, 1, 2])


def test_a_pointer_in_a_question_must_be_parsed():
    text = b"\x12\x34\1\0\0\1" + bytes(6) + b"\3abc\xc0\x0c\0\1\0\1"
    assert read([text]) == ({}, [0])


def test_of_no_messages_no_names():
    assert read([]) == ({}, [])
