"""Conversations with a few bytes changed or dropped: what the tests of several parsers begin with."""

from hypothesis import strategies as st

REACH = 200
"""Bytes at the beginning of a message that are changed: where what it says stands."""


@st.composite
def changed(draw, talks, *, filler=b"\0", reach=REACH):
    """Return one of the conversations [(side, bytes)], changed. filler: a message of which nothing is left."""
    talk = list(draw(st.sampled_from(talks)))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(talk) - 1))
        side, data = talk[at]
        pos = draw(st.integers(0, min(len(data) - 1, reach)))
        byte = bytes([draw(st.integers(0, 255))])
        other = data[:pos] + byte + data[pos + 1 :] if draw(st.booleans()) else data[:pos] + data[pos + 1 :]
        talk[at] = (side, other or filler)
    return talk
