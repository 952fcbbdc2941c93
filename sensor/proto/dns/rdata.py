"""Data of resource records as text (RFC 1035 section 3.3, RFC 3596, RFC 2782)."""

from __future__ import annotations

import ipaddress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sensor.proto.dns import names
from sensor.proto.dns.parse import netbios, read_name
from sensor.proto.reader import Reader, WireError
from sensor.proto.text import text

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.proto.dns.parse import Record


def describe(data: bytes, record: Record) -> tuple[str | None, dict[str, Any] | None]:
    """Return a record's data as text, and as an object where EVE has one; (None, None): not readable.

    data: the whole message (names may point back into it).
    """
    form = _FORMS.get(record.rrtype)
    if form is None:
        return None, None
    reader = Reader(data, record.offset, record.offset + record.length)
    try:
        return form(reader)
    except WireError:
        return None, None


_Described = tuple[str, dict[str, Any] | None]


def _address4(reader: Reader) -> _Described:
    return str(ipaddress.IPv4Address(reader.take(4))), None


def _address6(reader: Reader) -> _Described:
    groups = [reader.u16() for _ in range(8)]
    return ":".join(f"{group:04x}" for group in groups), None


def _name(reader: Reader) -> _Described:
    return text(netbios(read_name(reader, {}))), None


def _exchange(reader: Reader) -> _Described:
    reader.skip(2)
    return _name(reader)


def _strings(reader: Reader) -> _Described:
    parts = []
    while reader.left():
        parts.append(reader.take(reader.u8()))
    return text(b"".join(parts)), None


def _authority(reader: Reader) -> _Described:
    out: dict[str, Any] = {"mname": text(read_name(reader, {})), "rname": text(read_name(reader, {}))}
    for key in ("serial", "refresh", "retry", "expire", "minimum"):
        out[key] = reader.u32()
    return " ".join(str(value) for value in out.values()), out


def _anything(reader: Reader) -> _Described:
    """NULL (RFC 1035 section 3.3.10): what tunnels through DNS like to use."""
    return text(reader.take(reader.left())), None


def _fingerprint(reader: Reader) -> _Described:
    """SSHFP (RFC 4255 section 3.1)."""
    algorithm, kind = reader.u8(), reader.u8()
    shown = reader.take(reader.left()).hex(":")
    return f"{algorithm} {kind} {shown}", {"fingerprint": shown, "algo": algorithm, "type": kind}


def _service(reader: Reader) -> _Described:
    out: dict[str, Any] = {"priority": reader.u16(), "weight": reader.u16(), "port": reader.u16()}
    name = text(netbios(read_name(reader, {})))
    return f"{out['priority']} {out['weight']} {out['port']} {name}", {**out, "name": name}


_FORMS: MappingProxyType[int, Callable[[Reader], _Described]] = MappingProxyType({
    names.A: _address4,
    names.NS: _name,
    names.CNAME: _name,
    names.SOA: _authority,
    names.NULL: _anything,
    names.PTR: _name,
    names.MX: _exchange,
    names.TXT: _strings,
    names.AAAA: _address6,
    names.SRV: _service,
    names.SSHFP: _fingerprint,
})  # fmt: skip
