"""Address sets as intervals: each address is in the sets that a plain test says."""

from itertools import pairwise

import numpy as np
import pytest
from effort import effort
from headerkit import EDGES, WORD, address_sets, packed
from hypothesis import given, settings
from hypothesis import strategies as st
from jitkit import from_python

from sensor.detect.headers import kernels_headers
from sensor.detect.headers.addresses import address_test
from sensor.detect.headers.addrindex import ANY, MAX_BITS, UNTESTED, AddressIndex, spans
from sensor.rules.nodes import AddressSet, All, Rule

find = from_python(kernels_headers.find)
TOP = (1 << 128) - 1
PROBES = sorted({min(TOP, max(0, edge + step)) for edge in EDGES for step in (-1, 0, 1)})


def rule(src=None, dst=None):
    return Rule(1, "", "ip", All(()), src or AddressSet(), dst or AddressSet())


def single(number):
    return AddressSet(((packed(number), packed(number)),))


def interval(at, number):
    return find(at.hi, at.lo, np.uint64(number >> 64), np.uint64(number & WORD))


@settings(deadline=None)
@given(address_sets())
def test_spans_are_the_set(addresses):
    got, inside = spans(addresses), address_test(addresses)
    assert got == sorted(got)
    assert all(low <= high for low, high in got)
    assert all(before[1] < behind[0] for before, behind in pairwise(got))
    for number in PROBES:
        assert any(low <= number <= high for low, high in got) == (inside is None or inside(packed(number)))


@settings(deadline=None)
@given(st.lists(st.integers(0, TOP), min_size=1, max_size=40, unique=True), st.lists(st.integers(0, TOP), max_size=20))
def test_an_address_is_found_in_the_last_interval_that_begins_before_it(edges, numbers):
    edges = sorted({0, *edges})
    his = np.array([edge >> 64 for edge in edges], np.uint64)
    los = np.array([edge & WORD for edge in edges], np.uint64)
    for number in (*numbers, *edges, TOP):
        at = find(his, los, np.uint64(number >> 64), np.uint64(number & WORD))
        assert at == max(n for n, edge in enumerate(edges) if edge <= number)


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.lists(address_sets(), min_size=1, max_size=8))
def test_the_bits_of_an_address_are_its_sets(sets):
    index = AddressIndex([rule(one, other) for one, other in zip(sets, reversed(sets), strict=True)])
    for number in PROBES:
        word = int(index.masks[interval(index.at, number)])
        for one in sets:
            bit, inside = index.bit(one), address_test(one)
            assert (bit == ANY) == (inside is None)
            if inside is not None:
                assert bool(word >> bit & 1) == inside(packed(number))


def test_as_many_sets_as_there_are_bits_all_have_one():
    sets = [single(n) for n in range(MAX_BITS)]
    index = AddressIndex([rule(one) for one in sets])
    assert sorted(index.bit(one) for one in sets) == list(range(MAX_BITS))
    for n, one in enumerate(sets):
        assert int(index.masks[interval(index.at, n)]) == 1 << index.bit(one)
    assert index.block_lists([rule(sets[0])]).rules.size == 0


def test_beyond_that_only_sets_of_several_rules_have_one():
    rare = [single(n) for n in range(MAX_BITS + 1)]
    common = single(1000)
    index = AddressIndex([*map(rule, rare), rule(common), rule(None, common)])
    assert index.bit(common) == 0
    assert {index.bit(one) for one in rare} == {UNTESTED}
    assert index.bit(AddressSet()) == ANY


@pytest.fixture(scope="module")
def many():
    """Enough common sets to take all the bits."""
    return [rule(single(10_000 + n), single(10_000 + n)) for n in range(MAX_BITS)]


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.lists(st.tuples(address_sets(), address_sets()), min_size=1, max_size=6, unique=True))
def test_block_lists_name_the_rules_of_an_address(many, pairs):
    rules = [rule(src, dst) for src, dst in pairs]
    index = AddressIndex([*many, *rules])
    lists = index.block_lists(rules)
    chosen = [next((side for side in pair if index.bit(side) == UNTESTED), None) for pair in pairs]
    for number in PROBES:
        at = interval(lists.at, number)
        named = lists.rules[lists.first[at] : lists.first[at + 1]].tolist()
        wanted = [n for n, one in enumerate(chosen) if one is not None and address_test(one)(packed(number))]
        assert named == wanted


def test_without_rules_every_address_is_in_one_empty_interval():
    index = AddressIndex([])
    lists = index.block_lists([])
    assert index.masks.tolist() == [0]
    assert lists.first.tolist() == [0, 0]
    assert interval(lists.at, TOP) == 0
