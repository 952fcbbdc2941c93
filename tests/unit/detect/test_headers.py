"""Rows chosen by header columns are those that a plain reading of the rules' headers chooses."""

import headerkit
import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.headers.addrindex import UNTESTED, AddressIndex, spans
from sensor.detect.headers.heads import Heads
from sensor.detect.headers.index import HeaderIndex, Headers, header
from sensor.detect.headers.portsets import PortSets
from sensor.detect.ruleplan import PACKET, STREAM
from sensor.model.rows import FLOW, new_rows
from sensor.proto.kernels_probe import HEAD
from sensor.rules.nodes import AddressSet, All, Any, BufferMatch, Content, HeaderTest, Not, PortSet, Rule, Transform

_FILL = [
    Rule(1, "", "arp", All(()), *[AddressSet(((headerkit.packed(n), headerkit.packed(n)),))] * 2)
    for n in range(1 << 20, (1 << 20) + 64)
]
"""Rules that take all bits of the address index, and choose no row that is forged here."""


def index_of(rules):
    head = Headers(rules, [PACKET] * len(rules), [0] * len(rules), range(len(rules)))
    return head, HeaderIndex(head, list(enumerate(rules)), head.lists)


def any_app(rows):
    return np.full(rows.size, ~np.uint64(0))


def chosen(head, index, rows, flows, data):
    """Return {row: rules}."""
    head.note(rows, flows)
    at, size = rows["pay"].astype(np.int32), rows["paylen"].astype(np.int32)
    where, numbers = index.select(head, rows, data, at, size, np.zeros(rows.size, np.int64), any_app(rows))
    assert where.tolist() == sorted(where.tolist())
    out = {}
    for row, number in zip(where.tolist(), numbers.tolist(), strict=True):
        out.setdefault(row, set()).add(number)
    return out


def listed(rules, addresses):
    """Return rule number → the block list by which it is found."""
    ends = {n: (rule.src, rule.dst) for n, rule in enumerate(rules)}
    rare = {n: [side for side in pair if addresses.bit(side) == UNTESTED] for n, pair in ends.items()}
    return {n: sides[0] for n, sides in rare.items() if sides and spans(sides[0])}  # a set without addresses: no list


@settings(max_examples=effort(80, 25), deadline=None)
@given(st.lists(headerkit.rules(), min_size=1, max_size=12), st.integers(0, 1 << 30), st.booleans())
def test_selects_what_the_headers_say(rules, seed, fill):
    rules = [*_FILL, *rules] if fill else rules
    head, index = index_of(rules)
    sets = {side for rule in rules for side in (rule.src, rule.dst)}
    addresses = AddressIndex(rules)
    tested = {side for side in sets if addresses.bit(side) >= 0}
    by_list = listed(rules, addresses)
    rng = np.random.default_rng(seed)
    rows, flows, data = headerkit.forge(rng, 40)
    wanted = {i: headerkit.expected(rules, tested, by_list, row, data) for i, row in enumerate(rows)}
    assert chosen(head, index, rows, flows, data) == {i: found for i, found in wanted.items() if found}


def test_a_slot_that_another_flow_took_is_looked_up_again():
    inside, outside = 0x0A000001, 0x0A000009
    home = AddressSet(((headerkit.packed(headerkit.MAPPED | inside),) * 2,))
    head, index = index_of([Rule(1, "", "tcp", All(()), home)])
    rows, flows = new_rows(1), np.zeros(1, FLOW)
    for address, number, wanted in ((inside, 1, {0: {0}}), (outside, 2, {}), (inside, 3, {0: {0}})):
        for record in (rows[0], flows[0]):
            record["ipv"], record["proto"], record["src_lo"], record["dst_lo"] = 4, 6, address, outside
        rows["flow"], flows["id"] = 0, number
        assert chosen(head, index, rows, flows, np.zeros(8, np.uint8)) == wanted


def test_a_full_output_goes_on_at_the_row_where_it_stopped():
    head, index = index_of([Rule(1, "", "udp", All(())) for _ in range(300)])
    index._out = np.empty(700, np.int32), np.empty(700, np.int32)
    rows = new_rows(11)
    rows["ipv"], rows["proto"] = 4, 17
    found = chosen(head, index, rows, np.zeros(1, FLOW), np.zeros(8, np.uint8))
    assert found == {i: set(range(300)) for i in range(11)}


def test_no_rules_no_rows():
    head, index = index_of([])
    assert chosen(head, index, new_rows(3), np.zeros(1, FLOW), np.zeros(8, np.uint8)) == {}
    head, index = index_of([Rule(1, "", "ip", All(()))])
    assert chosen(head, index, new_rows(0), np.zeros(1, FLOW), np.zeros(8, np.uint8)) == {}


