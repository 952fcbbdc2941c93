"""Properties of the flow table: order changes no stream, block cuts change nothing, a plain model agrees."""

import random
import sys
from itertools import pairwise
from pathlib import Path

from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "flow"))  # the packet kit of the unit tests

from flowkit import ACK, FIN, RST, SYN, Conn, Pkt, Run, limits, replace

from sensor.model import rows as m

ISNS = st.sampled_from((0, 1000, 0x7FFFFFF0, 0xFFFFFFF0, 0xFFFFFFFE, 0xFFFFFFFF)) | st.integers(0, 0xFFFFFFFF)


@st.composite
def segmentations(draw):
    """Return a byte string and (offset, data) segments that cover it, in any order, overlapping, repeated."""
    data = draw(st.binary(min_size=1, max_size=400))
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=12))})
    spans = list(pairwise(cuts))
    extra = draw(st.lists(st.tuples(st.integers(0, len(data)), st.integers(1, 80)), max_size=8))
    spans += [(a, min(a + n, len(data))) for a, n in extra if a < len(data)]
    order = draw(st.permutations(spans))
    return data, [(a, data[a:b]) for a, b in order]


@settings(max_examples=effort(120, 40), deadline=None)
@given(segmentations(), ISNS, st.sampled_from(("bsd", "linux", "solaris", "first", "last")), st.booleans())
def test_any_order_gives_the_same_stream(case, isn, policy, fin):
    data, segments = case
    c = Conn(isn_c=isn)
    pkts = c.open()
    pkts += [Pkt(d, seq=c.c + o, ack=c.s, t=c.t) for o, d in segments]
    if fin:
        pkts.insert(3, Pkt(flags=FIN | ACK, seq=c.c + len(data), ack=c.s, t=c.t))
    run = Run(default_policy=policy).feed(pkts)
    assert run.bytes() == data
    assert (run.table.flows["tcpstate"][0] == m.TCP_CLOSE_WAIT) == fin
    assert run.table.counters.overlap_diff_data == 0


def model(segments, acks, policy):
    """Reassemble as the documents say, byte by byte, in dictionaries; return bytes and ints for gaps.

    segments: (offset, data) in order of arrival; acks: arrival index → acknowledged offset, applied before it.
    """
    out, expected, acked, held = [], 0, 0, {}  # held: offset → (byte, start and end of the segment it came in)

    def give(what):
        if isinstance(what, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += what
        else:
            out.append(what)

    def drain(*, force=False, proven=False):
        nonlocal expected
        while held:
            first = min(held)
            if first > expected:
                # The whole run of pieces up to `first` is a hole; it is lost once all of it is acknowledged, if that
                # is seen after what lies behind the hole.
                if not force and not (proven and acked >= first):
                    return
                give(first - expected)
                expected = first
            give(held.pop(first)[0])
            expected = first + 1

    def newer_wins(new, old):
        starts, ends = new[0] - old[0], new[1] - old[1]
        if policy in {"first", "last"}:
            return policy == "last"
        if starts < 0:
            return policy != "solaris" or ends >= 0
        if starts == 0:
            return (policy == "linux" and ends > 0) or (policy == "solaris" and ends >= 0)
        return policy == "solaris" and ends > 0

    for k, (offset, data) in enumerate(segments):
        acked = max(acked, acks.get(k, 0))
        if acks.get(k, 0) > expected:
            drain(proven=True)
        span = (offset, offset + len(data))
        for j in range(len(data)):
            at = offset + j
            if at >= expected and (at not in held or newer_wins(span, held[at][1])):
                held[at] = (data[j : j + 1], span)
        drain()
    drain(force=True)
    return out


@settings(max_examples=effort(150, 50), deadline=None)
@given(st.data())
def test_a_plain_model_agrees(data):
    """Conflicting overlaps, gaps by acknowledgment and by flow end; the table keeps extents per stored piece."""
    policy = data.draw(st.sampled_from(("bsd", "linux", "first", "last", "solaris")))
    pieces = data.draw(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 25)), min_size=1, max_size=14))
    segments = [(o, bytes([65 + k]) * n) for k, (o, n) in enumerate(pieces)]
    acks = data.draw(st.dictionaries(st.integers(0, len(segments) - 1), st.integers(0, 85), max_size=4))
    c = Conn(isn_c=data.draw(ISNS))
    pkts = c.open()
    for k, (offset, payload) in enumerate(segments):
        if k in acks:
            pkts.append(Pkt(seq=c.s, ack=c.c + acks[k], t=c.t).back())
        pkts.append(Pkt(payload, seq=c.c + offset, ack=c.s, t=c.t))
    run = Run(default_policy=policy).feed(pkts).finish()
    assert run.stream() == model(segments, acks, policy)


