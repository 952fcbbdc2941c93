"""Who is which guest, as only this host knows: published to the sensor, which names guests in its alerts by it.

The toolstack's own nodes are read (`backend/vif`, `name`, `vm`), which no guest can write.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import zlib
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from xensor_mirror import xenstore
from xensor_mirror.system import MirrorError, interface, run

VERSION = 1
NAME = "guests"
"""Of the folder in xenstore, below the sensor's."""
_VIFS = "/local/domain/0/backend/vif"
_NODE = re.compile(r"/local/domain/0/backend/vif/(\d+)/(\d+)/(mac|ip|bridge|vifname) = \"(.*)\"")
_UUID = re.compile(r"/vm/([0-9a-fA-F-]{36})")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_GUESTS = 1024
"""The sensor takes no more; so of what follows."""
_CARDS = 32
_ADDRESSES = 64
_TEXT = 128
_PART = xenstore.PAYLOAD - 256
"""Bytes of one value, its path left out."""

Guest = dict[str, Any]


def guests() -> list[Guest]:
    """Return the guests that have vifs. Raises MirrorError where xenstore does not answer."""
    nodes = _nodes(run("xenstore-ls", "-f", _VIFS))
    domains = sorted({domid for domid, _ in nodes})[:_GUESTS]
    told = _names(domains)
    return [
        _guest(domid, told[domid], {number: nodes[domid, number] for one, number in nodes if one == domid})
        for domid in domains if domid in told
    ]  # fmt: skip


def _nodes(listing: str) -> dict[tuple[int, int], dict[str, str]]:
    """Return (domain, number of the vif) → what is said of it."""
    found: dict[tuple[int, int], dict[str, str]] = {}
    for line in listing.splitlines():
        node = _NODE.match(line)
        if node:
            found.setdefault((int(node[1]), int(node[2])), {})[node[3]] = node[4]
    return found


def _names(domains: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return domain → (name, UUID). All are asked for at once; one that goes meanwhile fails that for all."""
    paths = [path for domid in domains for path in (f"/local/domain/{domid}/name", f"/local/domain/{domid}/vm")]
    try:
        lines = run("xenstore-read", *paths).splitlines() if paths else []
    except MirrorError:
        lines = []
    if len(lines) == len(paths):
        return {domid: (lines[2 * at], _uuid(lines[2 * at + 1])) for at, domid in enumerate(domains)}
    if len(domains) < 2:
        return {}
    return {domid: told for one in domains for domid, told in _names([one]).items()}


def _uuid(text: str) -> str:
    found = _UUID.match(text)
    return found[1] if found else ""


def _guest(domid: int, told: tuple[str, str], vifs: dict[int, dict[str, str]]) -> Guest:
    name, uuid = told
    cards = [card for number, said in sorted(vifs.items()) if (card := _card(domid, number, said))]
    return {"name": name[:_TEXT] or f"domain-{domid}", "uuid": uuid, "domid": domid, "vifs": cards[:_CARDS]}


def _card(domid: int, number: int, said: dict[str, str]) -> dict[str, Any]:
    mac = said.get("mac", "").lower()
    if not _MAC.fullmatch(mac):
        return {}
    card: dict[str, Any] = {"mac": mac, "name": said.get("vifname") or f"vif{domid}.{number}"}
    if said.get("bridge"):
        card["bridge"] = said["bridge"]
    addresses = list(_addresses(said.get("ip", "")))[:_ADDRESSES]
    if addresses:
        card["addresses"] = addresses
    return card


def _addresses(text: str) -> Iterable[str]:
    """Yield the addresses of `ip=` in a guest's configuration, where networks may stand, too."""
    for word in text.replace(",", " ").split():
        with contextlib.suppress(ValueError):
            yield str(ip_address(word))


def values(found: Sequence[Guest], host: str) -> dict[str, str]:
    """Return name → value of what is written below the sensor's folder; the head is last.

    The generation is that of the content: nothing is written anew, nor read, while nothing has changed.
    """
    groups = list(_groups(found))
    generation = f"{zlib.crc32(json.dumps([host, found]).encode()):08x}"
    parts = {f"{NAME}/{at}": _text({"generation": generation, "guests": one}) for at, one in enumerate(groups)}
    head = {"version": VERSION, "generation": generation, "parts": len(groups), "host": host}
    return {**parts, NAME: _text(head)}


def _groups(found: Sequence[Guest]) -> Iterable[list[Guest]]:
    """Yield the guests in groups that fit into one value each."""
    group: list[Guest] = []
    size = 64
    for guest in map(_fitting, found):
        own = len(_text(guest)) + 1
        if group and size + own > _PART:
            yield group
            group, size = [], 64
        group.append(guest)
        size += own
    if group:
        yield group


def _fitting(guest: Guest) -> Guest:
    """Leave out what makes one guest too long for a value: its addresses first."""
    if len(_text(guest)) + 128 <= _PART:
        return guest
    bare = {**guest, "vifs": [{"mac": card["mac"], "name": card["name"]} for card in guest["vifs"]]}
    while len(_text(bare)) + 128 > _PART:
        bare["vifs"].pop()
    return bare


def host_itself(bridges: Iterable[str]) -> list[Guest]:
    """Return this host as a guest among others: what it sends into a bridge has the bridge's own MAC address."""
    cards = [{"mac": mac, "name": bridge, "bridge": bridge} for bridge in bridges if (mac := _own_mac(bridge))]
    return [{"name": "Domain-0", "domid": 0, "vifs": cards[:_CARDS]}] if cards else []


def _own_mac(bridge: str) -> str:
    try:
        text = (interface(bridge) / "address").read_text().strip().lower()
    except OSError:
        return ""
    return text if _MAC.fullmatch(text) and text != "00:00:00:00:00:00" else ""


def publish(sensors: Iterable[int], bridges: Iterable[str], path: Path) -> list[str]:
    """Hand the inventory to the sensor: by xenstore, and by a file; return what went wrong."""
    if not xenstore.present():  # nobody here knows any guests
        return []
    try:
        found = host_itself(bridges) + guests()
    except MirrorError as e:
        return [str(e)]
    host = socket.gethostname()[:_TEXT]
    fresh = path.with_name(path.name + ".new")
    text = json.dumps({"host": host, "guests": found}, indent=1) + "\n"
    if not path.exists() or path.read_text() != text:
        fresh.write_text(text)
        fresh.replace(path)
    wrong = []
    for domain in sorted(sensors):
        try:
            _write(domain, values(found, host))
        except MirrorError as e:  # noqa: PERF203 - one sensor
            wrong.append(str(e))
    return wrong


def _write(domain: int, wanted: dict[str, str]) -> None:
    if xenstore.value(domain, NAME) != wanted[NAME]:
        for name, value in wanted.items():
            xenstore.publish(domain, name, value)


def _text(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
