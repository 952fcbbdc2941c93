"""Address and port groups: values in Suricata's list syntax, resolved to sets of ranges.

`[10.0.0.0/8,!10.1.0.0/16,$OTHER]` is the union of what is listed without `!`, less all that is listed with
it; a list of exclusions only starts from `any`. Nested lists and `!` before a list or a variable are exact.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules import ranges
from sensor.rules.nodes import AddressSet, PortSet
from sensor.rules.problems import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

_HOME, _ANY = "$HOME_NET", "any"
DEFAULT_ADDRESS_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "HOME_NET": "[192.168.0.0/16,10.0.0.0/8,172.16.0.0/12]",
        "EXTERNAL_NET": _ANY,  # guests are on both ends here: `!$HOME_NET` would silence most rules
        "HTTP_SERVERS": _HOME,
        "SMTP_SERVERS": _HOME,
        "SQL_SERVERS": _HOME,
        "DNS_SERVERS": _HOME,
        "TELNET_SERVERS": _HOME,
        "AIM_SERVERS": "$EXTERNAL_NET",
        "DC_SERVERS": _HOME,
        "DNP3_SERVER": _HOME,
        "DNP3_CLIENT": _HOME,
        "MODBUS_CLIENT": _HOME,
        "MODBUS_SERVER": _HOME,
        "ENIP_CLIENT": _HOME,
        "ENIP_SERVER": _HOME,
    }
)
DEFAULT_PORT_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "HTTP_PORTS": "80",
        "SHELLCODE_PORTS": "!80",
        "ORACLE_PORTS": "1521",
        "SSH_PORTS": "22",
        "DNP3_PORTS": "20000",
        "MODBUS_PORTS": "502",
        "FILE_DATA_PORTS": "[$HTTP_PORTS,110,143]",
        "FTP_PORTS": "21",
        "GENEVE_PORTS": "6081",
        "VXLAN_PORTS": "4789",
        "TEREDO_PORTS": "3544",
    }
)

_TOP_ADDRESS, _TOP_PORT = (1 << 128) - 1, 65535
_V4 = 0xFFFF << 32
"""Where IPv4 lies in the 128 bits (RFC 4291 section 2.5.5.2)."""
_EVERY_ADDRESS = ((bytes(16), b"\xff" * 16),)
_EVERY_PORT = ((0, _TOP_PORT),)
_NESTING = 32
_TOKENS = re.compile(r"\s*(?:(?P<sign>[\[\],!])|(?P<word>[^\s\[\],!]+))")
_NUMBER = re.compile(r"[0-9]{1,5}$")


class VariableError(ValueError):
    """A list, address, port or variable that cannot be resolved; `hint` may say what to write."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def _address(word: str) -> ranges.Ranges:
    if word.lower() == "any":
        return ((0, _TOP_ADDRESS),)
    low, dash, high = word.partition("-")
    try:
        if dash:
            first, last = ipaddress.ip_address(low), ipaddress.ip_address(high)
        else:
            net = ipaddress.ip_network(word, strict=False)
            first, last = net.network_address, net.broadcast_address
    except ValueError:
        raise VariableError(f"'{word}' is no address", _address_hint(word)) from None
    if first.version != last.version or int(first) > int(last) or "%" in word:
        raise VariableError(f"'{word}' is no range of addresses", "low-high, both IPv4 or both IPv6")
    base = _V4 if first.version == 4 else 0
    return ((base + int(first), base + int(last)),)


def _address_hint(word: str) -> str:
    if re.match(r"[A-Z][A-Z0-9_]+$", word):
        return f"a variable is written ${word}"
    return "an address, a network (10.0.0.0/8), a range (10.0.0.1-10.0.0.9), a $VARIABLE or any"


def _port(word: str) -> ranges.Ranges:
    if word.lower() == "any":
        return _EVERY_PORT
    low, colon, high = word.partition(":")
    if not colon:
        high = low
    ends = low or ("0" if colon else ""), high or (str(_TOP_PORT) if colon else "")
    if word == ":" or not all(_NUMBER.match(end) and int(end) <= _TOP_PORT for end in ends):
        hint = f"a variable is written ${word}" if re.match(r"[A-Z][A-Z0-9_]+$", word) else ""
        raise VariableError(
            f"'{word}' is no port", hint or "80, a range 1024:2048 or 1024: or :1023, a $VARIABLE or any"
        )
    if int(ends[0]) > int(ends[1]):
        raise VariableError(f"the port range '{word}' is upside down")
    return ((int(ends[0]), int(ends[1])),)


