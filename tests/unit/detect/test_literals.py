"""Literals of rules as arrays: which rules each stands for, and what else must be there."""

import numpy as np
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.scan.index import MAX_LITERAL
from sensor.detect.scan.kernels_expand import MAX_OTHERS
from sensor.detect.scan.literals import LiteralRules
from sensor.model.units import UNIT

patterns = st.sampled_from((b"alpha", b"beta-beta", b"gamma/1", b"x" * 30 + b"y" * 50))
others = st.lists(st.tuples(st.binary(min_size=2, max_size=90), st.booleans()), max_size=MAX_OTHERS + 3)


def others_of(made, rule):
    spans = range(made.other_first[rule], made.other_first[rule + 1])
    return [
        (bytes(made.pool[made.other_at[k] : made.other_at[k] + made.other_len[k]]), bool(made.other_cased[k]))
        for k in spans
    ]


def rules_of(made, literal):
    return made.rules[made.first[literal] : made.first[literal + 1]].tolist()


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.dictionaries(st.integers(0, 20), st.tuples(patterns, st.integers(1, 255), others), max_size=8))
def test_arrays_say_what_was_added(members):
    builder = LiteralRules.Builder()
    for rule, (pattern, mask, further) in members.items():
        builder.add(pattern, mask, rule, further)
    made = builder.build(21)
    distinct = list(dict.fromkeys(pattern for pattern, _, _ in members.values()))
    assert made.index.size == len(distinct)
    for n, pattern in enumerate(distinct):
        mine = [rule for rule, (literal, _, _) in members.items() if literal == pattern]
        assert rules_of(made, n) == mine
        mask = 0
        for rule in mine:
            mask |= members[rule][1]
        assert int(made.index.literals["mask"][n]) == mask
    longest = min(MAX_LITERAL, max(map(len, distinct), default=1))
    for rule in range(21):
        further = members[rule][2][:MAX_OTHERS] if rule in members else []
        assert others_of(made, rule) == [(text[:longest], cased) for text, cased in further]


def test_other_literals_are_cut_to_what_is_carried_between_blocks():
    builder = LiteralRules.Builder()
    builder.add(b"12345678", 1, 0, [(b"abcdefghijkl", True)])
    made = builder.build(1)
    assert others_of(made, 0) == [(b"abcdefgh", True)]
    assert made.index.longest == 8


def test_the_same_text_stands_in_the_pool_once():
    builder = LiteralRules.Builder()
    for rule in range(50):
        builder.add(b"literal-%02d" % rule, 1, rule, [(b"shared text", False), (b"mine %02d" % rule, True)])
    made = builder.build(50)
    assert made.pool.size == 1 + len(b"shared text"[:10]) + 50 * len(b"mine 00")
    assert others_of(made, 49) == [(b"shared tex", False), (b"mine 49", True)]


def test_escapes_are_literals_of_no_rule():
    builder = LiteralRules.Builder()
    builder.add(b"chunked", 1, 3, ())
    builder.escape(b"chunked", 2, 5)
    builder.escape(b"upgrade", 4, 6, 1)
    made = builder.build(4)
    assert made.escapes == ((0, 5, -1), (1, 6, 1))
    assert rules_of(made, 0) == [3]
    assert rules_of(made, 1) == []
    data = np.frombuffer(b"upgrade chunked" + b"\0" * 9, np.uint8).copy()
    units = np.zeros(4, UNIT)
    units["end"] = 15
    units["side"] = 0, 1, 1, 0
    hits = made.index.scan(data, units, np.array([1, 2, 4, 4], np.uint64))
    found = sorted(zip(hits.unit.tolist(), hits.lit.tolist(), strict=True))
    assert found == [(0, 0), (1, 0), (2, 1)]


def test_of_nothing_nothing():
    made = LiteralRules.Builder().build(2)
    assert made.index.size == 0
    assert made.other_first.tolist() == [0, 0, 0]
    assert made.first.tolist() == [0]
