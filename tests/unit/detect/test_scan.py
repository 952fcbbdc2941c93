"""The literal scan finds what a plain search finds."""

import itertools
import re

import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st
from jitkit import interpret

from sensor.detect.headers.groups import Cover
from sensor.detect.scan import index as module
from sensor.detect.scan import kernels_scan
from sensor.detect.scan.index import MAX_LITERAL, Literal, LiteralIndex, usable
from sensor.detect.scan.kernels_scan import REPEAT
from sensor.model.units import UNIT

alphabet = st.sampled_from(list(b"abAB/%\0\xff"))
texts = st.lists(alphabet, min_size=0, max_size=200).map(bytes)
patterns = st.lists(alphabet, min_size=4, max_size=9).map(bytes).filter(usable)


def units_of(chunks, fresh=None):
    units = np.zeros(len(chunks), UNIT)
    end = np.cumsum([len(c) for c in chunks])
    units["end"] = end
    units["start"] = end - [len(c) for c in chunks]
    units["fresh"] = units["start"] if fresh is None else units["start"] + fresh
    data = np.frombuffer(b"".join(chunks) or b"\0", np.uint8).copy()
    return data, units


def expected(literals, chunks):
    """First occurrence of each literal per REPEAT bytes, per unit."""
    found, base = [], 0
    for number, chunk in enumerate(chunks):
        for lit, literal in enumerate(literals):
            flags = re.DOTALL | (0 if literal.cased else re.IGNORECASE)
            last = None
            for m in re.finditer(b"(?=" + re.escape(literal.pattern) + b")", chunk, flags):
                if last is None or m.start() - last >= REPEAT:
                    last = m.start()
                    found.append((lit, number, base + m.start()))
        base += len(chunk)
    return sorted(found)


@settings(max_examples=effort(150, 50), deadline=None)
@given(
    literals=st.lists(st.tuples(patterns, st.booleans()), min_size=1, max_size=12, unique_by=lambda x: x[0]),
    chunks=st.lists(texts, min_size=1, max_size=5),
    planted=st.lists(st.tuples(st.integers(0, 11), st.integers(0, 4), st.integers(0, 200)), max_size=6),
)
def test_equals_plain_search(literals, chunks, planted):
    literals = [Literal(p, 1, cased) for p, cased in literals]
    for lit, chunk, at in planted:
        target, pattern = chunk % len(chunks), literals[lit % len(literals)].pattern
        chunks[target] = chunks[target][:at] + pattern + chunks[target][at:]
    data, units = units_of(chunks)
    hits = LiteralIndex(literals).scan(data, units, np.ones(len(chunks), np.uint64))
    got = sorted(zip(hits.lit.tolist(), hits.unit.tolist(), hits.pos.tolist(), strict=True))
    assert got == expected(literals, chunks)


@pytest.mark.parametrize("sizes", [(4,), (5, 9), (7, 12, 40), (11, 40)])
def test_every_stride_finds_every_alignment(sizes):
    literals = [Literal(bytes(range(65, 65 + n)), 1, cased=True) for n in sizes]
    index = LiteralIndex(literals)
    for before, behind in itertools.product(range(9), range(3)):
        data, units = units_of([b"-" * before + literals[-1].pattern + b"-" * behind])
        hits = index.scan(data, units, np.ones(1, np.uint64))
        assert before in hits.pos.tolist()
    assert index._tables.tables["stride"].tolist() == [{4: 2, 5: 2, 7: 4, 11: 8}[sizes[0]]]


@pytest.mark.parametrize("pattern", [b"a\0\0\0", b"\0\0\0a", b"a\0\0\0\0", b"\0\0\0\0a", b"ab\0\0"])
def test_grams_that_padding_is_are_passed_over(pattern):
    index = LiteralIndex([Literal(pattern, 1)])
    for before in range(4):
        chunks = [b"\0" * before + pattern, pattern + b"\0", b"\xff" * before + pattern + b"\xff"]
        data, units = units_of(chunks)
        hits = index.scan(data, units, np.ones(3, np.uint64))
        assert hits.pos.tolist() == sorted(pos for *_, pos in expected([Literal(pattern, 1)], chunks))
    grams = set(index._tables.slots[:, 0].tolist()) - {0}
    assert not {int.from_bytes(padding, "little") for padding in (b" " * 4, b" " * 3, b"\0   ")} & grams


