"""What single messages say, for EVE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.text import text

_ERRORS: Mapping[int, str] = MappingProxyType(
    {
        ord("S"): "severity_localizable", ord("V"): "severity_non_localizable", ord("C"): "code", ord("M"): "message",
        ord("D"): "detail", ord("H"): "hint", ord("P"): "position", ord("q"): "internal_query", ord("W"): "where",
        ord("s"): "schema_name", ord("t"): "table_name", ord("c"): "column_name", ord("n"): "constraint_name",
        ord("F"): "file", ord("L"): "line", ord("R"): "routine",
    }
)  # fmt: skip
_AUTHENTICATION: Mapping[int, str] = MappingProxyType(
    {
        0: "authentication_ok", 3: "authentication_cleartext_password", 5: "authentication_md5_password",
        7: "authentication_gss", 9: "authentication_sspi", 10: "authentication_sasl",
        11: "authentication_sasl_continue", 12: "authentication_sasl_final",
    }
)  # fmt: skip
_MAX_FIELDS = 64
"""Parameters or fields of one message that are read."""


def pairs(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield names and values, each ended by a zero; an empty name ends them."""
    words = body.split(b"\0", 2 * _MAX_FIELDS)
    for name, value in zip(words[::2], words[1::2], strict=False):
        if not name:
            return
        yield name, value


def startup(body: bytes) -> tuple[bytes, dict[str, Any]]:
    """Return user and request of a log-on. body: version and parameters."""
    version = f"{int.from_bytes(body[:2], 'big')}.{int.from_bytes(body[2:4], 'big')}"
    user, others = b"", []
    for name, value in pairs(body[4:]):
        if name == b"user":
            user = value
        else:
            others.append({text(name): text(value)})
    shown: dict[str, Any] = {"user": text(user)}
    if others:
        shown["optional_parameters"] = others
    return user, {"protocol_version": version, "startup_parameters": shown}


def error(body: bytes) -> dict[str, Any]:
    """Return the fields of an error."""
    found = {}
    for field in body.split(b"\0", _MAX_FIELDS)[:_MAX_FIELDS]:
        if not field:
            break
        if field[0] in _ERRORS:
            found[_ERRORS[field[0]]] = text(field[1:])
    return found


def authentication(body: bytes) -> tuple[int, str]:
    """Return number and name of what the server says to a log-on."""
    kind = int.from_bytes(body[:4], "big")
    return kind, _AUTHENTICATION.get(kind, f"authentication_{kind}")


def note(shown: dict[str, Any], kind: bytes, body: bytes, size: int) -> None:
    """Add to an answer what a message says that neither begins nor ends one. size: of its body as announced."""
    match kind:
        case b"S":
            listed = shown.setdefault("parameter_status", [])
            if len(listed) < _MAX_FIELDS:
                listed += [{text(name): text(value)} for name, value in pairs(body)]
        case b"K":
            shown["process_id"] = int.from_bytes(body[:4], "big")
        case b"T":
            shown["field_count"] = int.from_bytes(body[:2], "big")
        case b"D":
            shown["data_rows"] = shown.get("data_rows", 0) + 1
            shown["data_size"] = shown.get("data_size", 0) + size
        case b"C":
            shown["command_completed"] = text(body.partition(b"\0")[0])
