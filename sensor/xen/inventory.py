"""The guests of a host: a file of JSON or YAML, written by `xensor-mirror publish` in dom0 or by hand (docs/guests.md).

A mapping with `host` and `guests`; each guest has `name`, `uuid`, `domid` and `vifs`; each vif `mac`, `name`, `bridge`
and `addresses`. Only names and MAC addresses are required.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

import yaml

from sensor.xen.report import ReportError

MAX_BYTES: Final = 256 << 10
"""Of a file: about 1000 guests. PyYAML needs up to a second for it, JSON 2 ms."""
MAX_GUESTS: Final = 1024
_MAX_VIFS: Final = 32
"""Of one guest."""
_MAX_ADDRESSES: Final = 64
"""Of one vif."""
_MAX_TEXT: Final = 128
_DOMID_END: Final = 0x7FF0
"""DOMID_FIRST_RESERVED (xen/xen.h)"""
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True)
class Guest:
    """A domain."""

    name: str
    uuid: str = ""
    domid: int = -1
    """-1: not told. Another one at each start of the guest."""


@dataclass(frozen=True, slots=True)
class Vif:
    """A network card of a guest."""

    guest: Guest
    mac: str
    """As EVE writes it."""
    name: str = ""
    """Of dom0's side: `vif5.0`."""
    bridge: str = ""
    addresses: tuple[bytes, ...] = ()
    """Packed IP addresses that the toolstack knows of; often none."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """The guests at one time."""

    guests: tuple[Guest, ...] = ()
    vifs: tuple[Vif, ...] = ()
    host: str = ""
    """Name of the host, empty: not told."""


def parse(text: str) -> Inventory:
    """Return the inventory. Raises ReportError with what is wrong and where: half of one would name wrong guests."""
    if len(text) > MAX_BYTES:
        raise ReportError(f"longer than {MAX_BYTES} bytes")
    whole = _mapping(_tree(text), "an inventory")
    guests = _list(whole, "guests", MAX_GUESTS, "the inventory")
    return inventory(guests, _text(whole, "host", "the inventory"))


def inventory(guests: Sequence[object], host: str = "") -> Inventory:
    """Return the inventory of guests that are mappings (see above). Raises ReportError."""
    found, vifs = [], []
    for number, item in enumerate(guests, 1):
        guest, own = _guest(_mapping(item, f"guest {number}"), f"guest {number}")
        found.append(guest)
        vifs += own
    return Inventory(tuple(found), tuple(vifs), host)


def _tree(text: str) -> object:
    """Read JSON, or YAML in which every scalar stays text: a MAC address such as 52:54:00:12:34:56 is no number."""
    try:
        if text.lstrip()[:1] == "{":
            return json.loads(text)
        return yaml.load(text, Loader=yaml.CBaseLoader)  # noqa: S506 - makes text, lists and mappings, nothing else
    except (ValueError, RecursionError) as e:
        raise ReportError(f"no JSON: {e}") from e
    except yaml.YAMLError as e:
        raise ReportError(f"no YAML: {' '.join(str(e).split())}") from e


def _guest(item: Mapping[str, Any], where: str) -> tuple[Guest, list[Vif]]:
    name = _text(item, "name", where)
    if not name:
        raise ReportError(f"{where} has no name")
    guest = Guest(name, _text(item, "uuid", where).lower(), _domid(item, where))
    vifs = _list(item, "vifs", _MAX_VIFS, where)
    return guest, [_vif(guest, _mapping(vif, f"a vif of {where}"), where) for vif in vifs]


def _vif(guest: Guest, item: Mapping[str, Any], where: str) -> Vif:
    mac = _text(item, "mac", where).lower().replace("-", ":")
    if not _MAC.fullmatch(mac):
        raise ReportError(f"{where} ({guest.name}): {mac!r} is no MAC address")
    addresses = []
    for one in _list(item, "addresses", _MAX_ADDRESSES, where):
        try:
            addresses.append(ip_address(str(one)).packed)
        except ValueError as e:
            raise ReportError(f"{where} ({guest.name}): {e}") from e
    return Vif(guest, mac, _text(item, "name", where), _text(item, "bridge", where), tuple(addresses))


def _domid(item: Mapping[str, Any], where: str) -> int:
    value = item.get("domid")
    if value is None:
        return -1
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < _DOMID_END):
        raise ReportError(f"{where}: {text[:_MAX_TEXT]!r} is no domid")
    return int(text)


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ReportError(f"{what} must be a mapping")
    return value


def _list(item: Mapping[str, Any], name: str, most: int, where: str) -> Sequence[Any]:
    value = item.get(name) or []
    if not isinstance(value, list) or len(value) > most:
        raise ReportError(f"{where}: {name} must be a list of at most {most}")
    return value


def _text(item: Mapping[str, Any], name: str, where: str) -> str:
    value = item.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ReportError(f"{where}: {name} must be text")
    return value[:_MAX_TEXT]
