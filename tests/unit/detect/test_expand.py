"""From hits to rules: the kernel says what a plain reading of headers and literals says, however little room it has."""

from types import SimpleNamespace

import headerkit
import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st
from jitkit import from_python

from sensor.detect.headers.index import Headers
from sensor.detect.ruleplan import PACKET, STREAM, TX
from sensor.detect.scan import kernels_expand
from sensor.detect.scan.index import Hits
from sensor.detect.scan.kernels_expand import WHOLE, complete
from sensor.detect.scan.literals import LiteralRules
from sensor.engine.block import kernels_sides
from sensor.engine.select import Bytes, Expander
from sensor.model.rows import APP_UNDECIDED
from sensor.model.units import UNIT, UNIT_PACKET, UNIT_STREAM
from sensor.rules.nodes import AddressSet, All, PortSet, Rule

missing = from_python(kernels_expand.missing)

LITERALS = (b"first", b"second", b"third")
HTTPISH, ANOTHER, OTHER = 7, 9, 40

letters = st.lists(st.sampled_from(b"aAbB\0"), max_size=40).map(bytes)
words = st.lists(st.sampled_from(b"aAbB"), min_size=1, max_size=4).map(bytes)


def array(data):
    return np.frombuffer(data or b"\0", np.uint8).copy()


def stands(text, pattern, *, cased):
    return pattern in (text if cased else text.lower())


def built(further):
    """further: others of each rule, of which rule n has literal n % 3."""
    builder = LiteralRules.Builder()
    for rule, members in enumerate(further):
        builder.add(LITERALS[rule % 3], 1, rule, [(word if cased else word.lower(), cased) for word, cased in members])
    return builder.build(len(further))


others = st.lists(st.tuples(words, st.booleans()), max_size=3)


@settings(deadline=None)
@given(st.lists(others, min_size=1, max_size=4), letters, st.integers(-1, 7))
def test_missing_literals_as_bits(further, text, wanted):
    x = built(further)
    for rule, members in enumerate(further):
        left = missing(
            array(text), 0, len(text), rule, np.int64(wanted), x.other_first, x.other_at, x.other_len, x.other_cased,
            x.pool,
        )  # fmt: skip
        for k, (word, cased) in enumerate(members):
            absent = not stands(text, word if cased else word.lower(), cased=cased)
            assert bool(left >> k & 1) == (absent and bool(wanted >> k & 1))
        assert left >> len(members) == 0


# ---- expand


@st.composite
def situations(draw):
    """Rules with scopes, protocols and others; a seed for the traffic."""
    n = draw(st.integers(1, 8))
    rules = [
        Rule(
            1, "", draw(st.sampled_from(("tcp", "udp", "ip", "icmp"))), All(()),
            draw(st.just(AddressSet()) | headerkit.address_sets()), draw(st.just(AddressSet())),
            draw(st.just(PortSet()) | headerkit.port_sets()), draw(st.just(PortSet())),
            draw(st.booleans()), direction=draw(st.sampled_from(("", "", "to_server", "to_client"))),
        )
        for _ in range(n)
    ]  # fmt: skip
    scopes = [draw(st.sampled_from((PACKET, STREAM, PACKET | STREAM, TX))) for _ in range(n)]
    apps = [draw(st.sampled_from((1 << HTTPISH, 1 << ANOTHER))) if scope == TX else 0 for scope in scopes]
    return rules, scopes, apps, [draw(others) for _ in range(n)], draw(st.integers(0, 1 << 30))


