"""Forged addresses, headers and rows for the tests of header columns; what a header says of a row in plain words."""

import numpy as np
from hypothesis import strategies as st

from sensor.detect.headers.addresses import address_test, key16, port_test
from sensor.model.rows import FLOW, FRAG_PART, FRAG_REASSEMBLED, new_rows
from sensor.rules.nodes import AddressSet, All, BufferMatch, Content, HeaderTest, PortSet, Rule

MAPPED = 0xFFFF << 32
WORD = (1 << 64) - 1

V4 = tuple(0x0A000000 + n for n in (0, 1, 2, 3, 7, 8, 9, 255))
V6 = ((0, 1), (0x20010DB8 << 32, 0), (0x20010DB8 << 32, 1), (0x20010DB8 << 32, WORD), (WORD, WORD))
EDGES = sorted([MAPPED | low for low in V4] + [hi << 64 | lo for hi, lo in V6] + [0, (1 << 128) - 1, MAPPED - 1])
"""128-bit addresses; the forged ranges begin and end at them."""

PORTS = (0, 1, 7, 8, 80, 443, 1024, 65534, 65535)


def packed(number):
    return number.to_bytes(16, "big")


@st.composite
def ranges(draw, points, most=4):
    """Sorted ranges that do not overlap, as the loader makes them."""
    ends = sorted(draw(st.lists(st.sampled_from(points), max_size=2 * most, unique=True)))
    single = draw(st.booleans())
    if single:
        return [(one, one) for one in ends[:most]]
    return list(zip(ends[::2], ends[1::2], strict=False))


@st.composite
def address_sets(draw):
    include, exclude = ([(packed(a), packed(b)) for a, b in draw(ranges(EDGES))] for _ in range(2))
    return AddressSet(tuple(include), tuple(exclude))


@st.composite
def port_sets(draw):
    return PortSet(tuple(draw(ranges(PORTS))), tuple(draw(ranges(PORTS, 2))))


conditions = st.one_of(
    st.builds(HeaderTest, st.just("payload.size"), st.sampled_from(("=", ">", ">=", "<", "<=")), st.integers(0, 6)),
    st.builds(lambda low: HeaderTest("payload.size", "<>", low, low + 3), st.integers(0, 4)),
    st.builds(
        lambda op, value, mask: HeaderTest("tcp.flags", op, value, mask=mask),
        st.sampled_from(("exact", "all", "any")), st.sampled_from((0, 2, 18)), st.sampled_from((0, 0xC0)),
    ),
    st.builds(lambda value: HeaderTest("tcp.flags", "none", value, mask=0xC0), st.sampled_from((2, 18, 0x42, 255))),
    st.builds(lambda value: HeaderTest("ip.proto", "=", value), st.sampled_from((1, 2, 6, 17, 58))),
)  # fmt: skip

contents = st.builds(
    lambda pattern, nocase, place: Content(pattern, nocase=nocase, **place),
    st.lists(st.sampled_from(b"aAb"), min_size=1, max_size=3).map(bytes),
    st.booleans(),
    st.sampled_from((
        {}, {"startswith": True}, {"offset": 1}, {"depth": 3}, {"offset": 2, "depth": 3}, {"distance": 0},
        {"endswith": True}, {"negated": True},
    )),
)  # fmt: skip


@st.composite
def rules(draw, sets=None):
    sets = st.just(AddressSet()) | address_sets() if sets is None else sets
    nodes = draw(st.lists(conditions, max_size=2, unique_by=lambda node: node.field))
    tests = tuple(draw(st.lists(contents, max_size=2)))
    if tests:
        nodes.append(BufferMatch("payload", tests))
    return Rule(
        1, "", draw(st.sampled_from(("ip", "tcp", "udp", "icmp", "sctp", "arp", "pkthdr", "tcp-pkt"))),
        All(tuple(nodes)), draw(sets), draw(sets), draw(st.just(PortSet()) | port_sets()),
        draw(st.just(PortSet()) | port_sets()), draw(st.booleans()),
        established=draw(st.sampled_from((None, True, False))),
        direction=draw(st.sampled_from(("", "to_server", "to_client"))),
    )  # fmt: skip


