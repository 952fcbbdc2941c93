"""Header predicates of rules, and their use on the rows of a block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from sensor.detect.groups import ICMP, ICMP6, TCP, UDP
from sensor.detect.kernels_prefilter import PREDICATE, select_rows
from sensor.rules.nodes import All, AnyNode, BufferMatch, Content, HeaderTest, PortSet, Rule

_PROTO_BITS = {
    "tcp": 2, "tcp-pkt": 2, "tcp-stream": 2, "udp": 4, "icmp": 8 | 16, "sctp": 1, "arp": 32, "ip": 31 | 64,
    "pkthdr": 63 | 64,
}  # fmt: skip
_IP_PROTO_BIT = {TCP: 2, UDP: 4, ICMP: 8, ICMP6: 16}
_FRAGMENTS = 64
_NO_LIMIT = 2**31 - 1


class HeaderIndex:
    """Packet rules without a usable literal."""

    def __init__(self, rules: Sequence[tuple[int, Rule]]) -> None:
        self._preds = np.array([predicate(number, rule) for number, rule in rules], PREDICATE)
        self._grow(max(1 << 14, 4 * len(rules)))

    def _grow(self, n: int) -> None:
        self._out = np.empty(n, np.int32), np.empty(n, np.int32)

    def select(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (row numbers, rule numbers), int32[k] each, in row order. rows: ROW[n]."""
        none = np.empty(0, np.int32)
        if not self._preds.size or not rows.size:
            return none, none
        state = np.zeros(1, np.int32)
        parts = []
        while state[0] < rows.size:
            n = select_rows(rows, self._preds, *self._out, state)
            parts.append((self._out[0][:n].copy(), self._out[1][:n].copy()))
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def predicate(number: int, rule: Rule) -> tuple[int, ...]:
    """Return the PREDICATE record of a rule: implied by the rule, never narrower."""
    protos = _PROTO_BITS.get(rule.proto, 6)
    pay_low, pay_high = 0, _NO_LIMIT
    flags_mask = flags_value = 0
    for node in required(rule.body):
        if isinstance(node, BufferMatch):
            if node.buffer in {"payload", "payload_or_stream"} and not node.absent and not node.transforms:
                pay_low = max(pay_low, _least_size(node))
        elif isinstance(node, HeaderTest):
            if node.field in {"payload.size", "dsize"}:
                low, high = _bounds(node)
                pay_low, pay_high = max(pay_low, low), min(pay_high, high)
            elif node.field == "tcp.flags" and node.op in {"exact", "all", "none"}:
                mask = {"exact": 0xFF & ~node.mask, "all": node.value, "none": node.value}[node.op]
                flags_mask, flags_value = mask, 0 if node.op == "none" else node.value & mask
            elif node.field == "ip.proto" and node.op == "=":
                protos &= _IP_PROTO_BIT.get(node.value, 1) | _FRAGMENTS
    (sl, sh), (dl, dh) = _hull(rule.sport), _hull(rule.dport)
    side = {"to_server": 0, "to_client": 1}.get(rule.direction, 2)
    if rule.proto == "icmp" or not protos & 6:
        sl, sh, dl, dh = 0, 65535, 0, 65535
    return number, protos, sl, sh, dl, dh, pay_low, pay_high, flags_mask, flags_value, side, int(rule.bidirectional)


def required(node: AnyNode) -> Iterator[AnyNode]:
    """Yield the conditions that every match of a body satisfies (below `All` only)."""
    if isinstance(node, All):
        for child in node.children:
            yield from required(child)
    else:
        yield node


def _least_size(node: BufferMatch) -> int:
    """Return the fewest bytes that the buffer can have (its longest positive content)."""
    return max((len(t.pattern) for t in node.tests if isinstance(t, Content) and not t.negated), default=0)


def _bounds(node: HeaderTest) -> tuple[int, int]:
    value = node.value
    return {
        "=": (value, value), ">": (value + 1, _NO_LIMIT), ">=": (value, _NO_LIMIT), "<": (0, value - 1),
        "<=": (0, value), "<>": (value + 1, node.high - 1),
    }.get(node.op, (0, _NO_LIMIT))  # fmt: skip


def _hull(ports: PortSet) -> tuple[int, int]:
    if not ports.include:
        return 0, 65535
    return min(low for low, _ in ports.include), max(high for _, high in ports.include)
