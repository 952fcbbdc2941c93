"""Packets as tshark dissects them, by way of pyshark: one process for all packets that are wanted of a capture.

What it dissects is hostile. It resolves no names, and runs with an empty home: personal settings, plugins and Lua
scripts of whoever looks at a capture stay out (the folder of plugins hangs on HOME, not on WIRESHARK_CONFIG_DIR).
"""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from types import MappingProxyType, ModuleType
from typing import Any, Final

from sensor.errors import SensorError, UsageError

PACKETS_MAX: Final = 1000
"""Packets of one run: the filter that names them is one argument."""
PATIENCE: Final = 300.0
"""Seconds for tshark, if nobody says how many."""
_NAMES_MAX: Final = 500
_FIELDS_MAX: Final = 2000
_TEXT_MAX: Final = 1 << 16
"""Names of fields in a layer, fields, and characters of one."""

_TRANSPORTS: Final = frozenset({"tcp", "udp", "udplite", "sctp", "dccp", "icmp", "icmpv6", "igmp"})
_ENDS: Final = MappingProxyType({
    "eth": ("eth.src", "eth.dst"), "ip": ("ip.src", "ip.dst"), "ipv6": ("ipv6.src", "ipv6.dst"),
    "tcp": ("tcp.srcport", "tcp.dstport"), "udp": ("udp.srcport", "udp.dstport"),
    "sctp": ("sctp.srcport", "sctp.dstport"), "arp": ("arp.src.proto_ipv4", "arp.dst.proto_ipv4"),
})  # fmt: skip
"""Layer → fields of its two ends."""
_MAIN: Final = MappingProxyType({
    "eth": ("eth.type",), "ip": ("ip.proto", "ip.ttl", "ip.len"), "ipv6": ("ipv6.nxt", "ipv6.hlim", "ipv6.plen"),
    "tcp": ("tcp.flags", "tcp.seq", "tcp.ack", "tcp.len"), "udp": ("udp.length",), "arp": ("arp.opcode",),
    "http": ("http.request.method", "http.request.uri", "http.host", "http.response.code", "http.content_type"),
    "dns": ("dns.flags", "dns.qry.name", "dns.a", "dns.aaaa"),
    "tls": ("tls.record.version", "tls.handshake.type", "tls.handshake.extensions_server_name"),
    "vlan": ("vlan.id",), "vxlan": ("vxlan.vni",), "geneve": ("geneve.vni",), "gre": ("gre.proto",),
})  # fmt: skip
"""Layer → what its summary names; of others, the first fields."""
_FIRST: Final = 3
_GOING: Final = 0.2
"""Seconds that tshark has to end when it has said all: pyshark would kill it, and not learn how it ended."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field. name: as of Wireshark, empty for lines of text. value: as `-T fields` shows it. text: for people."""

    name: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer. application: it is behind the transport, or the last one where nothing is."""

    name: str
    fields: tuple[Field, ...]
    application: bool

    @property
    def summary(self) -> str:
        """What matters most, in one line."""
        by_name: dict[str, Field] = {}
        for field in self.fields:
            by_name.setdefault(field.name, field)
        ends = [by_name[name].value for name in _ENDS.get(self.name, ()) if name in by_name]
        names = _MAIN.get(self.name) or [n for n in by_name if n and not n.startswith("_ws.")][:_FIRST]
        main = [f"{name.rpartition('.')[2]}: {by_name[name].text}" for name in names if name in by_name]
        return ", ".join([" → ".join(ends), *main] if ends else main)


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet. length: bytes on the wire, as text."""

    number: int
    length: str
    layers: tuple[Layer, ...]


def tools() -> tuple[ModuleType, str]:
    """Return pyshark and the path of tshark. Raises UsageError with what to install."""
    program = shutil.which("tshark")
    if program is None:
        raise UsageError("tshark is not installed, and it is what dissects packets: apt-get install tshark")
    try:
        import pyshark  # noqa: PLC0415 - an extra, that nothing else needs
    except ImportError as e:
        raise UsageError("pyshark is not installed, which reads what tshark says: pip install 'xensor[analyst]'") from e
    found: ModuleType = pyshark
    return found, program


def dissect(path: str, numbers: Collection[int], take: Callable[[Packet], None], patience: float = PATIENCE) -> None:
    """Hand on the packets of a capture with the numbers (at most PACKETS_MAX), in their order.

    patience: seconds. Raises UsageError where something is not installed, SensorError where tshark fails.
    """
    pyshark, program = tools()
    options = {
        "keep_packets": False, "tshark_path": program,
        "display_filter": " || ".join(f"frame.number=={n}" for n in sorted(numbers)),
        "custom_parameters": ["-c", str(max(numbers))],  # nothing behind the last one is read
    }  # fmt: skip
    failures = (
        pyshark.capture.capture.TSharkCrashException, pyshark.tshark.tshark.TSharkVersionException,
        subprocess.SubprocessError, OSError, ValueError,
    )  # fmt: skip
    taker = _Taker(take)
    try:
        with _empty_home(), _quiet():
            _run(pyshark, path, options, taker, patience)
    except (BrokenPipeError, SensorError):
        raise
    except TimeoutError as e:
        raise SensorError(f"{path}: tshark took more than {patience:g} s, and was ended") from e
    except configparser.Error as e:
        raise SensorError(f"config.ini in this folder is not pyshark's, which reads it: go elsewhere: {e}") from e
    except failures as e:
        if taker.taken < len(set(numbers)):  # what is wrong behind the last of them is nobody's concern
            raise SensorError(f"{path}: {_reason(str(e))}") from e