class _Space:
    """One kind of group: what an atom is, where the numbers end, and the named groups."""

    def __init__(self, atom: Callable[[str], ranges.Ranges], top: int, groups: Mapping[str, str]) -> None:
        self.atom = atom
        self.top = top
        self.groups = groups
        self._named: dict[str, ranges.Ranges] = {}
        self._open: list[str] = []

    def resolve(self, text: str) -> ranges.Ranges:
        """Return the set of a text. Raises VariableError."""
        tokens = self._tokens(text)
        value, rest = self._item(tokens, 0, 0)
        if rest != len(tokens):
            raise VariableError(f"'{text}': unexpected '{tokens[rest]}'", "put several values into [ ]")
        return value

    def _tokens(self, text: str) -> list[str]:
        tokens, at = [], 0
        stripped = text.rstrip()
        while at < len(stripped):
            found = _TOKENS.match(stripped, at)
            if found is None:  # pragma: no cover - the two classes cover every character
                raise VariableError(f"'{text}' cannot be read")
            tokens.append(found.group("sign") or found.group("word"))
            at = found.end()
        return tokens

    def _item(self, tokens: list[str], at: int, depth: int) -> tuple[ranges.Ranges, int]:
        negated = False
        while at < len(tokens) and tokens[at] == "!":
            negated, at = not negated, at + 1
        if at >= len(tokens) or tokens[at] in ("]", ","):
            raise VariableError("a value is missing", "80, any, $NAME, [a,b]")
        if tokens[at] == "[":
            value, at = self._list(tokens, at + 1, depth + 1)
        else:
            value, at = self._word(tokens[at]), at + 1
        return (ranges.complement(value, self.top) if negated else value), at

    def _list(self, tokens: list[str], at: int, depth: int) -> tuple[ranges.Ranges, int]:
        if depth > _NESTING:
            raise VariableError(f"lists nested deeper than {_NESTING}")
        wanted: list[tuple[int, int]] = []
        unwanted: list[tuple[int, int]] = []
        only_negated = True
        while True:
            negated = at < len(tokens) and tokens[at] == "!"
            value, at = self._item(tokens, at + negated, depth)
            (unwanted if negated else wanted).extend(value)
            only_negated = only_negated and negated
            if at >= len(tokens):
                raise VariableError("a list is not closed", "']' is missing")
            if tokens[at] == "]":
                break
            if tokens[at] != ",":
                raise VariableError(f"unexpected '{tokens[at]}' in a list", "separate values by ','")
            at += 1
        start = ((0, self.top),) if only_negated else ranges.union(wanted)
        return ranges.minus(start, ranges.union(unwanted), self.top), at + 1

    def _word(self, word: str) -> ranges.Ranges:
        if not word.startswith("$"):
            return self.atom(word)
        name = word[1:]
        if name in self._open:
            raise VariableError(f"the variable refers to itself: {' -> '.join([*self._open, name])}")
        if name not in self.groups:
            raise VariableError(f"the variable ${name} is not defined", suggest(name, self.groups))
        if name not in self._named:
            self._open.append(name)
            try:
                self._named[name] = self.resolve(self.groups[name])
            finally:
                self._open.pop()
        return self._named[name]


def listed(value: str | Sequence[str | int]) -> str:
    """Return one text for a value given as a list: `[a,b]`."""
    if isinstance(value, str):
        return value.strip()
    parts = [str(part).strip() for part in value]
    return parts[0] if len(parts) == 1 else f"[{','.join(parts)}]"


def _key(address: int) -> bytes:
    return address.to_bytes(16, "big")


class Variables:
    """Resolves the texts of rule headers; values are remembered, so that equal texts share one set."""

    def __init__(
        self,
        address_groups: Mapping[str, str | Sequence[str]] | None = None,
        port_groups: Mapping[str, str | int | Sequence[str | int]] | None = None,
        without: Collection[str] = (),
    ) -> None:
        """Add the given groups to the defaults, or replace those of the same name.

        without: features that are switched off (`ja4`): rules that require one are left out.
        """
        self.without = frozenset(without)
        self.address_groups = dict(DEFAULT_ADDRESS_GROUPS) | {k: listed(v) for k, v in (address_groups or {}).items()}
        self.port_groups = dict(DEFAULT_PORT_GROUPS) | {
            k: listed(str(v) if isinstance(v, int) else v) for k, v in (port_groups or {}).items()
        }
        self._address_space = _Space(_address, _TOP_ADDRESS, self.address_groups)
        self._port_space = _Space(_port, _TOP_PORT, self.port_groups)
        self._addresses: dict[str, AddressSet] = {}
        self._ports: dict[str, PortSet] = {}

    def addresses(self, text: str) -> AddressSet:
        """Return the set of an address text. Raises VariableError."""
        known = self._addresses.get(text)
        if known is None:
            known = self._addresses[text] = address_set(self._address_space.resolve(text), text)
        return known

    def ports(self, text: str) -> PortSet:
        """Return the set of a port text. Raises VariableError."""
        known = self._ports.get(text)
        if known is None:
            known = self._ports[text] = port_set(self._port_space.resolve(text), text)
        return known

    def problems(self) -> list[tuple[str, str, str]]:
        """Return (group, message, hint) for every group that cannot be resolved."""
        found = []
        for resolve, groups in ((self.addresses, self.address_groups), (self.ports, self.port_groups)):
            for name in groups:
                try:
                    resolve(f"${name}")
                except VariableError as error:
                    found.append((name, str(error), error.hint))
        return found

    def fingerprint(self) -> bytes:
        """Return 32 bytes that differ where a group or a feature differs."""
        groups = sorted(self.address_groups.items()), sorted(self.port_groups.items()), sorted(self.without)
        return hashlib.sha256(repr(groups).encode()).digest()


def address_set(found: ranges.Ranges, text: str) -> AddressSet:
    """Return merged ranges of 128-bit numbers in the shorter of the two forms; none: `exclude` everything."""
    outside = ranges.complement(found, _TOP_ADDRESS)
    if not found or len(outside) < len(found):
        return AddressSet(exclude=tuple((_key(low), _key(high)) for low, high in outside), text=text)
    if not outside:
        return AddressSet(text=text)
    return AddressSet(include=tuple((_key(low), _key(high)) for low, high in found), text=text)


def port_set(found: ranges.Ranges, text: str) -> PortSet:
    """Return merged ranges of ports in the shorter of the two forms; nothing is `exclude` everything."""
    outside = ranges.complement(found, _TOP_PORT)
    if not found or len(outside) < len(found):
        return PortSet(exclude=outside, text=text)
    return PortSet(include=found, text=text) if outside else PortSet(text=text)


def is_never(group: AddressSet | PortSet) -> bool:
    """Return whether the set holds nothing at all."""
    return group.exclude in (_EVERY_ADDRESS, _EVERY_PORT)
