"""Headers of a migration stream: bytes to values.

xl's header: `tools/xl/xl.h`; libxl: docs/specs/libxl-migration-stream.pandoc; libxc:
docs/specs/libxc-migration-stream.pandoc of Xen.
"""

from __future__ import annotations

import struct
from typing import Any, Literal

import msgspec

SAVED = b"Xen saved domain, xl format\n \0 \r"
LIBXL = b"LibxlFmt"
LIBXC = b"\xff" * 8
IMAGE = b"XENF"
SAVED_REST, LIBXL_REST, LIBXL_RECORD, LIBXC_REST, DOMAIN = 16, 8, 8, 16, 16
"""Bytes behind the first eight (xl: behind its 32), of a record's header, of the domain's header."""
LIBXC_CONTEXT = 1
"""Type of the libxl record behind which libxc's stream begins."""
_TYPES = ("", "x86 PV", "x86 HVM")

_LITTLE_ENDIAN = 0x01020304
_STREAM_V2 = 2
"""Mandatory flag of xl's header: what follows is a libxl stream."""
_BIG = 1
"""Option of libxl and libxc: records are big-endian."""

Order = Literal["<", ">"]


class SavedHeader(msgspec.Struct, frozen=True):
    """What xl puts in front."""

    config: int
    """Bytes of the guest's configuration, which follows."""
    streamed: bool
    """A libxl stream comes behind it."""


class Domain(msgspec.Struct, frozen=True):
    """The domain header of libxc."""

    kind: int
    page_shift: int
    major: int
    minor: int


class _Info(msgspec.Struct):
    name: str = ""
    uuid: str = ""


class _Config(msgspec.Struct):
    c_info: _Info = msgspec.field(default_factory=_Info)


def saved_header(data: bytes) -> SavedHeader | None:
    """Parse the 16 bytes behind xl's magic; None: they are none."""
    for order in "<>":
        mark, mandatory, _, size = struct.unpack(f"{order}4I", data)
        if mark == _LITTLE_ENDIAN:
            return SavedHeader(size, bool(mandatory & _STREAM_V2))
    return None


def guest(config: bytes) -> tuple[str, str]:
    """Return name and UUID of the guest whose configuration this is (length, then JSON); empty: not told."""
    try:
        info = msgspec.json.decode(config[4:].rstrip(b"\0"), type=_Config).c_info
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return "", ""
    return info.name, info.uuid


def libxl_header(data: bytes) -> tuple[int, Order] | None:
    """Parse what stands behind libxl's mark: version and order of bytes in records."""
    version, options = struct.unpack(">II", data)
    return (version, ">" if options & _BIG else "<") if 1 <= version <= 2 else None


def record(data: bytes, order: Order) -> tuple[int, int]:
    """Return type and length of a libxl record."""
    kind, size = struct.unpack(f"{order}II", data)
    return kind, size


def libxc_header(data: bytes) -> tuple[int, Order] | None:
    """Parse what stands behind libxc's mark."""
    version, options = struct.unpack(">4xIH6x", data)
    good = data[:4] == IMAGE and 1 <= version <= 3
    return (version, ">" if options & _BIG else "<") if good else None


def domain(data: bytes, order: Order) -> Domain | None:
    """Parse libxc's domain header; None: it is none."""
    kind, page_shift, major, minor = struct.unpack(f"{order}IH2xII", data)
    return Domain(kind, page_shift, major, minor) if kind and page_shift else None


def fields(found: Domain) -> dict[str, Any]:
    """Return what EVE says of a domain."""
    return {
        "domain_type": _TYPES[found.kind] if found.kind < len(_TYPES) else f"type {found.kind}",
        "page_size": 1 << min(found.page_shift, 63),
        "xen_version": f"{found.major}.{found.minor}",
    }