def traffic(seed):
    """Return what a scan reads, and hits: up to six of each unit."""
    rng = np.random.default_rng(seed)
    rows, flows, _ = headerkit.forge(rng, 12)
    flows["app"] = rng.choice((APP_UNDECIDED, HTTPISH, OTHER), flows.size)
    flows["hot"] = rng.random(flows.size) < 0.2
    texts = [rng.choice(array(b"aAbB\0"), rng.integers(1, 30)).tobytes() for _ in range(14)]
    units = np.zeros(len(texts), UNIT)
    units["end"] = np.cumsum([len(text) for text in texts])
    units["start"] = units["end"] - [len(text) for text in texts]
    units["fresh"] = units["start"]
    sides = [(slot, side) for slot in range(flows.size) for side in (0, 1)]
    for number, unit in enumerate(units):
        if number < 8:
            unit["kind"], (unit["flow"], unit["side"]) = UNIT_STREAM, sides[rng.integers(len(sides))]
            unit["pos"] = rng.choice((0, 0, 1000))
        else:
            row = rows[rng.integers(rows.size)]
            unit["kind"], unit["row"] = UNIT_PACKET, np.flatnonzero(rows["pay"] == row["pay"])[0]
            unit["flow"], unit["side"] = row["flow"], row["side"]
    unit_of_side = np.full(2 * flows.size, kernels_sides.NONE, np.int32)
    kernels_sides.mark(units, unit_of_side)
    counts = rng.integers(0, 7, units.size)
    unit_of = np.repeat(np.arange(units.size), counts).astype(np.int32)
    lits = rng.integers(0, 3, unit_of.size).astype(np.int32)
    what = Bytes(array(b"".join(texts)), units, rows, flows, unit_of_side, np.zeros(units.size, np.uint8))
    return what, Hits(lits, unit_of, units["start"][unit_of])


def naive(situation, literals, tested, what, hits):
    """Return ([(rule, hit)], [(rule, hit, missing)]) in order."""
    rules, scopes, apps, further, _ = situation
    found, late, looked, due = [], [], {}, {}
    for hit, (lit, number) in enumerate(zip(hits.lit.tolist(), hits.unit.tolist(), strict=True)):
        unit = what.units[number]
        stream = unit["kind"] == UNIT_STREAM
        for rule in literals.rules[literals.first[lit] : literals.first[lit + 1]].tolist():
            if not header_holds(rules[rule], unit, what, tested):
                continue
            if scopes[rule] == TX and not (may_speak(apps[rule], unit, what) and apps[rule] & ~due.get(number, 0)):
                continue
            if (rule, number) in looked:
                if scopes[rule] != TX and not looked[rule, number]:
                    found.append((rule, hit))
                continue
            left = looked[rule, number] = missing_in(unit, what, further[rule]) if begins(unit, what) else 0
            if not left:
                found.append((rule, hit))
                due[number] = due.get(number, 0) | (apps[rule] if scopes[rule] == TX else 0)
            elif stream and scopes[rule] != PACKET:
                late.append((rule, hit, left))
    return found, late


def header_holds(rule, unit, what, tested):
    """Addresses of a payload outside flows are not looked at here."""
    if unit["flow"] < 0:
        row = what.rows[unit["row"]].copy()
        tested = ()
    else:
        flow, row = what.flows[unit["flow"]], headerkit.new_rows(1)[0]
        row["flow"], row["side"] = unit["flow"], unit["side"]
        row["ipv"], row["proto"] = flow["ipv"], flow["proto"]
        ends = ("src", "dst") if unit["side"] == 0 else ("dst", "src")
        for mine, theirs in zip(("src", "dst"), ends, strict=True):
            row[f"{mine}_hi"], row[f"{mine}_lo"] = flow[f"{theirs}_hi"], flow[f"{theirs}_lo"]
            row[f"{mine[0]}port"] = flow[f"{theirs[0]}port"]
    row["frag"] = 0
    return (
        headerkit.protocol_holds(rule, row)
        and headerkit.state_holds(rule, row)
        and headerkit.ends_hold(rule, row, tested)
    )


def may_speak(apps, unit, what):
    if unit["kind"] != UNIT_STREAM:
        return True
    flow = what.flows[unit["flow"]]
    return not flow["hot"] and (flow["app"] == APP_UNDECIDED or bool(apps >> int(flow["app"]) & 1))


def begins(unit, what):
    """Tell whether a unit holds all bytes of its side or payload so far."""
    if unit["kind"] != UNIT_STREAM:
        return True
    same = [unit[name] == what.units[name] for name in ("kind", "flow", "side")]
    return unit["pos"] == 0 and np.count_nonzero(np.logical_and.reduce(same)) == 1


def missing_in(unit, what, members):
    text = what.data[unit["start"] : unit["end"]].tobytes()
    absent = [not stands(text, word if cased else word.lower(), cased=cased) for word, cased in members]
    return sum(1 << k for k, one in enumerate(absent) if one)


