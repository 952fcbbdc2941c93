"""Windows that hold a hit, from block to block: as one finds them by looking at each pair, and within a bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.engine.recent import RecentHits, StreamHits

REACH = 10


def hits(*places):
    """places: (side, rule, end, begin)."""
    columns = zip(*places, strict=True) if places else ((), (), (), ())
    types = np.int64, np.int32, np.int64, np.int64
    return [StreamHits(*(np.array(column, dtype) for column, dtype in zip(columns, types, strict=True)))]


def windows(recent, places, segs):
    """segs: (side, first, last); returns {(segment, rule)}."""
    sides, first, last = (np.array([seg[n] for seg in segs], np.int64) for n in range(3))
    at, rules = recent.windows(hits(*places) if places else [], sides, first, last, REACH)
    return set(zip(at.tolist(), rules.tolist(), strict=True))


@st.composite
def blocks(draw):
    """Blocks of segments of three sides, and hits in the bytes of each block."""
    ends, out = [0, 0, 0], []
    for _ in range(draw(st.integers(1, 4))):
        segs, places = [], []
        for side in draw(st.lists(st.integers(0, 2), max_size=8)):
            first = ends[side] + draw(st.sampled_from([0, 0, 0, 15]))
            ends[side] = first + draw(st.integers(1, 8))
            segs.append((side, first, ends[side]))
        for side, first, last in segs:
            for _ in range(draw(st.integers(0, 2))):
                begin = draw(st.integers(max(first - 3, 0), last))
                places.append((side, draw(st.integers(0, 2)), begin + draw(st.integers(1, 4)), begin))
        out.append((places, segs))
    return out


@given(blocks())
def test_windows_are_those_that_hold_a_hit_of_this_block_or_an_earlier_one(run):
    recent, held = RecentHits(), set()
    for places, segs in run:
        wanted = {
            (n, rule)
            for n, (side, first, last) in enumerate(segs)
            for at, rule, end, begin in {*places, *held}
            if at == side and end <= last and begin >= first - REACH
        }
        assert windows(recent, places, segs) == wanted
        # What no window of its block held is not known later.
        held |= {(side, rule, -1, begin) for side, rule, end, begin in places
                 if any(at == side and end <= last for at, _, last in segs)}  # fmt: skip


def test_the_sides_noted_longest_ago_give_way_and_are_counted():
    recent = RecentHits(limit=4)
    for side, rule, place in ((1, 10, 1), (1, 11, 1), (2, 10, 1), (3, 10, 1), (1, 10, 3), (4, 10, 1)):
        windows(recent, [(side, rule, place, place)], [(side, place, place + 1)])
    assert windows(recent, [], [(side, 4, 5) for side in (1, 2, 3, 4)]) == {(0, 10), (0, 11), (2, 10), (3, 10)}
    assert (len(recent), recent.forgotten) == (4, 1)


def test_one_side_alone_may_exceed_the_bound():
    recent = RecentHits(limit=2)
    windows(recent, [(1, 1, 1, 1)], [(1, 0, 5)])
    windows(recent, [(2, rule, 1, 1) for rule in range(5)], [(2, 0, 5)])
    assert (len(recent), recent.forgotten) == (5, 1)


@pytest.mark.parametrize(("slots", "left"), [([2], {(1, 2)}), ([3, 9], {(0, 1)}), ([2, 3], set())])
def test_flows_that_end_are_dropped(slots, left):
    recent = RecentHits()
    windows(recent, [(5, 1, 1, 1), (6, 2, 1, 1)], [(5, 0, 3), (6, 0, 3)])
    recent.forget(slots)
    assert windows(recent, [], [(5, 3, 4), (6, 3, 4)]) == left


def test_a_reload_keeps_the_hits_of_rules_that_stay():
    old, fresh = RecentHits(limit=2), RecentHits()
    windows(old, [(side, side, 1, 1) for side in (1, 2, 3)], [(side, 0, 3) for side in (1, 2, 3)])
    fresh.adopt(old, {3: 30})
    fresh.add(8, 4, 2)
    assert windows(fresh, [], [(side, 3, 4) for side in (1, 2, 3, 8)]) == {(2, 30), (3, 4)}
    assert (len(fresh), fresh.forgotten) == (2, 1)
