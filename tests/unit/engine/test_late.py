"""Rules that wait for their other literals: none is lost, none comes twice, and what is remembered is bounded."""

import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.scan.literals import LiteralRules
from sensor.engine import late as module
from sensor.engine.late import Late, Pairs
from sensor.model.units import UNIT

SLOTS = 3
WORDS = (b"alpha", b"BETA", b"gamma")
"""The others of each rule; the second in exact case."""


@pytest.fixture(scope="module")
def literals():
    return literal_rules()


def literal_rules():
    builder = LiteralRules.Builder()
    for rule in range(4):
        builder.add(b"literal", 1, rule, [(WORDS[0], False), (WORDS[1], True), (WORDS[2], False)])
    return builder.build(4)


def pairs_of(entries):
    """entries: (rule, side, literal, offset)."""
    columns = list(zip(*entries, strict=True)) or [()] * 4
    return Pairs(*(np.array(c, t) for c, t in zip(columns, (np.int32, np.int64, np.int32, np.int64), strict=True)))


def entries_of(pairs):
    return list(zip(*(column.tolist() for column in pairs), strict=True))


def block(texts):
    """texts: {side: bytes or None (several units)}. Returns data, units, unit_of."""
    units, unit_of = np.zeros(len(texts), UNIT), np.full(2 * SLOTS, -1, np.int32)
    parts = [text or b"" for text in texts.values()]
    units["end"] = np.cumsum([len(text) for text in parts])
    units["start"] = units["end"] - [len(text) for text in parts]
    for n, (side, text) in enumerate(texts.items()):
        unit_of[side] = -2 if text is None else n
    return np.frombuffer(b"".join(parts) or b"\0", np.uint8).copy(), units, unit_of


def completed(late, literals, texts):
    return entries_of(late.complete(literals, *block(texts)))


def test_a_pair_completes_when_the_last_of_its_literals_has_come(literals):
    late = Late()
    one, other = (0, 2, 0, 17), (1, 3, 0, 4)
    assert late.add(pairs_of([one, other]), np.array([0b011, 0b110])).rules.size == 0
    assert completed(late, literals, {2: b"..BETA..", 4: b"alpha gamma"}) == []
    assert completed(late, literals, {2: b"beta", 3: b"gamma beta"}) == []
    assert completed(late, literals, {2: b"ALPHA", 3: b"x"}) == [one]
    assert late.size == 1
    assert completed(late, literals, {2: b"ALPHA", 3: b"BETA"}) == [other]
    assert late.size == 0
    assert completed(late, literals, {2: b"ALPHA", 3: b"BETA"}) == []


def test_sides_in_several_units_wait_no_more(literals):
    late = Late()
    late.add(pairs_of([(0, 2, 0, 17), (0, 3, 0, 17)]), np.array([7, 7]))
    assert completed(late, literals, {2: None}) == [(0, 2, 0, 17)]


def test_ended_flows_are_forgotten(literals):
    late = Late()
    late.add(pairs_of([(0, 2, 0, 1), (1, 3, 0, 1), (2, 4, 0, 1)]), np.array([1, 1, 1]))
    late.forget(np.array([0, 1], np.int32))
    assert completed(late, literals, {2: b"alpha", 3: b"alpha", 4: b"alpha"}) == [(2, 4, 0, 1)]
    late.forget(np.array([2], np.int32))
    assert late.size == 0


def test_drained_pairs_are_all_there_were(literals):
    late = Late()
    entries = [(0, 2, 0, 1), (1, 3, 0, 9)]
    late.add(pairs_of(entries), np.array([1, 1]))
    assert entries_of(late.drain()) == entries
    assert late.size == 0
    assert entries_of(late.drain()) == []


def test_what_does_not_fit_comes_back(literals, monkeypatch):
    monkeypatch.setattr(module, "LIMIT", 3)
    late = Late()
    entries = [(n % 4, n, 0, n) for n in range(5)]
    assert entries_of(late.add(pairs_of(entries[:2]), np.array([1, 1]))) == []
    assert entries_of(late.add(pairs_of(entries[2:]), np.array([1, 1, 1]))) == entries[3:]
    assert late.size == 3
    assert entries_of(late.add(pairs_of(entries[:1]), np.array([1]))) == entries[:1]
    assert completed(late, literals, {0: b"alpha", 1: b"alpha", 2: b"alpha"}) == entries[:3]
    assert entries_of(late.add(pairs_of(entries[3:]), np.array([1, 1]))) == []


SIDES = st.integers(0, 2 * SLOTS - 1)
TEXTS = st.lists(st.sampled_from((*WORDS, b"beta", b"GAMMA", b"--")), max_size=3).map(b"".join)
STEPS = st.one_of(
    st.tuples(st.just("add"), st.lists(st.tuples(st.integers(0, 3), SIDES, st.integers(1, 7)), max_size=4)),
    st.tuples(st.just("block"), st.dictionaries(SIDES, st.none() | TEXTS, max_size=4)),
    st.tuples(st.just("forget"), st.lists(st.integers(0, SLOTS - 1), max_size=2)),
)


def plainly(waiting, texts):
    """Return what completes; waiting: [entry, left] lists, which change."""
    done = []
    for one in list(waiting):
        side = one[0][1]
        if side not in texts:
            continue
        text = texts[side]
        found = (True,) * 3 if text is None else (WORDS[0] in text.lower(), WORDS[1] in text, WORDS[2] in text.lower())
        one[1] &= ~sum(1 << k for k, there in enumerate(found) if there)
        if not one[1]:
            done.append(one[0])
            waiting.remove(one)
    return done


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.lists(STEPS, max_size=10))
def test_as_a_plain_list_does(steps):
    late, waiting, literals, count = Late(), [], literal_rules(), 0
    for verb, what in steps:
        if verb == "add":
            entries = [(rule, side, 0, count + n) for n, (rule, side, _) in enumerate(what)]
            count += len(what)
            waiting += [[entry, left] for entry, (_, _, left) in zip(entries, what, strict=True)]
            late.add(pairs_of(entries), np.array([left for _, _, left in what], np.int64))
        elif verb == "block":
            assert completed(late, literals, what) == plainly(waiting, what)
        else:
            late.forget(np.array(what, np.int32))
            waiting = [one for one in waiting if one[0][1] >> 1 not in what]
        assert late.size == len(waiting)
    assert entries_of(late.drain()) == [entry for entry, _ in waiting]
