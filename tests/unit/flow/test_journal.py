import numpy as np
import pytest
from jitkit import interpret

from sensor.flow import kernels_journal
from sensor.flow.journal import Journal, Record
from sensor.flow.limits_fragments import JournalLimits
from sensor.model.rows import (
    FLOW,
    KEEP_ALL,
    KEEP_NONE,
    KEEP_WINDOW,
    SEG,
    SEG_DATA,
    SEG_END,
    SEG_GAP,
    SEG_NOTE,
    new_rows,
)

SMALL = JournalLimits(memcap=64 << 10, page=256, window=1000, cap=8 << 10, reserve=0)


def feed(journal, events, flows, first=1):
    """Append one block of (kind, slot, side, pos, payload or gap length); row k is packet first + k."""
    segs, at = np.zeros(len(events), SEG), np.full(len(events), -1, np.int64)
    data = b""
    rows = new_rows(len(events))
    rows["ts"] = 1000 * (np.arange(len(events)) + first)
    for k, (kind, slot, side, pos, what) in enumerate(events):
        size = what if isinstance(what, int) else len(what)
        segs[k] = (0, pos, k, slot, size, side, kind, 0, 0)
        if kind == SEG_DATA:
            at[k] = len(data)
            data += what
    numbers = np.arange(first, first + len(events))
    return journal.append(segs, rows, numbers, at, np.frombuffer(data, np.uint8), flows).tolist()


def table(slots=4, keep=KEEP_ALL):
    flows = np.zeros(slots, FLOW)
    flows["keep"] = keep
    return flows


def some(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, n, np.uint8).tobytes()


def test_records_come_back_as_they_were_appended():
    j, flows = Journal(SMALL, 4), table()
    big = some(1500)
    assert feed(j, [(SEG_DATA, 1, 0, 0, b"GET"), (SEG_DATA, 2, 0, 0, b"no"), (SEG_NOTE, 1, 0, 0, 0)], flows) == []
    feed(
        j,
        [(SEG_DATA, 1, 1, 0, big), (SEG_GAP, 1, 0, 3, 77), (SEG_END, 1, 0, 0, 0), (SEG_DATA, 1, 0, 80, b"x")],
        flows,
        4,
    )
    assert j.records(1) == [
        Record(0, 0, 1, 1000, b"GET"),
        Record(1, 0, 4, 4000, big),
        Record(0, 3, 5, 5000, b"", 77),
        Record(0, 80, 7, 7000, b"x"),
    ]
    assert j.records(2) == [Record(0, 0, 2, 2000, b"no")]
    assert j.records(0) == []
    assert not j.lost(1)


def test_events_of_time_alone_take_the_flows_last_packet():
    j, flows = Journal(SMALL, 4), table()
    flows["last"][1] = 55
    segs = np.zeros(1, SEG)
    segs[0] = (0, 10, -1, 1, 4, 0, SEG_DATA, 1, 0)
    j.append(
        segs,
        new_rows(0),
        np.zeros(0, np.int64),
        np.zeros(1, np.int64),
        np.frombuffer(b"late", np.uint8),
        flows,
    )
    assert j.records(1) == [Record(0, 10, 0, 55, b"late")]


def test_nothing_is_kept_of_keep_none():
    j = Journal(SMALL, 4)
    feed(j, [(SEG_DATA, 1, 0, 0, b"GET")], table(keep=KEEP_NONE))
    assert j.records(1) == []
    assert j.counters.pages == 0