def put_address(record, end, address):
    """Write a 128-bit address into a ROW or FLOW record, whose `ipv` is set."""
    record[f"{end}_hi"] = 0 if record["ipv"] == 4 else address >> 64
    record[f"{end}_lo"] = address & (0xFFFFFFFF if record["ipv"] == 4 else WORD)


def address_of(record, end):
    return key16(int(record["ipv"]), int(record[f"{end}_hi"]), int(record[f"{end}_lo"]))


def forge(rng, n, slots=6):
    """Return ROW[n], FLOW[slots] and the bytes of the rows. Of a row in a flow the ends are the flow's."""
    flows, rows = np.zeros(slots, FLOW), new_rows(n)
    flows["id"] = rng.permutation(1000)[:slots] + 1
    for flow in flows:
        flow["ipv"], flow["proto"] = rng.choice((4, 6)), rng.choice((6, 17, 1, 58, 132))
        for end, port in (("src", "sport"), ("dst", "dport")):
            put_address(flow, end, _address(rng, flow["ipv"]))
            flow[port] = rng.choice(PORTS)
    for row in rows:
        _row(rng, row, flows)
    data = np.frombuffer(rng.choice(np.frombuffer(b"aAb\0", np.uint8), 8 * n + 8).tobytes(), np.uint8)
    rows["pay"] = np.arange(n) * 8
    return rows, flows, data


def _address(rng, version):
    return MAPPED | int(rng.choice(V4)) if version == 4 else int.from_bytes(packed(EDGES[rng.integers(len(EDGES))]))


def _row(rng, row, flows):
    row["dup"], row["paylen"] = rng.random() < 0.1, rng.integers(0, 9)
    row["frag"] = rng.choice((0, 0, 0, FRAG_PART, FRAG_REASSEMBLED))
    row["tcpflags"], row["fstate"] = rng.choice((0, 2, 18, 0xC2, 255)), rng.integers(0, 4)
    slot = int(rng.integers(-2, flows.size))
    if slot < 0:
        row["ipv"] = rng.choice((0, 4, 6))
        row["proto"] = rng.choice((1, 2, 6, 17, 58)) if row["ipv"] else 0
        for end, port in (("src", "sport"), ("dst", "dport")):
            put_address(row, end, _address(rng, row["ipv"]))
            row[port] = rng.choice(PORTS)
        return
    flow = flows[slot]
    row["flow"], row["side"] = slot, rng.integers(0, 2)
    row["ipv"], row["proto"] = flow["ipv"], flow["proto"]
    ends = ("src", "dst") if row["side"] == 0 else ("dst", "src")
    for mine, theirs in zip(("src", "dst"), ends, strict=True):
        put_address(row, mine, int.from_bytes(address_of(flow, theirs)))
        row[f"{mine[0]}port"] = flow[f"{theirs[0]}port"]


# ---- what a rule's header says of a row, condition by condition

_CLASSES = {"tcp": {6}, "tcp-pkt": {6}, "udp": {17}, "icmp": {1, 58}, "sctp": {2, 132}}
_NAMED = (1, 6, 17, 58)
"""IP protocols with a bit of their own; the columns do not tell the others apart."""


def expected(rules, tested, listed, row, data):
    """Return the numbers of the rules that a row is chosen for.

    tested: the address sets that are looked at; listed: rule number → the block list by which it is found.
    """
    if row["dup"]:
        return set()
    text = bytes(data[row["pay"] : row["pay"] + row["paylen"]])
    return {
        n for n, rule in enumerate(rules)
        if protocol_holds(rule, row) and state_holds(rule, row) and ends_hold(rule, row, tested)
        and all(node_holds(node, row) for node in rule.body.children)
        and (literals_stand(rule, text) if n not in listed else on_list(listed[n], row))
    }  # fmt: skip


