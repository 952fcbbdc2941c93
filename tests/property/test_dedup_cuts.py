"""What duplicate removal marks depends neither on where blocks end nor on where packets lie in the buffer."""

import struct

import numpy as np
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.flow.dedup import Dedup
from sensor.flow.limits_fragments import DedupLimits
from sensor.model.rows import new_rows


def packet(k):
    """One of a few UDP packets; some differ in nothing but their last byte."""
    payload = bytes(20) + bytes([k])
    return struct.pack("!BBHHHBBHII", 0x45, 0, 28 + 21, k // 4, 0, 64, 17, 0, 1, 2) + bytes(8) + payload


def marks(script, cuts, pad):
    dedup, out, at, now = Dedup(DedupLimits(learn=4)), [], 0, 0
    for stop in [*cuts, len(script)]:
        part = script[at:stop]
        rows, where, data = new_rows(len(part)), pad, b"\xee" * pad
        for row, (k, gap) in zip(rows, part, strict=True):
            now += gap
            raw = packet(k)
            row["l2"] = row["l3"] = where
            row["caplen"] = row["iplen"] = len(raw)
            row["ipv"], row["proto"], row["ipid"], row["ts"] = 4, 17, k // 4, now
            row["src_lo"], row["dst_lo"], row["pay"], row["paylen"] = 1, 2, where + 28, 21
            data += raw + b"\xee" * pad
            where += len(raw) + pad
        buf = np.frombuffer(bytearray(data), np.uint8)
        dedup.mark(rows, buf)
        buf[:] = 0xDD  # the buffer goes back to its owner
        out += rows["dup"].tolist()
        at = stop
    return out, dedup.counters.snapshot()


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.integers(0, 1 << 32), st.lists(st.integers(0, 400), max_size=6), st.integers(0, 9))
def test_marks_do_not_depend_on_cuts(seed, cuts, pad):
    rng = np.random.default_rng(seed)
    script = []
    for k in rng.integers(0, 200, 200).tolist():
        gap = int(rng.choice([1_000, 100_000, 600_000]))
        script += [(k, gap)] + [(k, 500)] * int(rng.random() < 0.9)
    whole = marks(script, [], 0)
    assert marks(script, sorted(min(c, len(script)) for c in cuts), pad) == whole
    assert whole[1]["examined"] == len(script)
    assert sum(whole[0]) == whole[1]["duplicates"] > 0
