import numpy as np
import pytest
from jitkit import interpret

from sensor.flow import kernels_gather
from sensor.flow.gather import Gatherer
from sensor.model.rows import (
    FLOW,
    FRAG_PART,
    ROW,
    SEG,
    SEG_DATA,
    SEG_END,
    SEG_GAP,
    SEG_NOTE,
    STREAM_INORDER,
    STREAM_OLD,
    TUNNEL_ERSPAN,
    TUNNEL_GENEVE,
    TUNNEL_GRE,
    TUNNEL_IPIP,
    TUNNEL_TEREDO,
    TUNNEL_VXLAN,
    new_rows,
)
from sensor.model.units import UNIT_PACKET, UNIT_STREAM

NO_ROWS = new_rows(0)
NO_BYTES = np.zeros(0, np.uint8)


def flow_table(slots=4):
    flows = np.zeros(slots, FLOW)
    flows["id"] = np.arange(1, slots + 1)
    return flows


class Block:
    """Segs built by hand: data(flow, side, bytes, pos), gap(...), end(flow)."""

    def __init__(self):
        self.segs, self.sources = [], [b"", b""]

    def _add(self, kind, flow, side=0, length=0, pos=0, off=0, src=0, row=0):
        self.segs.append((off, pos, row, flow, length, side, kind, src, 0))

    def data(self, flow, side, payload, pos=0, src=0, row=0):
        self._add(SEG_DATA, flow, side, len(payload), pos, len(self.sources[src]), src, row)
        self.sources[src] += payload
        return self

    def gap(self, flow, side, length, pos=0):
        self._add(SEG_GAP, flow, side, length, pos)
        return self

    def end(self, flow):
        self._add(SEG_END, flow)
        return self

    def note(self, flow):
        self._add(SEG_NOTE, flow)
        return self

    def run(self, gatherer, flows=None):
        segs = np.zeros(len(self.segs), SEG)
        segs[:] = self.segs
        buf, queued = (np.frombuffer(s, np.uint8) for s in self.sources)
        return gatherer.gather(NO_ROWS, buf, segs, queued, flow_table() if flows is None else flows), segs


def shown(units):
    """[(flow, side, carried, fresh, pos)]"""
    d = units.data.tobytes()
    return [
        (int(u["flow"]), int(u["side"]), d[u["start"] : u["fresh"]], d[u["fresh"] : u["end"]], int(u["pos"]))
        for u in units.units
    ]


def test_sides_are_contiguous_and_in_order():
    b = Block().data(1, 0, b"GET ").data(1, 1, b"HTTP").data(0, 0, b"x", src=1).data(1, 0, b"/a", pos=4, src=1)
    units, segs = b.note(1).run(Gatherer(4, 8))
    assert shown(units) == [(1, 0, b"", b"GET /a", 0), (1, 1, b"", b"HTTP", 0), (0, 0, b"", b"x", 0)]
    for at, seg in zip(units.seg_at, segs, strict=True):
        if seg["kind"] == SEG_DATA:
            source = b.sources[seg["src"]][seg["off"] : seg["off"] + seg["len"]]
            assert units.data[at : at + seg["len"]].tobytes() == source
        else:
            assert at == -1
    assert (units.units["kind"] == UNIT_STREAM).all()


def test_tail_is_carried_and_is_at_most_its_size():
    g = Gatherer(4, 5)
    Block().data(1, 0, b"abc").run(g)
    assert shown(Block().data(1, 0, b"de", pos=3).run(g)[0]) == [(1, 0, b"abc", b"de", 3)]
    assert shown(Block().data(1, 1, b"other").run(g)[0]) == [(1, 1, b"", b"other", 0)]
    assert shown(Block().data(1, 0, b"fghijklm", pos=5).run(g)[0]) == [(1, 0, b"abcde", b"fghijklm", 5)]
    assert shown(Block().data(1, 0, b"!", pos=13).run(g)[0]) == [(1, 0, b"ijklm", b"!", 13)]


def test_gap_cuts():
    g = Gatherer(4, 5)
    Block().data(1, 0, b"abc").run(g)
    units, _ = Block().data(1, 0, b"de", pos=3).gap(1, 0, 10, 5).data(1, 0, b"xy", pos=15).run(g)
    assert shown(units) == [(1, 0, b"abc", b"de", 3), (1, 0, b"", b"xy", 15)]
    assert shown(Block().data(1, 0, b"z", pos=17).run(g)[0]) == [(1, 0, b"xy", b"z", 17)]
    Block().gap(1, 0, 3, 18).run(g)
    assert shown(Block().data(1, 0, b"q", pos=21).run(g)[0]) == [(1, 0, b"", b"q", 21)]
    Block().data(1, 0, b"r", pos=22).gap(1, 0, 3, 23).run(g)
    assert shown(Block().data(1, 0, b"s", pos=26).run(g)[0]) == [(1, 0, b"", b"s", 26)]


