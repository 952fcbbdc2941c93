"""The headers of a rule set in columns, and the choice of packets by them alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from sensor.detect.headers.addrindex import AddressIndex, BlockLists, Intervals, no_lists
from sensor.detect.headers.groups import ICMP, ICMP6, TCP, UDP
from sensor.detect.headers.heads import NO_HEADS, Heads
from sensor.detect.headers.kernels_headers import HEADER, note_flows
from sensor.detect.headers.kernels_rows import ANYTHING, SYN, select_rows
from sensor.detect.headers.portsets import PortSets, port_classes, words
from sensor.detect.headers.shorts import ALL, Shorts, first_pair
from sensor.detect.kept import Kept
from sensor.detect.packets.oddities import TOLD
from sensor.detect.ruleplan import PACKET
from sensor.rules.nodes import BufferMatch, Content, HeaderTest, Rule
from sensor.rules.walk import required

_PROTO_BITS = {
    "tcp": 2, "tcp-pkt": 2, "tcp-stream": 2, "udp": 4, "icmp": 8 | 16, "sctp": 1, "arp": 32, "ip": 31, "pkthdr": 63,
}  # fmt: skip
_IP_PROTO_BIT = {TCP: 2, UDP: 4, ICMP: 8, ICMP6: 16}
_TRANSPORTS = ("tcp", "tcp-pkt", "tcp-stream", "udp", "icmp", "sctp")
_BITS = 6
_OF_IPV4, _OF_IPV6 = 64, 128
_FRAGMENTS = _OF_IPV4 | _OF_IPV6
_FRAGMENT_HEADER = 44
"""The protocol of fragments of IPv6, whatever they hold: their rows have that of what they hold."""
_NO_LIMIT = 2**31 - 1
_NOTHING_ODD = np.zeros((0, 4), np.uint64)
_OF_TCP = 3 * 64
"""`HEADER.event` of the first value of `tcp.event`: behind those of `decode.event`."""


class Headers(Kept):
    """HEADER[rules] of a rule set, and the tables that its columns point into. To be used by one pipeline."""

    KEPT: ClassVar = {
        "at": Intervals, "lists": BlockLists, **dict.fromkeys(("table", "ports", "masks"), np.ndarray),
    }  # fmt: skip

    def __init__(self, rules: Sequence[Rule], scopes: Sequence[int], apps: Sequence[int], bare: Sequence[int]) -> None:
        """scopes: bits of `plan`; apps: for each rule the mask of its application protocols, 0: any.

        bare: numbers of the rules that are chosen by their headers alone, packet by packet.
        """
        addresses, ports = AddressIndex(rules), PortSets()
        self.table = np.zeros(len(rules), HEADER)
        for n, (rule, scope, mask) in enumerate(zip(rules, scopes, apps, strict=True)):
            self.table[n] = header(n, rule, addresses, ports, scope, mask)
        self.ports = ports.bitmaps()
        self.at, self.masks = addresses.at, addresses.masks
        """Which of the sets that have a bit an address is in."""
        self.lists = addresses.block_lists([rules[n] for n in bare])
        """By position in `bare`."""
        self.make_scratch()

    def make_scratch(self) -> None:
        """Make room for the flows' addresses."""
        none = np.zeros(0, np.uint64)
        self.flow_masks, self._owner, self._rare = none, none, none

    def note(self, rows: np.ndarray, flows: np.ndarray) -> None:
        """Look up the addresses of a block's flows. rows: ROW[n], flows: FLOW[slots]."""
        if self._owner.size < flows.size:
            self._owner = np.full(flows.size, ~np.uint64(0), np.uint64)
            self.flow_masks, self._rare = np.zeros(2 * flows.size, np.uint64), np.zeros(flows.size, np.uint64)
        at, lists = self.at, self.lists
        note_flows(
            rows, flows, at.hi, at.lo, self.masks, lists.at.hi, lists.at.lo, lists.first, self._owner,
            self.flow_masks, self._rare,
        )  # fmt: skip

    @property
    def rare(self) -> np.ndarray:
        """uint64[slots]: see `kernels_headers.note_flows`."""
        return self._rare


