"""The header of a rule: action, protocol, addresses, ports, direction."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sensor.rules import buffers
from sensor.rules.header import ACTIONS, CORE_PROTOCOLS
from sensor.rules.nodes import HeaderTest
from sensor.rules.problems import one_of
from sensor.rules.suricata import refusal
from sensor.rules.suricata.refusal import Refused
from sensor.rules.variables import VariableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sensor.rules.context import Context
    from sensor.rules.suricata.split import Part

_IPV4, _IPV6 = "0.0.0.0/0", "!0.0.0.0/0"
_VERSION: Mapping[str, str] = MappingProxyType({"ipv4": _IPV4, "ip4": _IPV4, "ipv6": _IPV6, "ip6": _IPV6})
_ICMP: Mapping[str, int] = MappingProxyType({"icmpv4": 1, "icmpv6": 58})
_DIRECTION: Mapping[str, bool] = MappingProxyType({"->": False, "<>": True})


def action(word: str) -> str:
    """Return the action. Raises Refused."""
    name = word.lower()
    if name == "config":
        raise Refused(refusal.reason(name))
    if name not in ACTIONS:
        raise Refused(f"unknown action '{word[:30]}'", one_of(name, ACTIONS))
    return name


def protocol(word: str) -> str:
    """Return the protocol by its own name. Raises Refused."""
    name = word.lower()
    if name in _VERSION:
        return "ip"
    if name in _ICMP:
        return "icmp"
    if name in CORE_PROTOCOLS:
        return name
    spec = buffers.application(name)
    if spec is not None:
        return buffers.word(spec, name)
    if refusal.is_protocol(name):
        raise Refused(f"protocol '{name}': {refusal.not_parsed(name)}")
    raise Refused(f"unknown protocol '{word[:30]}'", one_of(name, (*CORE_PROTOCOLS, *buffers.protocol_words())))


def conditions(word: str) -> list[HeaderTest]:
    """Return what a protocol word demands besides the protocol."""
    name = word.lower()
    return [HeaderTest("ip.proto", "=", _ICMP[name])] if name in _ICMP else []


def direction(word: str) -> bool:
    """Return whether the rule is about both directions. Raises Refused."""
    if word not in _DIRECTION:
        raise Refused(f"unknown direction '{word[:20]}'", "-> or <>")
    return _DIRECTION[word]


def ends(words: Sequence[Part], ctx: Context) -> Iterator[tuple[Part, Callable[[], dict[str, Any]]]]:
    """Yield each of addresses and ports with the function that reads it; those raise Refused."""
    proto, src, sport, dst, dport = words[1], words[2], words[3], words[5], words[6]
    version = _VERSION.get(proto.text.lower(), "")
    at_dst = src.text.lower() != "any" and dst.text.lower() == "any"
    yield src, lambda: {"src": _resolve(ctx.variables.addresses, _narrow(src.text, "" if at_dst else version))}
    yield sport, lambda: {"sport": _resolve(ctx.variables.ports, sport.text)}
    yield dst, lambda: {"dst": _resolve(ctx.variables.addresses, _narrow(dst.text, version if at_dst else ""))}
    yield dport, lambda: {"dport": _resolve(ctx.variables.ports, dport.text)}


def _narrow(text: str, version: str) -> str:
    """Return the addresses of one IP version among those of a text: both ends of a packet have the same."""
    if not version:
        return text
    return version if text.lower() == "any" else f"[{text},![!{version}]]".replace("!!", "")


def _resolve(find: Callable[[str], Any], text: str) -> Any:  # noqa: ANN401 - AddressSet or PortSet
    text = f"[{text}]" if "," in text and "[" not in text else text
    try:
        return find(text)
    except VariableError as error:
        raise Refused(str(error), error.hint) from None
