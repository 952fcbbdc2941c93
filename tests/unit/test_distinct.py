"""Each value once, in order; and which of others are there."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor.model.distinct import among, distinct


@given(st.lists(st.integers(-3, 5)))
def test_it_is_what_a_set_holds(values):
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))


@given(st.lists(st.integers(-3, 5)), st.lists(st.integers(-3, 5)))
def test_others_are_looked_for_in_it(values, wanted):
    found = among(np.array(values, np.int64), np.array(wanted, np.int64))
    assert found.tolist() == [value in wanted for value in values]