def _reason(text: str) -> str:
    """Return of what pyshark says what tshark has said."""
    mark = "Last error line: "
    said = [line.removeprefix(mark).strip() for line in text.splitlines() if line.startswith(mark)]
    return "tshark: " + (said[0] if said else text).removeprefix("tshark: ")


class _Taker:
    """What pyshark calls with each packet."""

    def __init__(self, take: Callable[[Packet], None]) -> None:
        self._take = take
        self.taken = 0

    def __call__(self, packet: Any) -> None:  # noqa: ANN401 - pyshark has no types
        self._take(packet_of(packet))
        self.taken += 1


def _run(pyshark: ModuleType, path: str, options: dict[str, Any], take: _Taker, patience: float) -> None:
    loop = asyncio.new_event_loop()  # pyshark's own way to get one is gone in Python 3.14
    try:
        capture = pyshark.FileCapture(path, eventloop=loop, **options)
        try:
            loop.run_until_complete(_all(capture, take, patience))
        finally:
            _close(capture)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left))
        loop.close()


def _close(capture: Any) -> None:  # noqa: ANN401 - pyshark has no types
    """End tshark. Raises what pyshark finds wrong with how it ended."""
    try:
        capture.close()
    finally:
        # One that has failed stays in there, and is closed anew when the capture is collected, behind the loop's end.
        capture._running_processes.clear()  # noqa: SLF001


async def _all(capture: Any, take: _Taker, patience: float) -> None:  # noqa: ANN401 - pyshark has no types
    async with asyncio.timeout(patience):
        await capture.packets_from_tshark(take, close_tshark=False)
    await asyncio.sleep(_GOING)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep asyncio from logging that pyshark has killed what had just ended."""
    log = logging.getLogger("asyncio")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


@contextlib.contextmanager
def _empty_home() -> Iterator[None]:
    """Give the processes that are started inside an empty folder for a home."""
    before = {name: os.environ[name] for name in os.environ if name == "HOME" or name.startswith("WIRESHARK_")}
    with tempfile.TemporaryDirectory(prefix="xensor-dissect-") as folder:
        try:
            for name in before:
                del os.environ[name]
            os.environ["HOME"] = os.environ["WIRESHARK_CONFIG_DIR"] = folder
            yield
        finally:
            del os.environ["HOME"], os.environ["WIRESHARK_CONFIG_DIR"]
            os.environ.update(before)


def packet_of(packet: Any) -> Packet:  # noqa: ANN401 - pyshark has no types
    """Return a packet of pyshark's as one of ours."""
    names = [str(layer.layer_name) for layer in packet.layers]
    transport = max((i for i, name in enumerate(names) if name in _TRANSPORTS), default=-1)
    first = min(transport + 1, len(names) - 1) if transport >= 0 else len(names) - 1
    layers = [Layer(name, _fields(packet.layers[i]), i >= first) for i, name in enumerate(names)]
    return Packet(int(packet.number), str(packet.length), tuple(layers))


def _fields(layer: Any) -> tuple[Field, ...]:  # noqa: ANN401 - pyshark has no types
    """Return the fields that Wireshark shows of a layer, in the order of their bytes."""
    found: list[tuple[int, Any]] = []
    before = 0
    for name in layer.field_names[:_NAMES_MAX]:
        for i, field in enumerate(layer.get_field(name).all_fields):
            at = _number(field.pos)
            if not _number(field.size) and (i == 0 or not at):
                at = max(at, before)  # worked out by Wireshark: belongs to what stands in front of it
            if i == 0:
                before = at
            if not field.hide:
                found.append((at, field))
    found.sort(key=lambda one: one[0])  # pyshark has put those of one name together
    made = (_field(field) for _, field in found[:_FIELDS_MAX])
    return tuple(field for field in made if field.name or field.text)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdecimal() else 0


def _field(field: Any) -> Field:  # noqa: ANN401 - pyshark has no types
    value = str(field.show or field.raw_value or "")[:_TEXT_MAX]
    text = str(field.showname_value or "")[:_TEXT_MAX] or value or str(field.showname or "")[:_TEXT_MAX]
    return Field(str(field.name or ""), value, text.removesuffix("\\r\\n"))