def test_cap_is_reported_in_its_block_and_nothing_is_lost():
    j, flows, sent = Journal(SMALL, 4), table(), b""
    for k in range(9):
        piece = some(1000, k)
        overflow = feed(j, [(SEG_DATA, 1, k & 1, k // 2 * 1000, piece), (SEG_DATA, 2, 0, k, b"z")], flows, k + 1)
        sent += piece
        assert overflow == ([1] if k == 8 else [])
    assert b"".join(r.data for r in j.records(1)) == sent
    assert j.counters.overflow == 1


def test_slot_is_reported_once_a_block():
    j, flows = Journal(SMALL, 4), table()
    assert feed(j, [(SEG_DATA, 1, 0, k * 3000, some(3000)) for k in range(6)], flows) == [1]
    assert feed(j, [(SEG_DATA, 1, 0, 18000, b"x")], flows) == [1]


def test_window_keeps_enough_of_each_side():
    j, flows = Journal(SMALL, 4), table(keep=KEEP_WINDOW)
    stream = some(60_000)
    feed(j, [(SEG_DATA, 1, 1, 0, b"hello")], flows)
    for k in range(0, 60_000, 700):
        feed(j, [(SEG_DATA, 1, 0, k, stream[k : k + 700])], flows)
        end = min(k + 700, 60_000)
        start = max(0, k - 1000)
        assert j.window(1, 0, start, end) == (start, stream[start:end])
    assert j.counters.pages < 16
    assert j.window(1, 1, 0, 5) == (0, b"hello")
    first = j.records(1)[1]
    assert first.data == stream[first.pos : first.pos + len(first.data)]


def test_window_outlives_the_block():
    j, flows = Journal(SMALL, 4), table(keep=KEEP_WINDOW)
    stream = some(20_000)
    feed(j, [(SEG_DATA, 1, 0, 0, stream[:5000])], flows)
    feed(j, [(SEG_DATA, 1, 0, k, stream[k : k + 1000]) for k in range(5000, 20_000, 1000)], flows)
    for k in range(5000, 20_000, 1000):
        assert j.window(1, 0, k - 1000, k + 1000) == (k - 1000, stream[k - 1000 : k + 1000])


def test_window_is_contiguous_to_its_end():
    j, flows = Journal(SMALL, 4), table()
    feed(j, [(SEG_DATA, 1, 0, 0, b"abcdef"), (SEG_GAP, 1, 0, 6, 4), (SEG_DATA, 1, 0, 10, b"klmn")], flows)
    assert j.window(1, 0, 0, 6) == (0, b"abcdef")
    assert j.window(1, 0, 2, 5) == (2, b"cde")
    assert j.window(1, 0, 4, 12) == (10, b"kl")
    assert j.window(1, 0, 4, 9) == (9, b"")
    assert j.window(1, 0, 12, 15) == (15, b"")
    assert j.window(1, 0, 5, 5) == (5, b"")
    assert j.window(0, 0, 0, 5) == (5, b"")


def test_set_mode_gives_pages_back():
    j, flows = Journal(SMALL, 4), table()
    stream = some(6000)
    feed(j, [(SEG_DATA, 1, 0, 0, stream), (SEG_DATA, 1, 1, 0, b"q")], flows)
    before = j.counters.pages
    j.set_mode(1, KEEP_ALL)
    assert j.counters.pages == before
    j.set_mode(1, KEEP_WINDOW)
    assert j.counters.pages < 10
    assert j.window(1, 0, 5000, 6000) == (5000, stream[5000:])
    j.set_mode(1, KEEP_NONE)
    assert j.counters.pages == 0


def test_dropped_slots_start_empty():
    j, flows = Journal(SMALL, 4), table()
    feed(j, [(SEG_DATA, s, 0, 0, some(300)) for s in range(4)], flows)
    j.drop_many(np.array([0, 2], np.int32))
    j.drop(2)
    feed(j, [(SEG_DATA, 2, 0, 0, b"new")], flows, 9)
    assert [len(j.records(s)) for s in range(4)] == [0, 1, 1, 1]
    assert j.records(2)[0].data == b"new"
    j.drop_many(np.arange(4, dtype=np.int32))
    assert j.counters.pages == 0


def test_exhausted_pool_is_reported_counted_and_told():
    j, flows = Journal(SMALL, 4), table()
    j._limits[2] = 1 << 40  # no cap
    sent = some(70_000)
    assert feed(j, [(SEG_DATA, 1, 0, k, sent[k : k + 1000]) for k in range(0, 70_000, 1000)], flows) == [1]
    assert j.lost(1)
    assert j.counters.memcap_drop > 0
    kept = b"".join(r.data for r in j.records(1))
    assert sent.startswith(kept)
    assert len(kept) + j.counters.memcap_drop_bytes == 70_000
    assert feed(j, [(SEG_DATA, 2, 0, 0, b"x")], flows) == [2]
    j.drop(2)
    flows["keep"][1] = KEEP_WINDOW
    feed(j, [(SEG_DATA, 1, 0, 70_000, b"y" * 100)], flows)
    assert j.window(1, 0, 70_000, 70_100) == (70_000, b"y" * 100)
    holes = [r for r in j.records(1) if r.gap]
    assert len(holes) == 2  # what the trimmed window lacks at its start, and what was lost
    j.drop(1)
    assert not j.lost(1)


def test_reserve_reports_before_anything_is_lost():
    limits = JournalLimits(memcap=64 << 10, page=256, window=1000, cap=1 << 20, reserve=16 << 10)
    j, flows = Journal(limits, 4), table()
    sent, k = some(60_000), 0
    while not feed(j, [(SEG_DATA, 1, 0, k, sent[k : k + 1000])], flows):
        k += 1000
    k += 1000
    assert not j.lost(1)
    assert 38_000 < k < 50_000
    assert b"".join(r.data for r in j.records(1)) == sent[:k]


def test_window_flow_gives_up_its_own_oldest_pages_first():
    limits = JournalLimits(memcap=64 << 10, page=256, window=1 << 20, cap=1 << 20, reserve=0)
    j, flows = Journal(limits, 4), table(keep=KEEP_WINDOW)
    sent = some(100_000)
    assert feed(j, [(SEG_DATA, 1, 0, k, sent[k : k + 1000]) for k in range(0, 100_000, 1000)], flows) == []
    assert j.counters.memcap_drop > 0
    assert j.window(1, 0, 70_000, 100_000) == (70_000, sent[70_000:])


def test_flow_table_may_grow():
    j = Journal(SMALL, 2)
    feed(j, [(SEG_DATA, 1, 0, 0, b"a")], table(2))
    feed(j, [(SEG_DATA, 7, 0, 0, b"b")], table(8))
    assert [len(j.records(s)) for s in (1, 7)] == [1, 1]


def script(seed):
    rng = np.random.default_rng(seed)
    pos, events = {}, []
    for _ in range(60):
        key = (int(rng.integers(3)), int(rng.integers(2)))
        gap = rng.random() < 0.1
        size = int(rng.integers(1, 700))
        start = pos.get(key, 0)
        events.append((SEG_GAP, *key, start, size) if gap else (SEG_DATA, *key, start, some(size, size)))
        pos[key] = start + size
    return events


def play(events, cuts, keep):
    j, flows, at, overflow = Journal(SMALL, 4), table(keep=keep), 0, set()
    for stop in [*cuts, len(events)]:
        overflow.update(feed(j, events[at:stop], flows, at + 1))
        at = stop
    return [j.records(s) for s in range(4)], overflow, j


@pytest.mark.parametrize("seed", range(12))
def test_the_cut_does_not_show(seed):
    events = script(seed)
    cuts = sorted(np.random.default_rng(seed).integers(0, 61, 5).tolist())
    assert play(events, cuts, KEEP_ALL)[:2] == play(events, [], KEEP_ALL)[:2]
    windows = [play(events, c, KEEP_WINDOW)[2] for c in (cuts, [])]
    for kind, slot, side, pos, what in events[cuts[-1] :]:
        if kind == SEG_DATA:
            a, b = (j.window(slot, side, max(0, pos - 1000), pos + len(what)) for j in windows)
            assert a == b


def test_kernels_are_plain_python(monkeypatch):
    events = script(99)
    jit = play(events, [20, 40], KEEP_WINDOW)
    seen = [jit[2].window(s, d, 0, p) for s in range(3) for d in (0, 1) for p in (500, 5000)]
    interpret(monkeypatch, kernels_journal)
    plain = play(events, [20, 40], KEEP_WINDOW)
    assert plain[:2] == jit[:2]
    assert [plain[2].window(s, d, 0, p) for s in range(3) for d in (0, 1) for p in (500, 5000)] == seen
    plain[2].drop(1)
    assert plain[2].records(1) == []


def test_limits_are_checked():
    with pytest.raises(ValueError, match="power of two"):
        JournalLimits(page=1000)
    with pytest.raises(ValueError, match="memcap"):
        JournalLimits(memcap=1)
