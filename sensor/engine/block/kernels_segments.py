"""The packets of a stream in which hits of packet rules may lie."""

from numba.types import boolean, int32, int64

from sensor.model.jit import kernel

_I4, _I8 = int32[::1], int64[::1]


@kernel(int64(_I8, _I8, _I8, _I4, _I4, _I4, _I8, _I8, _I4, _I4, _I4, boolean))
def packets_of_hits(first, last, sides, rules, low, high, seg_sides, seg_sizes, seg_rows, out_row, out_rule,
                    write):  # pragma: no cover  # fmt: skip
    """Write (row, rule) of the packets of hits; return how many there are.

    Of each hit: first, last: where its segments begin and end in the others; sides: 2 * slot + side; rules; low, high:
    bytes that a payload may have. Of segments in the order of their bytes: seg_sides, seg_sizes (bytes of payload),
    seg_rows. write: False counts only.
    """
    n = 0
    for h in range(rules.size):
        for k in range(first[h], last[h]):
            if seg_sides[k] == sides[h] and low[h] <= seg_sizes[k] <= high[h]:
                if write:
                    out_row[n] = seg_rows[k]
                    out_rule[n] = rules[h]
                n += 1
    return n