def test_rules_about_something_odd_are_chosen_for_rows_that_have_it():
    events = [HeaderTest("decode.event", "=", number) for number in (0, 14, 63, 64, 127, 128, 191)]
    either = HeaderTest("decode.event", "in", values=(14, 128))
    none_of = Not(HeaderTest("decode.event", "=", 14))
    of_tcp = [HeaderTest("tcp.event", "=", number) for number in (0, 43)]
    bodies = [All((one,)) for one in (*events, either)] + [All((none_of,)), All(())] + [All((one,)) for one in of_tcp]
    head, index = index_of([Rule(1, "", "pkthdr", body) for body in bodies])
    rows = new_rows(8)
    sets = [set(), {0, 14}, {64}, {63, 127}, {128, 191}, {14, 191}, {192}, {14, 235}]
    odd = np.zeros((rows.size, 4), np.uint64)
    for row, numbers in enumerate(sets):
        for number in numbers:
            odd[row, number >> 6] |= np.uint64(1 << (number & 63))
    head.note(rows, np.zeros(1, FLOW))
    nowhere, begin = np.zeros(rows.size, np.int32), np.zeros(rows.size, np.int64)
    where, rules = index.select(head, rows, np.zeros(8, np.uint8), nowhere, nowhere, begin, any_app(rows), odd)
    found = {i: {rule for row, rule in zip(where.tolist(), rules.tolist(), strict=True) if row == i} for i in range(8)}
    exact = {i: {n for n, test in enumerate(events) if test.value in numbers} for i, numbers in enumerate(sets)}
    for i, numbers in enumerate(sets):
        exact[i] |= {10 + n for n, test in enumerate(of_tcp) if test.value + 192 in numbers}
    always = {8, 9}
    assert found == {i: exact[i] | always | ({7} if sets[i] else set()) for i in range(8)}
    assert index.asks_odd
    assert not index_of([Rule(1, "", "ip", All(()))])[1].asks_odd


@pytest.mark.parametrize(
    ("content", "base", "wanted"),
    [
        (Content(b"ab", offset=4, depth=10), 12, True),  # may begin at 12 at the latest
        (Content(b"ab", offset=4, depth=10), 13, False),
        (Content(b"ab", startswith=True), 0, True),
        (Content(b"ab", startswith=True), 1, False),
        (Content(b"ab"), 1 << 40, True),
        (Content(b"ab", offset=4), 1 << 40, True),
    ],
)
def test_of_unknown_bytes_only_the_place_is_looked_at(content, base, wanted):
    head, index = index_of([Rule(1, "", "tcp", All((BufferMatch("payload", (content,)),)))])
    rows, unknown = new_rows(1), np.full(1, -1, np.int32)
    rows["ipv"], rows["proto"], rows["paylen"] = 4, 6, 2**31 - 1
    found = index.select(head, rows, np.zeros(4, np.uint8), unknown, unknown, np.array([base], np.int64), any_app(rows))
    assert found[0].tolist() == [0] * wanted


@pytest.mark.parametrize(
    ("head", "wanted"),
    [
        (b"..ab", True),
        (b"..ba", False),
        (b"..b", True),  # the place is not known yet
        (b"", True),
        (b"." * (HEAD - 1), True),  # so looks a side that lost some of its first bytes
        (b"." * HEAD, False),
    ],
)
def test_of_unknown_bytes_the_first_of_the_stream_are_looked_at(head, wanted):
    chosen, index = index_of([Rule(1, "", "tcp", All((BufferMatch("payload", (Content(b"ab", offset=2, depth=2),)),)))])
    rows, unknown = new_rows(1), np.full(1, -1, np.int32)
    rows["ipv"], rows["proto"], rows["paylen"], rows["flow"], rows["side"] = 4, 6, 2**31 - 1, 0, 1
    octets, sizes = np.zeros(2 * HEAD, np.uint8), np.array([0, len(head)])
    octets[HEAD : HEAD + len(head)] = np.frombuffer(head, np.uint8)
    where = np.zeros(1, np.int64)
    chosen.note(rows, np.zeros(1, FLOW))
    found = index.select(
        chosen, rows, np.zeros(4, np.uint8), unknown, unknown, where, any_app(rows), heads=Heads(octets, sizes)
    )
    assert found[0].tolist() == [0] * wanted


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        (Content(b"ab", startswith=True), {b"ab..": True, b".ab.": False, b"a": False}),
        (Content(b"ab", depth=4), {b"..ab": True, b"...ab": False, b"..a": False}),
        (Content(b"ab", offset=2, depth=4), {b"....ab": True, b".....ab": False, b".ab...": True, b"ab....": False}),
        (Content(b"ab", offset=3), {b".......ab": True, b".ab......": False}),
        (Content(b"Ab", nocase=True), {b"...AB": True, b"...aB": True, b"...a": False}),
        (Content(b"Ab"), {b"...Ab": True, b"...AB": False, b"A...b": False}),
        (Content(b"q"), {b"...q": True, b"...Q": False}),
    ],
)
def test_literals_are_looked_for_at_their_places_only(content, texts):
    """Behind each payload stand bytes of another that would make it match."""
    head, index = index_of([Rule(1, "", "tcp", All((BufferMatch("payload", (content,)),)))])
    rows = new_rows(len(texts))
    rows["ipv"], rows["proto"], rows["paylen"] = 4, 6, [len(text) for text in texts]
    data = np.frombuffer(b"".join(text.ljust(16, content.pattern[-1:]) for text in texts), np.uint8)
    at, size = 16 * np.arange(rows.size, dtype=np.int32), rows["paylen"].astype(np.int32)
    where, _ = index.select(head, rows, data, at, size, np.zeros(rows.size, np.int64), any_app(rows))
    assert where.tolist() == [n for n, wanted in enumerate(texts.values()) if wanted]


