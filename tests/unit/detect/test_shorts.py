"""Short literals and the places they may stand at: nothing that the judge finds is ruled out."""

import pytest
from effort import effort
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from judgekit import holds

from sensor.detect.headers.shorts import ALL, ANCHORED, MOST, ONE, Shorts, floats, last_start
from sensor.rules.nodes import All, BufferMatch, Content, Rule, Transform

PATTERN = st.lists(st.sampled_from(b"abA"), min_size=1, max_size=3).map(bytes)
PLACES = st.fixed_dictionaries({}, optional={"offset": st.integers(0, 5), "depth": st.integers(3, 8)})
CONTENTS = st.builds(
    lambda pattern, nocase, place, startswith: Content(
        pattern, nocase=nocase, **({"startswith": True} if startswith else place)
    ),
    PATTERN, st.booleans(), PLACES, st.booleans(),
)  # fmt: skip


def rule(*tests, transforms=()):
    return Rule(1, "", "tcp", All((BufferMatch("payload", tests, transforms),)))


def records(made, n=0):
    """Return (literal, nocase, low, high) of a rule."""
    return [
        (bytes(made.pool[one["at"] : one["at"] + one["size"]]), bool(one["nocase"]), int(one["low"]), int(one["high"]))
        for one in made.table[made.first[n] : made.first[n + 1]]
    ]


@settings(deadline=None, max_examples=effort(200, 65))
@given(st.lists(CONTENTS, min_size=1, max_size=3), st.lists(st.sampled_from(b"abA\0"), max_size=14).map(bytes))
def test_where_the_judge_finds_all_contents_each_record_holds(contents, text):
    if not holds(text, *contents):
        return
    for literal, nocase, low, high in records(Shorts([rule(*contents)])):
        place = text[low : len(text) if high < 0 else high]
        assert literal in (place.lower() if nocase else place)


@settings(deadline=None, max_examples=effort(200, 65))
@given(CONTENTS, st.lists(st.sampled_from(b"abA\0"), max_size=14).map(bytes))
def test_no_match_begins_behind_the_last_start(content, text):
    last = last_start(content)
    assume(last >= 0)
    hidden = b"\0" * min(last + 1, len(text)) + text[last + 1 :]
    assert not holds(hidden, content)


@pytest.mark.parametrize(
    ("content", "low", "high"),
    [
        (Content(b"ab"), 0, -1),
        (Content(b"ab", offset=5), 4, -1),
        (Content(b"ab", depth=6), 0, 6),
        (Content(b"ab", offset=5, depth=6), 4, 11),
        (Content(b"ab", startswith=True), 0, 2),
        (Content(b"ab", distance=3), 0, -1),
        (Content(b"ab", within=3), 0, -1),
        (Content(b"ab", offset=5, distance=0), 0, -1),
        (Content(b"ab", offset="name", depth=6), 0, -1),
        (Content(b"ab", offset=5, depth="name"), 4, -1),
    ],
)
def test_places(content, low, high):
    assert records(Shorts([rule(content)])) == [(b"ab", False, low, high)]
    assert last_start(content) == (high - 2 if high >= 0 else -1)


def test_literals_are_those_that_must_stand_as_they_are():
    made = Shorts([
        rule(Content(b"no", negated=True), Content(b"Yes", nocase=True)),
        rule(Content(b"abc"), transforms=(Transform("strip_whitespace"),)),
        rule(Content(b".abc"), transforms=(Transform("dotprefix"),)),
    ])  # fmt: skip
    assert records(made, 0) == [(b"yes", True, 0, -1)]
    assert records(made, 1) == []
    assert records(made, 2) == [(b"abc", False, 0, -1)]


ANCHOR, WIDE, LONG, SHORT = (
    Content(b"xy", depth=2), Content(b"uv", depth=60), Content(b"longest"), Content(b"q"),
)  # fmt: skip


def test_the_closest_places_come_first_and_few_are_looked_for():
    mixed = rule(SHORT, LONG, WIDE, ANCHOR, Content(b"zz"))
    assert [one[0] for one in records(Shorts([mixed]))] == [b"xy", b"uv", b"longest", b"zz"][:MOST]
    assert [one[0] for one in records(Shorts([mixed], ANCHORED))] == [b"xy", b"uv"]
    assert [one[0] for one in records(Shorts([rule(SHORT, LONG)], ONE))] == [b"longest"]
    assert records(Shorts([rule(SHORT, LONG)], ANCHORED)) == []


def test_rules_whose_literals_may_all_stand_anywhere_float():
    assert floats(rule(SHORT, LONG))
    assert not floats(rule(LONG, ANCHOR))
    assert not floats(rule(Content(b"no", negated=True)))
    assert not floats(Rule(1, "", "tcp", All(())))


def test_records_of_several_rules_follow_each_other():
    made = Shorts([rule(LONG), rule(), rule(ANCHOR, SHORT)], ALL)
    assert made.first.tolist() == [0, 1, 1, 3]
    assert [one[0] for n in range(3) for one in records(made, n)] == [b"longest", b"xy", b"q"]


def test_long_literals_are_cut_to_a_byte_of_length():
    text = bytes(range(1, 256)) * 2
    (literal, nocase, low, high), = records(Shorts([rule(Content(text, nocase=True))]))
    assert (literal, nocase, low, high) == (text.lower()[:255], True, 0, -1)
