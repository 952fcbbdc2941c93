import pytest

from sensor.detect.state.budget import SECOND, Budget, BudgetExceededError, BudgetLimits, Meter


def test_meter():
    meter = Meter(2)
    meter.charge(2)
    with pytest.raises(BudgetExceededError):
        meter.charge(1)


def test_five_in_a_minute_suspend_for_half_a_minute():
    budget = Budget()
    for i in range(4):
        budget.exceeded(3, i * SECOND)
    assert not budget.suspended(3, 4 * SECOND)
    budget.exceeded(3, 4 * SECOND)
    assert budget.suspended(3, 4 * SECOND)
    assert not budget.suspended(2, 4 * SECOND)
    assert budget.suspended(3, 34 * SECOND - 1)
    assert not budget.suspended(3, 34 * SECOND)
    assert not budget._until
    assert budget.counters.snapshot() == {"budget_exceeded": 5, "judgements_skipped": 2, "suspended": 1}


def test_slow_habits_are_tolerated():
    budget = Budget()
    for i in range(50):
        budget.exceeded(3, i * 16 * SECOND)
        assert not budget.suspended(3, i * 16 * SECOND)


def test_suspensions_are_told_once():
    budget = Budget(BudgetLimits(tolerance=1, suspend_ns=10))
    budget.exceeded(1, 100)
    budget.exceeded(2, 101)
    assert budget.drain_suspensions() == [(1, 110), (2, 111)]
    assert budget.drain_suspensions() == []


def test_a_clock_that_was_set_back_ends_a_suspension():
    budget = Budget()
    for _ in range(5):
        budget.exceeded(3, 1000 * SECOND)
    assert budget.suspended(3, 999 * SECOND)
    assert not budget.suspended(3, 900 * SECOND)
