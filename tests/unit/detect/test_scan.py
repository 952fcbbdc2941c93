"""The literal scan finds what a plain search finds."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jitkit import interpret

from sensor.detect import kernels_scan
from sensor.detect.kernels_scan import REPEAT
from sensor.detect.scan import MAX_LITERAL, Literal, LiteralIndex, usable
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


@settings(max_examples=150, deadline=None)
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
    for shift in range(9):
        data, units = units_of([b"-" * shift + literals[-1].pattern + b"--"])
        hits = index.scan(data, units, np.ones(1, np.uint64))
        assert shift in hits.pos.tolist()
    assert index.stride == {4: 1, 5: 2, 7: 4, 11: 8}[sizes[0]]


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


def test_kernel_means_the_same_as_plain_python(monkeypatch):
    literals = [Literal(b"needle", 1), Literal(b"Hay", 1), Literal(b"stack", 3, cased=True)][::2]
    data, units = units_of([b"a NEEDLE in a stack", b"", b"stackneedle"])
    fast, slow = LiteralIndex(literals), LiteralIndex(literals)
    want = fast.scan(data, units, np.ones(3, np.uint64))
    state, out = np.array([0, -1]), slow._out
    interpret(monkeypatch, kernels_scan)
    n = kernels_scan.scan(
        data, units, np.ones(3, np.uint64), slow.stride, slow.hash_bits, slow._grams, slow._keys, slow._first,
        slow._count, slow._ent_lit, slow._ent_off, slow._len, slow._at, slow._mask, slow._cased, slow._pool, slow._low,
        slow._last_unit, slow._last_pos, *out, state,
    )  # fmt: skip
    assert [c[:n].tolist() for c in out] == [want.lit.tolist(), want.unit.tolist(), want.pos.tolist()]
    assert want.lit.size == 4