def on_list(addresses, row):
    inside = address_test(addresses)
    return inside(address_of(row, "src")) or inside(address_of(row, "dst"))


def ends_hold(rule, row, tested):
    src, dst = address_of(row, "src"), address_of(row, "dst")
    sport, dport = int(row["sport"]), int(row["dport"])
    ways = [(src, dst, sport, dport), (dst, src, dport, sport)][: 1 + rule.bidirectional]
    ported = may_have_ports(rule)
    return any(
        _in(rule.src, a, tested) and _in(rule.dst, b, tested)
        and (not ported or (_port(rule.sport, p) and _port(rule.dport, q)))
        for a, b, p, q in ways
    )  # fmt: skip


def _in(addresses, key, tested):
    test = address_test(addresses)
    return test is None or addresses not in tested or test(key)


def _port(ports, number):
    test = port_test(ports)
    return test is None or test(number)


def may_have_ports(rule):
    allowed = {"ip": {6, 17}, "pkthdr": {6, 17}}.get(rule.proto, _CLASSES.get(rule.proto, set()) & {6, 17})
    for node in rule.body.children:
        if isinstance(node, HeaderTest) and node.field == "ip.proto":
            allowed = allowed & {node.value}
    return bool(allowed)


def protocol_holds(rule, row):
    if row["frag"] == FRAG_PART:
        if any(ports.include or ports.exclude for ports in (rule.sport, rule.dport)):
            return False
        if row["ipv"] != 4 and rule.proto not in {"ip", "pkthdr"}:
            return False
    if row["ipv"] == 0:
        return rule.proto in {"arp", "pkthdr"}
    return rule.proto in {"ip", "pkthdr"} or int(row["proto"]) in _CLASSES.get(rule.proto, ())


def state_holds(rule, row):
    in_flow = row["flow"] >= 0
    side = {"to_server": 0, "to_client": 1}.get(rule.direction)
    known = row["side"] if in_flow else 0 if row["frag"] == FRAG_PART else -1
    if side is not None and known != side:
        return False
    return rule.established is None or bool(in_flow and (row["fstate"] & 1) == rule.established)


def node_holds(node, row):
    paylen = 0 if row["frag"] == FRAG_PART else int(row["paylen"])
    if isinstance(node, BufferMatch):
        return paylen >= max((len(test.pattern) for test in node.tests if not test.negated), default=0)
    if node.field == "payload.size":
        size, value = paylen, node.value
        return {
            "=": size == value, ">": size > value, ">=": size >= value, "<": size < value, "<=": size <= value,
            "<>": value < size < node.high,
        }[node.op]  # fmt: skip
    if node.field == "ip.proto":
        proto = int(row["proto"])
        return row["ipv"] != 0 and (proto == node.value if node.value in _NAMED else proto not in _NAMED)
    kept = int(row["tcpflags"]) & ~node.mask
    return {
        "exact": kept == node.value, "all": kept & node.value == node.value, "none": kept & node.value == 0,
        "any": True,
    }[node.op]  # fmt: skip


def literals_stand(rule, text):
    """Each at its place. `offset` counts from one byte before: a buffer behind `dotprefix` is one byte longer."""
    return all(
        literal_stands(test, text)
        for node in rule.body.children if isinstance(node, BufferMatch)
        for test in node.tests if not test.negated
    )  # fmt: skip


def literal_stands(content, text):
    pattern, text = (content.pattern.lower(), text.lower()) if content.nocase else (content.pattern, text)
    if content.startswith:
        return text.startswith(pattern)
    offset = content.offset or 0
    end = len(text) if content.depth is None else offset + content.depth
    return pattern in text[max(0, offset - 1) : end]
