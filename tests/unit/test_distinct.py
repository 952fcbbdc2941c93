"""Each value once, in order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sensor.model.distinct import distinct


@given(st.lists(st.integers(-3, 5)))
def test_it_is_what_a_set_holds(values):
    assert distinct(np.array(values, np.int64)).tolist() == sorted(set(values))