@settings(max_examples=effort(150, 25), deadline=None)
@given(situations(), st.sampled_from((1, 2, 3, 1000)))
def test_expands_as_a_plain_reading_does(situation, room):
    rules, scopes, apps, further, seed = situation
    what, hits = traffic(seed)
    hits.lit[:] %= min(len(rules), len(LITERALS))
    head = Headers(rules, scopes, apps, [])
    every = headerkit.new_rows(what.flows.size)
    every["flow"] = np.arange(what.flows.size)
    head.note(every, what.flows)
    literals = built(further)
    expander = Expander(literals, SimpleNamespace(headers=head, rules=rules))
    expander._out = tuple(column[:room].copy() for column in expander._out)
    got = expander.find(hits, what)
    found, late = naive(situation, literals, {rule.src for rule in rules}, what, hits)
    assert list(zip(got.rules.tolist(), got.hit.tolist(), strict=True)) == found
    missed = [(hit & 0xFFFFFFFF, hit >> 32) for hit in got.late_hit.tolist()]
    assert [(rule, *rest) for rule, rest in zip(got.late_rules.tolist(), missed, strict=True)] == late


def test_no_hits_no_rules():
    what, _ = traffic(1)
    head = Headers([Rule(1, "", "ip", All(()))], [PACKET], [0], [])
    none = np.zeros(0, np.int32)
    got = Expander(built([[]]), SimpleNamespace(headers=head, rules=[None])).find(Hits(none, none, none), what)
    assert [column.size for column in got] == [0, 0, 0, 0]


@pytest.mark.parametrize(("size", "found"), [(WHOLE, []), (WHOLE + 1, [0])])
def test_of_long_units_the_other_literals_count_as_found(size, found):
    what, _ = traffic(1)
    units = what.units[:1].copy()
    units["flow"], units["kind"], units["pos"], units["start"], units["end"] = 0, UNIT_STREAM, 0, 0, size
    flows = what.flows.copy()
    flows["proto"] = 6
    what = Bytes(np.zeros(size, np.uint8), units, what.rows, flows, np.zeros(2 * flows.size, np.int32), what.framed)
    rules = [Rule(1, "", "tcp", All(()))]
    head = Headers(rules, [STREAM], [0], [])
    head.note(what.rows, what.flows)
    head.flow_masks = np.zeros(2 * flows.size, np.uint64)
    one = np.zeros(1, np.int32)
    got = Expander(built([[(b"absent", True)]]), SimpleNamespace(headers=head, rules=rules)).find(
        Hits(one, one, one), what
    )
    assert got.rules.tolist() == found
    assert got.late_rules.size == 1 - len(found)


# ---- complete


@settings(deadline=None)
@given(st.lists(others, min_size=3, max_size=3), st.lists(letters, min_size=1, max_size=3), st.integers(0, 7))
def test_what_was_missing_is_looked_for_in_new_bytes(further, texts, bits):
    x = built(further)
    units = np.zeros(len(texts), UNIT)
    units["end"] = np.cumsum([len(text) for text in texts])
    units["start"] = units["end"] - [len(text) for text in texts]
    unit_of = np.array([*range(len(texts)), *[-1] * (3 - len(texts)), -2], np.int32)
    rules = np.tile(np.arange(3, dtype=np.int32), 4)
    sides = np.repeat(np.arange(4), 3)
    lefts = np.array([bits & (1 << len(members)) - 1 for members in further] * 4, np.int64)
    before, done = lefts.copy(), np.empty(lefts.size, np.bool_)
    count = complete(
        rules, sides, lefts, unit_of, array(b"".join(texts)), units, x.other_first, x.other_at, x.other_len,
        x.other_cased, x.pool, done,
    )  # fmt: skip
    assert count == done.sum()
    for i, (rule, side) in enumerate(zip(rules.tolist(), sides.tolist(), strict=True)):
        if unit_of[side] == -1:
            assert (lefts[i], done[i]) == (before[i], False)
            continue
        text = texts[side] if unit_of[side] >= 0 else None
        left = 0
        for k, (word, cased) in enumerate(further[rule]):
            absent = text is not None and not stands(text, word if cased else word.lower(), cased=cased)
            left |= (int(before[i]) >> k & 1 and absent) << k
        assert (lefts[i], done[i]) == (left, left == 0)
