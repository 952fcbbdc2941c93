"""DER as kernels of several protocols read it (X.690 section 8.1)."""

from sensor.model.jit import helper


@helper
def behind_length(h, pos, end):
    """Return the offset behind a DER length that begins at pos; 0: more bytes are needed, -1: it is none."""
    if pos >= end:
        return 0
    first = int(h[pos])
    if first < 128:
        return pos + 1
    if first < 129 or first > 132:
        return -1
    return pos + 1 + first - 128


@helper
def inside(h, pos, end, tag):
    """Return the offset of the content of an element that begins at pos; 0: more bytes are needed, -1: it is another.

    Of the content at least one byte is there.
    """
    if pos >= end:
        return 0
    if h[pos] != tag:
        return -1
    pos = behind_length(h, pos + 1, end)
    return 0 if pos >= end else pos