def test_a_rule_of_a_protocol_is_chosen_where_that_may_be_spoken():
    rules = [Rule(1, "", "tls", All(())), Rule(2, "", "tcp", All(()))]
    head = Headers(rules, [STREAM] * 2, [1 << 4, 0], [])
    index = HeaderIndex(head, list(enumerate(rules)))
    rows, none = new_rows(3), np.zeros(3, np.int32)
    rows["ipv"], rows["proto"] = 4, 6
    apps = np.array([1 << 4, 1 << 5, 1 << 4 | 1 << 5], np.uint64)
    where, numbers = index.select(head, rows, np.zeros(1, np.uint8), none, none, none.astype(np.int64), apps)
    assert set(zip(where.tolist(), numbers.tolist(), strict=True)) == {(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)}


# ---- records


def record(*nodes, scope=PACKET, **more):
    rule = Rule(1, "", more.pop("proto", "tcp"), All(nodes), **more)
    table = Headers([rule], [scope], [0], []).table
    return dict(zip(table.dtype.names, table[0].item(), strict=True))


def test_flags_that_are_left_out_of_a_comparison_are_not_asked_for():
    got = record(HeaderTest("tcp.flags", "none", 0x42, mask=0xC0))
    assert (got["flags_mask"], got["flags_value"]) == (2, 0)
    got = record(HeaderTest("tcp.flags", "exact", 2, mask=0xC0))
    assert (got["flags_mask"], got["flags_value"]) == (0x3F, 2)
    assert record(HeaderTest("tcp.flags", "any", 18))["flags_mask"] == 0


@pytest.mark.parametrize("op", ["=", ">", ">=", "<", "<=", "<>"])
@pytest.mark.parametrize("value", [0, 2**31 - 1, 2**31, 2**32 - 1])
def test_sizes_beyond_the_column_are_cut_to_it(op, value):
    got = record(HeaderTest("payload.size", op, value, high=2**32 - 1))
    for size in (0, 1, 65535):
        inside = {
            "=": size == value, ">": size > value, ">=": size >= value, "<": size < value, "<=": size <= value,
            "<>": value < size,
        }[op]  # fmt: skip
        assert (got["pay_low"] <= size <= got["pay_high"]) == inside


def test_only_conditions_that_must_hold_narrow_a_header():
    small = HeaderTest("payload.size", "<", 5)
    assert record(small)["pay_high"] == 4
    assert record(Any((small, HeaderTest("payload.size", ">", 100))))["pay_high"] == 2**31 - 1
    assert record(BufferMatch("payload", (Content(b"abc"), Content(b"abcdef", negated=True))))["pay_low"] == 3
    assert record(BufferMatch("payload", (Content(b"abc"),), (Transform("strip_whitespace"),)))["pay_low"] == 0
    assert record(BufferMatch("stream", (Content(b"abc"),)))["pay_low"] == 0


def test_the_state_of_the_flow_is_left_to_the_judge_where_there_may_be_no_packet():
    assert record(established=True)["established"] == 1
    assert record(established=False)["established"] == 0
    assert record(established=True, scope=STREAM)["established"] == 2
    assert record(established=True, scope=STREAM | PACKET)["established"] == 2


def test_types_and_codes_of_icmp_are_no_ports():
    ports = PortSets()
    rule = Rule(1, "", "icmp", All(()), sport=PortSet(((80, 80),)), dport=PortSet(((80, 80),)))
    assert header(0, rule, AddressIndex([rule]), ports)[7:9] == (0, 0)
