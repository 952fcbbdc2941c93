"""A literal is found where `bytes.find` finds it, whatever lies around it; with the compiler off, too."""

import numpy as np
from effort import effort
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jitkit import from_python

from sensor.model import kernels_search
from sensor.model.lanes import LANES

search, zeros = from_python(kernels_search.search), from_python(kernels_search.zeros)

LETTERS = b"aAbB@`[{\0 "
"""Those that bit 5 makes the same without being the same letter are among them."""
texts = st.lists(st.sampled_from(LETTERS), max_size=3 * LANES).map(bytes)
literals = st.lists(st.sampled_from(LETTERS), min_size=1, max_size=5).map(bytes)


def array(data):
    return np.frombuffer(data, np.uint8).copy()


@settings(deadline=None, max_examples=effort(300, 100))
@given(texts, texts, texts, literals, st.booleans())
@example(b"", b"", b"", b"a", True)
@example(b"a" * LANES, b"a" * (LANES - 1) + b"b", b"b", b"b", False)
@example(b"", b"@" * LANES + b"`", b"", b"`", True)
def test_the_first_place_within_bounds(before, text, behind, literal, fold):
    literal = literal.lower() if fold else literal
    low, last = len(before), len(before) + len(text) - len(literal)
    found = search(array(before + text + behind + b"?"), low, last, array(b"??" + literal), 2, len(literal), fold)
    at = (text.lower() if fold else text).find(literal)
    assert found == (low + at if at >= 0 else -1)


@settings(deadline=None)
@given(st.integers(0, 8 * LANES), st.integers(0, 8 * LANES), st.integers(1, 40))
def test_each_place_of_long_bytes(at, behind, size):
    data, literal = array(b"." * at + b"x" * size + b"." * behind), array(b"x" * size)
    assert search(data, 0, data.size - size, literal, 0, size, False) == at
    assert search(data, 0, at - 1, literal, 0, size, False) == -1
    assert search(data, at + 1, data.size - size, literal, 0, size, False) == -1


def test_the_lowest_bit():
    for n in range(64):
        assert zeros(np.uint64(1 << n)) == n
        assert zeros(np.uint64(1 << 63 | 1 << n)) == n
