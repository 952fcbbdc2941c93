"""Group bits: which rules may matter for which bytes, as one 64-bit word.

A unit of bytes has up to three bits: the class of its source port, of its destination port, and its application
protocol. A rule has a bit for everything it could match. No common bit: no match, proved before Python sees a hit.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sensor.detect.headers.kernels_groups import unit_bits
from sensor.model.rows import APP_UNDECIDED
from sensor.rules.nodes import PortSet, Rule

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58

_TCP_CLASSES = (
    (),  # all other ports
    (80, 81, 3128, 5985, 5986, 8000, 8008, 8080, 8081, 8888),
    (443, 465, 636, 993, 995, 8443, 9443),
    (135, 139, 445),
    (53, 88, 389, 464, 3268),
    (20, 21, 25, 110, 143, 587),
    (22, 23, 3389, 5900, 5901),
    (1433, 1521, 3306, 5432, 6379, 9200, 27017),
)
_UDP_CLASSES = (
    (),
    (53, 137, 5353, 5355),
    (67, 68, 69, 123, 138, 161, 514, 1900),
    (88, 389, 443, 500, 4500, 5060),
)
_NT, _NU = len(_TCP_CLASSES), len(_UDP_CLASSES)
_SRC, _DST = 0, 1

_UDP_BASE = 4 * _NT  # tcp: side x (src, dst) x class
_ICMP_BIT = _UDP_BASE + 4 * _NU
_OTHER_BIT = _ICMP_BIT + 1
_APP_BASE = _OTHER_BIT + 1
_APP_LAST = 63 - _APP_BASE  # protocols beyond share the last bit
_OF_ITS_OWN = 8
"""A protocol has units of its own where it has more than one part in so many of the literals of all others."""


def _table(classes: tuple[tuple[int, ...], ...]) -> np.ndarray:
    table = np.zeros(65536, np.uint8)
    for number, ports in enumerate(classes):
        table[list(ports)] = number
    return table


class Cover(NamedTuple):
    """Units that share a table."""

    mask: int
    """Group bits that they may have, and no others."""
    sides: int
    """Which of the two they may be of, as bits."""


class Groups:
    """The port tables, and the masks of rule headers once they are known."""

    def __init__(self) -> None:
        self._tcp = _table(_TCP_CLASSES)
        self._udp = _table(_UDP_CLASSES)
        self._masks: dict[tuple[object, ...], int] = {}
        self._layout = np.array([_NT, _NU, _UDP_BASE, _ICMP_BIT, _OTHER_BIT, _APP_BASE, _APP_LAST], np.int64)

    def unit_bits(self, units: np.ndarray, rows: np.ndarray, flows: np.ndarray) -> np.ndarray:
        """Return uint64[n]: the bits of each unit. units: UNIT[n], rows: ROW[m], flows: FLOW[k]."""
        bits = np.empty(units.size, np.uint64)
        unit_bits(units, rows, flows, self._tcp, self._udp, self._layout, bits)
        return bits

    def rule_mask(self, rule: Rule, apps: tuple[int, ...]) -> int:
        """Return the bits a rule could match. apps: ids of its application protocols; empty for others."""
        key = (rule.proto, rule.sport, rule.dport, rule.direction, rule.bidirectional, apps)
        found = self._masks.get(key)
        if found is None:
            # Rule sets repeat a few headers thousands of times.
            found = self._masks[key] = self._mask(rule, apps)
        return found

    def app_mask(self, apps: tuple[int, ...]) -> int:
        """Return the bits of flows of application protocols, and of those that may turn out to be."""
        return sum({1 << (_APP_BASE + min(a, _APP_LAST)) for a in (*apps, APP_UNDECIDED)})

    def covers(self, masks: np.ndarray, sides: np.ndarray) -> tuple[Cover, ...]:
        """Return kinds of units of which each may hold few of the literals, or most traffic is.

        masks: uint64[n], group bits of the literals; sides: uint8[n], sides of each as bits. Units of which no protocol
        is known are none of them: any literal may stand there.
        """
        found = []
        for side in (0, 1):
            mine = masks[sides >> side & 1 != 0]
            found += _covers(mine, ((1 << 2 * _NT) - 1) << side * 2 * _NT, 1 << side)
            found += _covers(mine, ((1 << 2 * _NU) - 1) << (_UDP_BASE + side * 2 * _NU), 1 << side)[:1]
        return (*found, Cover(1 << _ICMP_BIT | 1 << _OTHER_BIT | _apps(), 3))

    def _mask(self, rule: Rule, apps: tuple[int, ...]) -> int:
        if apps:
            return self.app_mask(apps)
        mask = 0
        transports = transports_of(rule.proto)
        for src, dst in ((rule.sport, rule.dport), (rule.dport, rule.sport))[: 1 + rule.bidirectional]:
            if TCP in transports:
                mask |= self._ports(src, dst, rule.direction, self._tcp, 0, _NT)
            if UDP in transports:
                mask |= self._ports(src, dst, rule.direction, self._udp, _UDP_BASE, _NU)
        if ICMP in transports:
            mask |= 1 << _ICMP_BIT
        if 0 in transports:
            mask |= 1 << _OTHER_BIT
        return mask

    def _ports(self, src: PortSet, dst: PortSet, direction: str, table: np.ndarray, base: int, n: int) -> int:
        where, ports = (_DST, dst) if dst.include else (_SRC, src)
        classes = _classes(ports, table)
        sides = {"to_server": (0,), "to_client": (1,)}.get(direction, (0, 1))
        return sum(1 << (base + side * 2 * n + where * n + c) for side in sides for c in classes)


def _apps() -> int:
    """Return the bits of protocols that are known."""
    return sum(1 << (_APP_BASE + app) for app in range(APP_UNDECIDED + 1, _APP_LAST + 1))


def _covers(masks: np.ndarray, ports: int, sides: int) -> list[Cover]:
    """Return the kinds of units with some bits of ports: of protocols with many literals, and of all others."""
    others = masks[masks & np.uint64(ports) == 0]
    least = (masks.size - others.size) // _OF_ITS_OWN
    bits = [1 << (_APP_BASE + app) for app in range(APP_UNDECIDED + 1, _APP_LAST + 1)]
    many = [bit for bit in bits if np.count_nonzero(others & np.uint64(bit)) > least]
    return [Cover(ports | _apps() & ~sum(many), sides), *(Cover(ports | bit, sides) for bit in many)]


def _classes(ports: PortSet, table: np.ndarray) -> set[int]:
    if not ports.include:
        return set(range(int(table.max()) + 1))
    found: set[int] = set()
    for low, high in ports.include:
        found |= set(np.unique(table[low : high + 1]).tolist())
    return {int(c) for c in found}


def transports_of(proto: str) -> frozenset[int]:
    """Return the IP protocols that a rule header's word means (0: anything else)."""
    known = {
        "tcp": {TCP}, "tcp-pkt": {TCP}, "tcp-stream": {TCP}, "udp": {UDP}, "icmp": {ICMP, ICMP6}, "sctp": {0},
        "arp": {0}, "ip": {TCP, UDP, ICMP, ICMP6, 0}, "pkthdr": {TCP, UDP, ICMP, ICMP6, 0},
    }  # fmt: skip
    return frozenset(known.get(proto, {TCP, UDP}))