@settings(max_examples=effort(60, 20), deadline=None)
@given(
    literals=st.lists(st.tuples(patterns, st.integers(1, 7), st.integers(1, 3)), min_size=1, max_size=12),
    covers=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 3)), max_size=4),
    seed=st.integers(0, 1 << 20),
)
def test_tables_of_some_units_find_what_one_for_all_does(literals, covers, seed):
    literals = [Literal(pattern, mask, sides=sides) for pattern, mask, sides in literals]
    rng = np.random.default_rng(seed)
    chunks = [rng.choice([x.pattern for x in literals]) + b"-" * n for n in range(12)]
    data, units = units_of(chunks)
    units["side"] = rng.integers(0, 2, units.size)
    bits = rng.integers(1, 8, units.size).astype(np.uint64)
    one = LiteralIndex(literals).scan(data, units, bits)
    several = LiteralIndex(literals, [Cover(*cover) for cover in covers]).scan(data, units, bits)
    got, want = (sorted(zip(*(c.tolist() for c in (h.lit, h.unit, h.pos)), strict=True)) for h in (several, one))
    assert got == want
    shown = [Literal(x.pattern, int(x.mask), x.cased) for x in literals]
    assert got == [
        (lit, unit, pos) for lit, unit, pos in expected(shown, chunks)
        if literals[lit].mask & int(bits[unit]) and literals[lit].sides >> int(units["side"][unit]) & 1
    ]  # fmt: skip


def test_masks_keep_other_groups_silent():
    index = LiteralIndex([Literal(b"needle", 0b01), Literal(b"needle", 0b10)])
    data, units = units_of([b"a needle", b"a needle"])
    hits = index.scan(data, units, np.array([0b01, 0b10], np.uint64))
    assert sorted(zip(hits.unit.tolist(), hits.lit.tolist(), strict=True)) == [(0, 0), (1, 1)]


def test_hits_wholly_in_the_tail_are_old():
    index = LiteralIndex([Literal(b"needle", 1)])
    data, units = units_of([b"needle--needle"], fresh=8)
    assert index.scan(data, units, np.ones(1, np.uint64)).pos.tolist() == [8]
    units["fresh"] = 5
    index = LiteralIndex([Literal(b"needle", 1)])
    assert index.scan(data, units, np.ones(1, np.uint64)).pos.tolist() == [0]


def test_a_full_output_goes_on_where_it_stopped():
    literals = [Literal(b"%04d" % n, 1, cased=True) for n in range(1000)]
    literals = [x for x in literals if usable(x.pattern)]
    index = LiteralIndex(literals)
    data, units = units_of([b"".join(x.pattern for x in literals)] * 3)
    whole = index.scan(data, units, np.ones(3, np.uint64))
    index._grow(100)
    pieces = index.scan(data, units, np.ones(3, np.uint64))
    for name in ("lit", "unit", "pos"):
        assert getattr(whole, name).tolist() == getattr(pieces, name).tolist()


def test_stuffed_traffic_reports_once_per_stretch():
    index = LiteralIndex([Literal(b"abcd", 1)])
    data, units = units_of([b"abcd" * 4096])
    hits = index.scan(data, units, np.ones(1, np.uint64))
    assert hits.pos.size == 4 * 4096 // REPEAT


def test_long_literals_are_found_by_their_beginning():
    text = bytes(np.random.default_rng(1).integers(33, 127, 300, dtype=np.uint8))
    index = LiteralIndex([Literal(text, 1, cased=True)])
    data, units = units_of([b"x" * 10 + text])
    assert index.scan(data, units, np.ones(1, np.uint64)).pos.tolist() == [10]
    assert index.longest == MAX_LITERAL


def test_weak_literals_are_refused():
    assert not usable(b"abc")
    assert not usable(b"AaAa")
    assert not usable(b"\0" * 20)
    assert not usable(b" \0\0\0")  # as the scan folds it, all padding
    assert usable(b"abca")


def test_kernels_mean_the_same_as_plain_python(monkeypatch):
    literals = [Literal(b"needle", 1), Literal(b"stack", 3, cased=True), Literal(b"hay ", 1, sides=1)]
    data, units = units_of([b"a NEEDLE in a stack", b"", b"stackneedle", b"Hay Hay", b"hay "])
    units["side"][3] = 1
    bits, covers = np.ones(units.size, np.uint64), [Cover(1, 2)]
    want = LiteralIndex(literals, covers).scan(data, units, bits)
    slow = LiteralIndex(literals, covers)
    interpret(monkeypatch, kernels_scan)
    monkeypatch.setattr(module, "scan", kernels_scan.scan)
    monkeypatch.setattr(module, "choose", kernels_scan.choose)
    got = slow.scan(data, units, bits)
    assert [c.tolist() for c in (got.lit, got.unit, got.pos)] == [c.tolist() for c in (want.lit, want.unit, want.pos)]
    assert want.lit.size == 5
