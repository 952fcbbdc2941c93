"""The kernel of IP reassembly against a reference that keeps pieces in a list, for every overlap policy."""

import struct

import numpy as np
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.flow.defrag import Defragmenter
from sensor.flow.limits_fragments import DefragLimits
from sensor.model.anomaly import DecodeAnomaly
from sensor.model.rows import FRAG_PART, FRAG_REASSEMBLED, new_rows

WINS = {
    "first": lambda start, end, a, b: False,
    "last": lambda start, end, a, b: True,
    "bsd": lambda start, end, a, b: start > a,
    "bsd-right": lambda start, end, a, b: start <= a,
    "linux": lambda start, end, a, b: start >= a,
    "windows": lambda start, end, a, b: start > a and end < b,
}


def packet(off, units, letter, more):
    head = struct.pack(
        "!BBHHHBBHII", 0x45, 0, 20 + 8 * units, 7, (0x2000 if more else 0) | off, 64, 17, 0, 0x0A000001, 0x0A000002
    )
    return head + bytes([letter]) * (8 * units)


def rows_of(packets):
    rows, at = new_rows(len(packets)), 0
    for k, data in enumerate(packets):
        r = rows[k]
        r["l2"] = r["l3"] = at
        r["caplen"] = r["iplen"] = len(data)
        r["ipv"], r["frag"], r["pkt"], r["ts"] = 4, FRAG_PART, k, k
        r["src_lo"], r["dst_lo"] = 0x0A000001, 0x0A000002
        at += len(data)
    return rows, np.frombuffer(b"".join(packets), np.uint8)


def decode(buf, off, length, row):
    rows = new_rows(1)
    rows["l2"] = rows["l3"] = off
    rows["caplen"] = rows["iplen"] = length
    return rows


def reference(fragments, policy):
    """[(payload, index of the last fragment)] and per fragment whether it overlaps others, with other bytes."""
    pieces, versions, total, made, flags = [], [], None, [], []
    for index, (off, units, letter, more) in enumerate(fragments):
        a, b = off, off + units
        high = max((end for _, end, _ in versions), default=0)
        met = [v for v in versions if max(a, v[0]) < min(b, v[1])]
        if (total is not None and (b > total or (not more and b != total))) or (not more and high > b):
            flags.append((bool(met), False))
            continue
        other = any(v[2] != letter for v in met)
        flags.append((bool(met), other))
        covered = {u for s, e, _ in versions for u in range(s, e)}
        if not met or other or not set(range(a, b)) <= covered:
            versions.append((a, b, letter))
            pieces = insert(pieces, a, b, letter, WINS[policy])
        if not more:
            total = b
        if total is not None and {u for s, e, _ in versions for u in range(s, e)} == set(range(total)):
            made.append((b"".join(bytes([c]) * 8 * (e - s) for s, e, c in pieces), index))
            pieces, versions, total = [], [], None
    return made, flags


def insert(pieces, a, b, letter, wins):
    """Put [a, b) into a sorted list of disjoint pieces (start, end, letter)."""
    out, at = [], a
    for start, end, old in pieces:
        low, high = max(start, at), min(end, b)
        if low >= high:
            out.append((start, end, old))
            continue
        if wins(start, end, a, b):
            if start < low:
                out.append((start, low, old))
            if high < end:
                out.append((high, end, old))
        else:
            if at < low:
                out.append((at, low, letter))
            out.append((start, end, old))
            at = high
    # What is left of the new fragment, minus the pieces that stayed.
    taken = sorted((s, e) for s, e, _ in out)
    for s, e in [*taken, (b, b)]:
        if at < min(s, b):
            out.append((at, min(s, b), letter))
        at = max(at, e)
    return sorted(out)


@st.composite
def scripts(draw):
    """Overlapping fragments of one datagram, then one fragment for each unit so that it completes."""
    total = draw(st.integers(2, 10))
    span = st.tuples(st.integers(0, total - 1), st.integers(1, 6), st.sampled_from(b"abcd"))
    spans = draw(st.lists(span, min_size=1, max_size=8))
    found = [(a, min(n, total - a), letter, True) for a, n, letter in spans]
    last = draw(st.integers(1, total - 1))
    found.insert(draw(st.integers(0, len(found))), (last, total - last, ord("z"), False))
    stray = draw(
        st.lists(
            st.tuples(st.integers(total - 1, total + 2), st.integers(1, 3), st.just(120), st.booleans()), max_size=1
        )
    )
    fill = draw(st.permutations(range(total)))
    return found + stray + [(u, 1, ord("w"), True) for u in fill]


@settings(max_examples=effort(150, 50), deadline=None)
@given(scripts(), st.sampled_from(sorted(WINS)), st.data())
def test_overlaps(fragments, policy, data):
    packets = [packet(*f) for f in fragments]
    made, flags = reference(fragments, policy)
    cut = data.draw(st.integers(1, max(1, len(packets))))
    defrag, got, seen = Defragmenter(DefragLimits(), policy), [], []
    for at in range(0, len(packets), cut):
        rows, buf = rows_of(packets[at : at + cut])
        rows, buf = defrag.process(rows, buf, decode)
        for r in rows:
            if r["frag"] == FRAG_REASSEMBLED:
                got.append((buf[r["l3"] + 20 : r["l3"] + r["iplen"]].tobytes(), at + int(r["pkt"])))
            else:
                bits = int(r["anomaly"])
                seen.append(
                    tuple(
                        bool(bits >> a & 1) for a in (DecodeAnomaly.FRAG_OVERLAP, DecodeAnomaly.FRAG_OVERLAP_DIFF_DATA)
                    )
                )
    assert got == made
    assert seen == flags