def storm(seed):
    """Return packets of many kinds of traffic on few addresses; every other seed: calm times, lossy uploads."""
    rng = random.Random(seed)
    dense = seed % 2
    steps = (0, 0.001, 0.01) if dense else (0, 0, 0.01, 0.4, 1.1, 7, 45)
    pkts = []
    clock = 0.0
    conns = [
        Conn(isn_c=rng.randrange(1 << 32), isn_s=rng.randrange(1 << 32), sport=1 + k % 5)
        for k in range(3 if dense else 8)
    ]
    live = {id(c): c.open() for c in conns}
    for _ in range(150):
        clock += rng.choice((-500, 900, 1e7)) if rng.random() < 0.02 and not dense else rng.choice(steps)
        c = rng.choice(conns)
        waiting = live[id(c)]
        dice = rng.random() * (0.86 if dense else 1)
        if waiting:
            p = waiting.pop(0)
        elif dice < 0.75:
            make = c.up if rng.random() < (0.95 if dense else 0.5) else c.down
            p = make(rng.randbytes(rng.choice((0, 1, 50, 1000, 2000))))
            if dense and rng.random() < 0.3:
                continue
        elif dice < 0.78:
            c.close()
            p = Pkt(flags=FIN | ACK, seq=c.c - 1, ack=c.s, sport=c.base.sport)
        elif dice < 0.8:
            p = Pkt(flags=RST, seq=c.c, sport=c.base.sport)
        elif dice < 0.86:
            p = Pkt(flags=SYN, seq=rng.randrange(1 << 32), sport=c.base.sport)
        else:
            p = Pkt(proto=rng.choice((17, 1, 47, 132)), sport=rng.randrange(4))
            p = p.back() if rng.random() < 0.4 else p
        if rng.random() < 0.15 and p.proto == 6:
            p = replace(p, seq=p.seq + rng.randrange(-100, 5000), data=rng.randbytes(len(p.data)))
        if rng.random() < 0.05:
            p = replace(p, extra={"l4csum": m.CSUM_BAD})
        if rng.random() < 0.9:
            pkts.append(replace(p, t=clock))
    return pkts


SMALL = limits(max_flows=5, slack=3, memcap=64 << 10, side_bytes=6000, side_segments=5, depth=20_000, midstream=True)


def everything(pkts, cuts, limit=SMALL, **kw):
    run = Run(limit, **kw).feed(pkts, cuts).finish(1e8)
    records = {k: [f[n].tolist() for n in f.dtype.names if n != "queue"] for k, f in run.flows.items()}
    return run.canonical(), run.rows, run.table.counters.snapshot(), records


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.integers(0, 1 << 30), st.sets(st.integers(1, 160), max_size=40), st.integers(0, 9))
def test_block_cuts_change_nothing(seed, cuts, hash_seed):
    pkts = storm(seed)
    whole = everything(pkts, ())
    assert everything(pkts, cuts, seed=hash_seed) == whole
    assert everything(pkts, range(len(pkts)), seed=hash_seed) == whole


@settings(max_examples=effort(40, 16), deadline=None)
@given(st.integers(0, 1 << 30))
def test_books_balance(seed):
    """Every flow ends once, positions follow each other, nothing stays in the queue, the index is empty."""
    run = Run(SMALL).feed(storm(seed), range(0, 200, 7)).finish(1e8)
    table = run.table
    c = table.counters
    assert len(run.ends()) == c.total == len({i for i, _, _ in run.ends()})
    assert c.active == 0
    assert (table._buckets == -1).all()
    assert (table._timers == -1).all()
    assert c.memuse == 0
    for ident in {r[0] for r in run.rows} - {None}:
        last = max(k for k, e in enumerate(run.events) if e[0] == ident)
        assert run.events[last][2] == m.SEG_END
        for side in (0, 1):
            parts = run.stream(side, ident)
            assert sum(p if isinstance(p, int) else len(p) for p in parts) == run.flows[ident]["pos"][side] <= 20_000


def test_the_storm_reaches_every_corner():
    seen, reasons, totals = set(), set(), {}
    for seed in range(60):
        run = Run(SMALL).feed(storm(seed)).finish()
        seen |= set(run.notes())
        reasons |= {r for _, r, _ in run.ends()}
        for name, value in run.table.counters.snapshot().items():
            totals[name] = totals.get(name, 0) + value
    assert reasons == {"timeout", "closed", "forced", "shutdown"}
    assert {name for name, value in totals.items() if value == 0} == {"active", "memuse", "untracked"}
    assert len(seen) >= 8