class HeaderIndex(Kept):
    """Rules without a usable literal, chosen by their headers."""

    KEPT: ClassVar = {
        "_lists": BlockLists, "_shorts": Shorts,
        **dict.fromkeys((
            "_plain", "_listed", "_kinds", "_kind_first", "_class_kinds", "_port_class", "_sport_kinds", "_dport_kinds",
        ), np.ndarray),
    }  # fmt: skip

    def __init__(self, headers: Headers, rules: Sequence[tuple[int, Rule]], lists: BlockLists | None = None,
                 literals: int = ALL) -> None:  # fmt: skip
        """rules: with their numbers in `headers.table`; lists: of those that block lists choose, by position.

        literals: which of a rule's literals are looked for.
        """
        numbers = [number for number, _ in rules]
        self._lists = lists or no_lists()
        listed = set(self._lists.rules.tolist())
        rest = [n for n in range(len(rules)) if n not in listed]
        plain = headers.table[[numbers[n] for n in rest]]
        kind = _kinds(plain)
        paired = np.array([first_pair(rules[n][1], literals) >= 0 for n in rest], np.bool_)
        by_kind = np.lexsort((paired, kind))
        self._plain = plain[by_kind]
        self._kind_first = np.cumsum([0, *np.bincount(kind)]).astype(np.int32)
        self._kinds = self._plain[self._kind_first[:-1]]
        self._shorts = Shorts([rules[rest[n]][1] for n in by_kind.tolist()], literals)
        self._listed = headers.table[list(numbers) if listed else []]
        kinds = self._kinds, self._plain, self._kind_first
        self._class_kinds = words(np.concatenate([_classes(*kinds, odd=False), _classes(*kinds, odd=True)]))
        self._port_class, self._sport_kinds, self._dport_kinds = port_classes(self._kinds, headers.ports)
        self.make_scratch()

    def make_scratch(self) -> None:
        """Make room for what is found."""
        self._stamps = np.zeros(1 << 16, np.uint8)
        room = 4 * (self._plain.size + 2 * self._listed.size)
        self._out = np.empty(max(1 << 14, room), np.int32), np.empty(max(1 << 14, room), np.int32)

    @property
    def size(self) -> int:
        """How many rules there are."""
        return int(self._plain.size + self._listed.size)

    @property
    def asks_odd(self) -> bool:
        """Whether a rule is about something odd in a packet: `select` wants to know it then."""
        return bool(self._plain["event"].any() or self._listed["event"].any())

    def select(
        self, head: Headers, rows: np.ndarray, data: np.ndarray, at: np.ndarray, size: np.ndarray, base: np.ndarray,
        apps: np.ndarray, odd: np.ndarray = _NOTHING_ODD, heads: Heads = NO_HEADS,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """Return (row numbers, rule numbers), int32[k] each, in row order.

        head: those that the index was made of; rows: ROW[n], noted before; at, size: int32[n], where in data (uint8)
        the bytes stand that hold each literal of a rule that matches there; size -1: nobody knows. base: int64[n],
        their offset in the stream; apps: uint64[n], mask of the protocols that a row's flow may speak; odd:
        uint64[n, 4], see `oddities`; heads: of flows, where the bytes of some rows are not known.
        """
        none = np.empty(0, np.int32)
        if not self.size or not rows.size:
            return none, none
        state, lists = np.zeros(1, np.int32), self._lists
        table, short = head.at, self._shorts
        parts = []
        while state[0] < rows.size:
            self._stamps.fill(0)
            n = select_rows(
                rows, odd, data, at, size, base, apps, short.first, short.table, short.pool, short.pairs,
                self._stamps, self._plain, self._kinds, self._kind_first, self._class_kinds, self._port_class,
                self._sport_kinds, self._dport_kinds, head.ports, table.hi, table.lo, head.masks,
                head.flow_masks, head.rare, lists.at.hi, lists.at.lo, lists.first, lists.rules, self._listed,
                *self._out, state, *heads,
            )  # fmt: skip
            parts.append((self._out[0][:n].copy(), self._out[1][:n].copy()))
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _kinds(table: np.ndarray) -> np.ndarray:
    """Return int64[n]: which headers are the same but for the sizes of the payload; numbers from 0."""
    same = table.copy()
    same["rule"] = same["pay_low"] = same["pay_high"] = 0
    return np.unique(same, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _classes(kinds: np.ndarray, table: np.ndarray, first: np.ndarray, *, odd: bool) -> np.ndarray:
    """Return which kinds rows of each `kernels_rows.row_class` may match, bool[classes, kinds].

    table: HEADER[rules], kind by kind; first: where each begins; odd: those that ask for something odd in the packet,
    or the others.
    """
    least, most = _of_each(np.minimum, table["pay_low"], first), _of_each(np.maximum, table["pay_high"], first)
    opens = kinds["flags_mask"] & kinds["flags_value"] & SYN != 0
    shut = kinds["flags_mask"] & ~kinds["flags_value"] & SYN != 0
    bits = np.uint32(1) << np.arange(_BITS, dtype=np.uint32)[:, None, None, None]
    protos = (kinds["protos"] & bits != 0) & ((kinds["event"] != 0) == odd)
    sided = (kinds["side"] == 2) | (kinds["side"] == np.array([-1, 0, 1])[:, None, None])
    sizes = np.stack([(least <= 0) & ~opens, most > 0, (least <= 0) & ~shut])
    each: np.ndarray = protos & sided & sizes
    return each.reshape(math.prod(each.shape[:3]), kinds.size)


def _of_each(how: np.ufunc, values: np.ndarray, first: np.ndarray) -> np.ndarray:
    return how.reduceat(values, first[:-1]) if values.size else values


def on_fragments(rule: Rule, version: int) -> bool:
    """Tell whether a packet rule is judged on fragments of an IP version, of which only the IP header is known.

    Without ports a rule about a transport protocol is: the header of IPv4 names it. In IPv6 that is an extension
    header's business (RFC 8200 section 4.5).
    """
    if any(ports.include or ports.exclude for ports in (rule.sport, rule.dport)):
        return False
    return rule.proto in {"ip", "pkthdr"} or (version == 4 and rule.proto in _TRANSPORTS)


def header(number: int, rule: Rule, addresses: AddressIndex, ports: PortSets, scope: int = 0,
           apps: int = 0) -> tuple[int, ...]:  # fmt: skip
    """Return the HEADER record of a rule: implied by the rule, never narrower."""
    protos = _PROTO_BITS.get(rule.proto, 6) | (_OF_IPV4 if on_fragments(rule, 4) else 0)
    protos |= _OF_IPV6 if on_fragments(rule, 6) else 0
    pay_low, pay_high, number_of = 0, _NO_LIMIT, -1
    flags_mask = flags_value = event = 0
    for node in required(rule.body):
        if isinstance(node, BufferMatch):
            if node.buffer in {"payload", "payload_or_stream"} and not node.absent and not node.transforms:
                pay_low = max(pay_low, _least_size(node))
        elif isinstance(node, HeaderTest):
            if node.field in {"payload.size", "dsize"}:
                low, high = _bounds(node)
                pay_low, pay_high = max(pay_low, low), min(pay_high, high)
            elif node.field == "tcp.flags" and node.op in {"exact", "all", "none"}:
                mask = {"exact": 0xFF & ~node.mask, "all": node.value, "none": node.value & ~node.mask}[node.op]
                flags_mask, flags_value = mask, 0 if node.op == "none" else node.value & mask
            elif node.field == "decode.event" and node.op in {"=", "in"}:
                event = node.value + 1 if node.op == "=" else event or ANYTHING
            elif node.field == "tcp.event" and node.op in {"=", "in"}:
                event = node.value + 1 + _OF_TCP if node.op == "=" else event or ANYTHING
            elif node.field == "app.told" and node.op == "=" and node.value:
                event = TOLD + 1 + _OF_TCP
            elif node.field == "ip.proto" and node.op == "=" and node.value != _FRAGMENT_HEADER:
                protos &= _IP_PROTO_BIT.get(node.value, 1) | _FRAGMENTS
                number_of = min(node.value, 0x7FFF)
    if scope and not scope & PACKET:  # of which packet, the judge knows: these are chosen by what stands in for one
        pay_low, pay_high, flags_mask, flags_value, event = 0, _NO_LIMIT, 0, 0, 0
    sport, dport = ports.number(rule.sport), ports.number(rule.dport)
    if rule.proto == "icmp" or not protos & 6:
        sport = dport = 0
    side = side_of(rule)
    # Stream windows and transactions may be judged without a packet: their flows count as established.
    established = 2 if rule.established is None or scope != PACKET else int(rule.established)
    return (
        apps, number, protos, min(pay_low, _NO_LIMIT), pay_high, addresses.bit(rule.src), addresses.bit(rule.dst),
        sport, dport, number_of, flags_mask, flags_value, side, established, int(rule.bidirectional), scope, event,
    )  # fmt: skip


def side_of(rule: Rule) -> int:
    """Return `HEADER.side`: 0, 1, or 2: either."""
    return {"to_server": 0, "to_client": 1}.get(rule.direction, 2)


def _least_size(node: BufferMatch) -> int:
    """Return the fewest bytes that the buffer can have (its longest positive content)."""
    return max((len(t.pattern) for t in node.tests if isinstance(t, Content) and not t.negated), default=0)


def _bounds(node: HeaderTest) -> tuple[int, int]:
    value = node.value
    return {
        "=": (value, value), ">": (value + 1, _NO_LIMIT), ">=": (value, _NO_LIMIT), "<": (0, value - 1),
        "<=": (0, value), "<>": (value + 1, node.high - 1),
    }.get(node.op, (0, _NO_LIMIT))  # fmt: skip
