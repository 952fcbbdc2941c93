"""What came behind a row is what a plain count of the rows behind it says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.engine.block.history import AppChanges, History, side_id
from sensor.model.rows import FRAG_REASSEMBLED, new_rows


def forge(seed, count):
    rng, rows = np.random.default_rng(seed), new_rows(count)
    for name, low, high in (("flow", -1, 4), ("side", 0, 2), ("parent", -1, 2), ("wirelen", -1, 9), ("iplen", -1, 9)):
        rows[name] = rng.integers(low, high, count)
    rows["frag"] = rng.choice((0, FRAG_REASSEMBLED), count)
    return rows


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(0, 25))
def test_counts_are_those_of_the_rows_behind(seed, count):
    rows = forge(seed, count)
    history = History(rows, AppChanges(), AppChanges(), AppChanges())
    for slot in range(5):
        for row in range(-1, count + 1):
            wanted = [0, 0, 0, 0]
            for r in rows[max(row + 1, 0) :]:
                if r["flow"] == slot:
                    inner = r["parent"] >= 0 or r["frag"] == FRAG_REASSEMBLED
                    wanted[r["side"]] += 1
                    wanted[2 + r["side"]] += max(int(r["iplen"] if inner else r["wirelen"]), 0)
            assert history.later(slot, row) == tuple(wanted)


def test_a_protocol_is_what_it_was_at_a_row():
    changes = AppChanges(np.array([3, 3], np.int32), np.array([5, 9], np.int32), np.array([0, 7], np.uint8))
    history = History(new_rows(12), changes, AppChanges(), AppChanges())
    assert [history.app_before(3, row) for row in (4, 5, 8, 9)] == [0, 7, 7, -1]
    assert history.app_before(2, 0) == -1


def test_nobody_has_answered_up_to_a_row():
    silent = AppChanges(np.array([3], np.int32), np.array([5], np.int32), np.array([0], np.uint8))
    history = History(new_rows(12), AppChanges(), silent, AppChanges())
    assert [history.unanswered(3, row) for row in (4, 5)] == [True, False]
    assert not history.unanswered(2, 0)


def test_sides_tell_one_after_the_other():
    told = AppChanges(np.array([side_id(3, 1)], np.int32), np.array([5], np.int32), np.array([0], np.uint8))
    history = History(new_rows(12), AppChanges(), AppChanges(), told)
    assert [history.untold(3, 1, row) for row in (4, 5, 6)] == [True, False, False]
    assert not history.untold(3, 0, 4)
