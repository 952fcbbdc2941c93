"""Events of Suricata's decoder that say no more than numbers of the headers do: types and codes of ICMP."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.nodes import All, Any, AnyNode, HeaderTest, Not

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ICMP, _ICMP6 = 1, 58
_LAST_CODE: Mapping[int, int] = MappingProxyType(
    {0: 0, 3: 15, 4: 0, 5: 3, 8: 0, 11: 1, **dict.fromkeys(range(12, 19), 0)}
)
"""Type of ICMP → its highest code (RFC 792, 950, 1812), as Suricata has them: it does not know router solicitations,
and looks at no code of router advertisements."""
_ADVERTISEMENT = 9
_LAST_CODE6: Mapping[int, int] = MappingProxyType(
    {
        1: 6, 2: 0, 3: 1, 4: 2, 128: 0, 129: 0, 139: 2, 140: 2, 155: 3,
        **dict.fromkeys((*range(130, 138), *range(141, 150), 154, *range(156, 160)), 0),
    }
)  # fmt: skip
"""The same of ICMPv6 (RFC 4443, 4861, 2710, 4620 and IANA's list), router renumbering aside."""
_ANY_CODE6 = range(150, 154)
_RENUMBERING, _RENUMBERING_CODES = 138, (0, 1, 2, 255)
_EXPERIMENTAL = (100, 101, 200, 201)
_MLD = (130, 131, 132)
"""Multicast listener discovery (RFC 2710): its hop limit is 1."""
_KNOWN6 = (*_LAST_CODE6, *_ANY_CODE6, _RENUMBERING)
_UNASSIGNED6 = tuple(n for n in (*range(5, 127), *range(160, 256)) if n not in _EXPERIMENTAL)


def _of(version: int, proto: int) -> tuple[HeaderTest, ...]:
    return HeaderTest("ip.version", "=", version), HeaderTest("ip.proto", "=", proto)


_READ = (HeaderTest("icmp.type", ">=", 0),)
"""There is a whole header."""

_WHOLE = HeaderTest("ip.fragoffset", "=", 0), HeaderTest("ip.fragbits", "none", 1)
"""No fragment of IPv4."""


def _type(values: Iterable[int]) -> HeaderTest:
    return HeaderTest("icmp.type", "in", values=tuple(sorted(values)))


def _codes(last: Mapping[int, int]) -> Any:
    """Return the test of a code beyond those of its type."""
    by_last: dict[int, list[int]] = {}
    for number, code in last.items():
        by_last.setdefault(code, []).append(number)
    return Any(tuple(All((_type(types), HeaderTest("icmp.code", ">", code))) for code, types in by_last.items()))


_RENUMBERED = All((
    HeaderTest("icmp.type", "=", _RENUMBERING), Not(HeaderTest("icmp.code", "in", values=_RENUMBERING_CODES)),
))  # fmt: skip
EVENTS: Mapping[str, tuple[AnyNode, ...]] = MappingProxyType(
    {
        "icmpv4.unknown_type": (*_of(4, _ICMP), *_READ, Not(_type((*_LAST_CODE, _ADVERTISEMENT)))),
        "icmpv4.unknown_code": (*_of(4, _ICMP), _codes(_LAST_CODE)),
        "icmpv6.unknown_type": (*_of(6, _ICMP6), *_READ, Not(_type((*_KNOWN6, *_UNASSIGNED6, *_EXPERIMENTAL)))),
        "icmpv6.unassigned_type": (*_of(6, _ICMP6), _type(_UNASSIGNED6)),
        "icmpv6.experimentation_type": (*_of(6, _ICMP6), _type(_EXPERIMENTAL)),
        "icmpv6.unknown_code": (*_of(6, _ICMP6), Any((*_codes(_LAST_CODE6).children, _RENUMBERED))),
        "icmpv6.mld_message_with_invalid_hl": (*_of(6, _ICMP6), _type(_MLD), HeaderTest("ip.ttl", "!=", 1)),
        "ipv4.icmpv6": (*_of(4, _ICMP6), *_WHOLE),
        "ipv6.icmpv4": (*_of(6, _ICMP), HeaderTest("ip.len", ">=", 0)),  # asked of each packet, not of a flow
    }
)
"""Event → conditions that mean the same."""
