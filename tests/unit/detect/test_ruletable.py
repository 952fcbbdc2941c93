"""Rules in columns."""

import numpy as np
import pytest

from sensor.detect.planning.ruletable import make_table


@pytest.mark.parametrize("ids", [
    [], [(1, 5)], [(1, 5), (1, 5)], [(1, 5), (3, 5), (1, 7), (1, 5), (3, 5)], [(2, 1), (1, 2)],
    [(1 << 32, 0), (0, 1), (1, 0), (0, 1 << 32)],
])  # fmt: skip
def test_rules_are_counted_by_their_ids(ids):
    table = make_table([])
    object.__setattr__(table, "ids", np.array(ids, np.int64).reshape(-1, 2))
    assert table.loaded() == len(set(ids))
