"""Names of buffers in rules: those of packets and streams, and those of the application protocols.

A buffer that exists on both sides of a transaction has a twin `NAME@to_client`. Authors write `NAME` and get
the side of the rule's `flow`; `NAME@to_server` and `NAME@to_client` name a side explicitly, and `NAME@either`
means that of either side in a rule without direction (`BufferMatch.either`).
"""

from __future__ import annotations

import functools
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.registry import BUFFERS, BY_NAME, BY_WORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.model.app import BufferSpec, ProtocolSpec

PAYLOAD, STREAM, EITHER = "payload", "stream", "payload_or_stream"

CORE: Mapping[str, str] = MappingProxyType(
    {
        PAYLOAD: "payload of the packet",
        STREAM: "inspection window of the reassembled stream",
        EITHER: "the stream for TCP that is reassembled, the packet's payload otherwise",
        "ip.src": "source address, 4 or 16 bytes",
        "ip.dst": "destination address, 4 or 16 bytes",
        "ether.hdr": "Ethernet header with its VLAN tags",
        "ipv4.hdr": "IPv4 header with options",
        "ipv6.hdr": "IPv6 header without extension headers",
        "tcp.hdr": "TCP header with options",
        "udp.hdr": "UDP header",
        "icmp.hdr": "ICMP header, either version",
        "icmpv4.hdr": "ICMP header of IPv4",
        "icmpv6.hdr": "ICMPv6 header",
    }
)
"""Buffers of packets and streams, and what they hold."""

_CLIENT, _SERVER = "@to_client", "@to_server"
EITHER_SIDE = "@either"


@functools.lru_cache(maxsize=16_384)
def find(name: str, proto: str = "") -> tuple[ProtocolSpec, BufferSpec] | None:
    """Return protocol and specification of a name as in `BufferMatch.buffer`; None for core buffers.

    Where several protocols have such a buffer: that of the protocol word, else the first.
    """
    found = BUFFERS.get(name)
    if found is None:
        return None
    if len(found) > 1 and proto in BY_WORD:
        return next((entry for entry in found if entry[0] in BY_WORD[proto]), found[0])
    return found[0]


def is_application(name: str) -> bool:
    """Return whether the buffer belongs to an application protocol."""
    return name in BUFFERS


def resolve(name: str, direction: str) -> str | None:
    """Return the final name for a name in a rule, or None where there is no such buffer."""
    if name in CORE:
        return name
    base = name.removesuffix(_SERVER)
    found = BUFFERS.get(base)
    if found is None:
        return None
    final = found[0][1].name
    twin = BUFFERS.get(final + _CLIENT)
    if base == name and direction == "to_client" and twin is not None:
        return twin[0][1].name
    return final if base == name or twin is not None else None


def written(final: str, direction: str) -> str:
    """Return the name that `resolve` takes back to `final` in a rule of this direction."""
    base = final.removesuffix(_CLIENT)
    if resolve(base, direction) == final:
        return base
    return final if resolve(final, direction) == final else base + _SERVER


def base(name: str) -> str:
    """Return a name without the side that it names."""
    return name.partition("@")[0]


def names() -> tuple[str, ...]:
    """Return all names that rules may use, aliases and explicit sides included."""
    twins = [name.removesuffix(_CLIENT) for name in BUFFERS if name.endswith(_CLIENT)]
    sided = [name + suffix for suffix in (_SERVER, EITHER_SIDE) for name in twins]
    return (*CORE, *BUFFERS, *sided)


def has_twin(name: str) -> bool:
    """Return whether the buffer exists on both sides."""
    return name.removesuffix(_CLIENT) + _CLIENT in BUFFERS


def protocol_words() -> tuple[str, ...]:
    """Return all words that name an application protocol."""
    return tuple(BY_WORD)


def word(spec: ProtocolSpec, name: str) -> str:
    """Return a protocol's own name, unless it means more than the name given (`http1`: no HTTP/2)."""
    return spec.name if BY_WORD[spec.name] == BY_WORD[name] else name


def application(proto: str) -> ProtocolSpec | None:
    """Return the application protocol that a rule's protocol word names."""
    return BY_NAME.get(proto)
