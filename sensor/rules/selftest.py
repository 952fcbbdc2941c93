"""The examples of rules as checks to run: what to send, and what must come of it. The engine runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sensor.rules.check import transports
from sensor.rules.compile import protocol
from sensor.rules.variables import is_never

if TYPE_CHECKING:
    from sensor.rules.nodes import AddressSet, Example, PortSet, Rule

_TCP, _UDP = 6, 17
_CLIENT, _SERVER = "10.11.0.2", "10.11.0.3"
_CANDIDATE_PORTS = (80, 53, 443, 22, 40000)
_SIXTEEN = 16
_MAPPED = b"\x00" * 10 + b"\xff\xff"


class Flow(msgspec.Struct, frozen=True):
    """One forged conversation of client and server."""

    transport: int
    """IP protocol number: TCP or UDP."""
    client: bytes
    """4 or 16 address bytes."""
    server: bytes
    client_port: int
    server_port: int
    side: str
    """Who sends the payload: `to_server` or `to_client`."""
    payload: bytes


class Check(msgspec.Struct, frozen=True):
    """One example of one rule."""

    gid: int
    sid: int
    number: int
    """Position among the rule's examples, from 1."""
    match: bool
    """Whether the rule must alert."""
    count: int
    """Alerts expected; 0: at least one."""
    pcap: str = ""
    """File below `pcaps/`, or empty: forge `flow`."""
    flow: Flow | None = None
    note: str = ""
    refused: str = ""
    """Why the check cannot be run (it counts as failed)."""


def checks(rule: Rule) -> tuple[Check, ...]:
    """Return the checks that the rule's examples demand, in order."""
    return tuple(_check(rule, number, example) for number, example in enumerate(rule.examples, 1))


def _check(rule: Rule, number: int, example: Example) -> Check:
    base = Check(rule.gid, rule.sid, number, example.match, example.count, example.pcap, note=example.note)
    if rule.unmatchable and example.match:
        return msgspec.structs.replace(base, refused=f"the rule can never match: {rule.unmatchable}")
    if example.pcap:
        return base
    flow = _flow(rule, example)
    if isinstance(flow, str):
        return msgspec.structs.replace(base, refused=flow)
    return msgspec.structs.replace(base, flow=flow)


def _flow(rule: Rule, example: Example) -> Flow | str:
    """Return a conversation in which the payload goes from an allowed source to an allowed destination."""
    allowed = transports(rule.proto)
    transport = _TCP if allowed is None or _TCP in allowed else _UDP if _UDP in allowed else 0
    if not transport:
        return f"a payload cannot be forged for protocol {rule.proto}: use a pcap"
    upward = example.side == "to_server"
    src, dst = (_CLIENT, _SERVER) if upward else (_SERVER, _CLIENT)
    ends = address(rule.src, src), address(rule.dst, dst)
    ports = _port(rule, rule.sport, server=not upward), _port(rule, rule.dport, server=upward)
    if ends[0] is None or ends[1] is None or ports[0] is None or ports[1] is None:
        return "no address or port satisfies the rule's header"
    order = (0, 1) if upward else (1, 0)
    client, server = (ends[i] for i in order)
    client_port, server_port = (ports[i] for i in order)
    if client is None or server is None or client_port is None or server_port is None:
        return "no address or port satisfies the rule's header"
    if len(client) != len(server):
        return "source and destination must be both IPv4 or both IPv6: use a pcap"
    return Flow(transport, client, server, client_port, server_port, example.side, example.payload)


def address(group: AddressSet, preferred: str) -> bytes | None:
    """Return an address of the set, the preferred IPv4 one if it is in it; None where the set is empty."""
    wish = _MAPPED + bytes(map(int, preferred.split(".")))
    if is_never(group):
        return None
    candidates = [wish, *(low for low, _ in group.include), *(_after(high) for _, high in group.exclude)]
    for candidate in candidates:
        if candidate and holds(group, candidate):
            return candidate[12:] if candidate.startswith(_MAPPED) else candidate
    return None


def _after(high: bytes) -> bytes:
    number = int.from_bytes(high, "big") + 1
    return number.to_bytes(_SIXTEEN, "big") if number < 1 << 128 else b""


def holds(group: AddressSet, candidate: bytes) -> bool:
    """Return whether 16 address bytes are in the set."""
    inside = not group.include or any(low <= candidate <= high for low, high in group.include)
    return inside and not any(low <= candidate <= high for low, high in group.exclude)


def _port(rule: Rule, group: PortSet, *, server: bool) -> int | None:
    from_rule = [low for low, _ in group.include] + [high + 1 for _, high in group.exclude]
    usual = _usual_ports(rule) + _CANDIDATE_PORTS if server else (40000, *_CANDIDATE_PORTS)
    for port in (*usual, *from_rule):
        inside = not group.include or any(low <= port <= high for low, high in group.include)
        if 0 < port <= 65535 and inside and not any(low <= port <= high for low, high in group.exclude):
            return port
    return None


def _usual_ports(rule: Rule) -> tuple[int, ...]:
    spec = protocol(rule)
    return spec.ports if spec else ()