def test_end_and_reuse_of_the_slot_cut():
    g, flows = Gatherer(4, 5), flow_table()
    units, _ = Block().data(1, 0, b"abc").end(1).data(1, 0, b"new").run(g, flows)
    assert shown(units) == [(1, 0, b"", b"abc", 0), (1, 0, b"", b"new", 0)]
    Block().data(1, 1, b"back").run(g, flows)
    flows["id"][1] = 77
    assert shown(Block().data(1, 0, b"def").run(g, flows)[0]) == [(1, 0, b"", b"def", 0)]
    assert shown(Block().data(1, 1, b"ghi").run(g, flows)[0]) == [(1, 1, b"", b"ghi", 0)]


def test_flow_table_may_grow():
    g = Gatherer(2, 5)
    Block().data(1, 0, b"abc").run(g, flow_table(2))
    units, _ = Block().data(1, 0, b"d", pos=3).data(6, 0, b"e").run(g, flow_table(8))
    assert shown(units) == [(1, 0, b"abc", b"d", 3), (6, 0, b"", b"e", 0)]


def packet_rows(specs):
    buf = np.arange(100, dtype=np.uint8)
    rows = new_rows(len(specs))
    for k, spec in enumerate(specs):
        rows[k]["pay"], rows[k]["paylen"], rows[k]["proto"] = 10 * k, 5, 17
        for name, value in spec.items():
            rows[k][name] = value
    return rows, buf


def gathered_rows(specs, wanted=None):
    rows, buf = packet_rows(specs)
    units = Gatherer(4, 8).gather(rows, buf, np.zeros(0, SEG), NO_BYTES, flow_table(), wanted)
    for u in units.units:
        r = rows[u["row"]]
        assert units.data[u["start"] : u["end"]].tobytes() == buf[r["pay"] : r["pay"] + r["paylen"]].tobytes()
        assert (u["kind"], u["pos"], u["fresh"], u["flow"]) == (UNIT_PACKET, 0, u["start"], r["flow"])
    return units.units["row"].tolist()


@pytest.mark.parametrize(
    ("spec", "there"),
    [
        ({}, True), ({"paylen": 0}, False), ({"paylen": -3}, False), ({"dup": 1}, False),
        ({"frag": FRAG_PART}, False), ({"proto": 6, "stream": STREAM_INORDER}, False),
        ({"proto": 6, "stream": STREAM_OLD}, True), ({"proto": 1, "flow": 3, "side": 1}, True),
    ],
)  # fmt: skip
def test_packet_units(spec, there):
    assert gathered_rows([{}, spec, {}]) == ([0, 1, 2] if there else [0, 2])


@pytest.mark.parametrize("ipv", [0, 4, 6])
@pytest.mark.parametrize("kind", [TUNNEL_IPIP, TUNNEL_GRE, TUNNEL_ERSPAN, TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_TEREDO])
def test_carriers(kind, ipv):
    outer = kind in {TUNNEL_VXLAN, TUNNEL_GENEVE, TUNNEL_TEREDO} and not ipv
    assert gathered_rows([{}, {"parent": 0, "tunnel": kind, "ipv": ipv}, {}]) == [0, 1, 2][1 - outer :]


def test_wanted_rows():
    assert gathered_rows([{}, {}, {}], np.array([False, True, False])) == [1]


def script(rng):
    """A random run of events on two flows."""
    pos, events = {}, []
    for _ in range(rng.integers(1, 25)):
        key = (int(rng.integers(2)), int(rng.integers(2)))
        size = int(rng.integers(1, 12))
        kind = rng.choice(["data", "data", "data", "gap"])
        events.append((kind, key, pos.get(key, 0), rng.integers(0, 256, size, np.uint8).tobytes()))
        pos[key] = pos.get(key, 0) + size
    return events


def play(events, cuts, tail=6):
    g, out, at = Gatherer(4, tail), {}, 0
    for stop in [*cuts, len(events)]:
        b = Block()
        for kind, (flow, side), pos, payload in events[at:stop]:
            b.data(flow, side, payload, pos) if kind == "data" else b.gap(flow, side, len(payload), pos)
        at = stop
        for flow, side, carried, fresh, pos in shown(b.run(g)[0]):
            out.setdefault((flow, side), []).append((carried, fresh, pos))
    return out


@pytest.mark.parametrize("seed", range(40))
def test_what_is_seen_does_not_depend_on_the_cut(seed):
    rng = np.random.default_rng(seed)
    events = script(rng)
    cuts = sorted(rng.integers(0, len(events) + 1, 3).tolist())
    for key, parts in play(events, cuts).items():
        stream = {}
        for _, fresh, pos in parts:
            stream.update(enumerate(fresh, pos))
        whole = {}
        for _, fresh, pos in play(events, [])[key]:
            whole.update(enumerate(fresh, pos))
        assert stream == whole
        for carried, _, pos in parts:
            assert carried == bytes(whole[p] for p in range(pos - len(carried), pos))
            since = next((n for n in range(1, 7) if pos - n not in whole), 7) - 1
            assert len(carried) == min(6, since)


def test_kernel_is_plain_python(monkeypatch):
    events = script(np.random.default_rng(7))
    jit = play(events, [3, 9])
    packets = gathered_rows([{}, {"parent": 0, "tunnel": 1}, {}])
    interpret(monkeypatch, kernels_gather)
    assert play(events, [3, 9]) == jit
    assert gathered_rows([{}, {"parent": 0, "tunnel": 1}, {}]) == packets
    assert packet_rows([{}])[0].dtype == ROW
