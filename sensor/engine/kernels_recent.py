"""The windows of a block that hold hits of stream rules."""

from numba.types import int32, int64

from sensor.model.jit import helper, kernel

_I4, _I8 = int32[::1], int64[::1]


@helper
def _from(offsets, low, high, least):  # pragma: no cover
    """Return the first of offsets[low:high] (ascending) that is at least so much; high: none is."""
    while low < high:
        middle = (low + high) >> 1
        if offsets[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


@kernel(int64(_I8, _I4, _I8, _I8, _I8, _I8, _I8, int64, _I4, _I4, _I8))
def windows_of_hits(sides, rules, ends, begins, seg_sides, first, last, reach, out_seg, out_rule,
                    kept):  # pragma: no cover  # fmt: skip
    """Write (segment, rule) of each window that holds a hit of the rule; return how many: counts only without room.

    Hits in the order of sides, rules and begins: see `recent.StreamHits`. Segments in the order of sides, then of the
    stream: first and last (behind it) offset of each; a window begins `reach` before. kept: int64[hits] to be filled:
    the segment in whose window a hit stands first, if the window of the side's last one still holds it and no later
    hit of the rule; else -1.
    """
    n, side, low, high = 0, int64(-1), 0, 0
    begun, done = 0, 0
    for h in range(sides.size):
        if sides[h] != side:
            side = sides[h]
            low = _from(seg_sides, high, seg_sides.size, side)
            high = _from(seg_sides, low, seg_sides.size, side + 1)
        same = h > 0 and sides[h - 1] == side and rules[h - 1] == rules[h]
        if not same:
            begun = done = low
        a, b = _from(last, low, high, ends[h]), _from(first, low, high, begins[h] + reach + 1)
        for k in range(a, b):
            if k < begun or k >= done:  # it is not a window of the hit before
                if n < out_seg.size:
                    out_seg[n], out_rule[n] = k, rules[h]
                n += 1
        kept[h] = a if a < b and b == high else -1
        if same and kept[h] >= 0:
            kept[h - 1] = -1
        begun, done = a, b
    return n
