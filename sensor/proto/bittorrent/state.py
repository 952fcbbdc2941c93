"""Messages of the hash table (BEP 5): bytes to an EVE object in Suricata's names."""

from __future__ import annotations

from typing import Any

from sensor.model import addr
from sensor.model.anomaly import AppAnomaly
from sensor.proto.bittorrent.bencode import BencodeError, Decoder, Value
from sensor.proto.messages import MessageParser, Reading
from sensor.proto.text import text

MAX_PEERS = 128
"""Nodes or peers of one answer that are read; a datagram has room for some 55."""
_ID = 20
"""Bytes of a node's id."""


def read(data: bytes, side: int) -> Reading | None:  # noqa: ARG001 - see `sensor.proto.messages.Read`
    """Return what a message says; None: it is malformed."""
    try:
        message = Decoder(data).message()
        found = _fields(message)
    except BencodeError:
        return None
    request = message.get(b"a")
    hashed = request.get(b"info_hash") if isinstance(request, dict) else None
    return Reading({"bittorrent_dht.info_hash": (hashed,)} if isinstance(hashed, bytes) else {}, {}, found)


def _fields(message: dict[bytes, Value]) -> dict[str, Any]:
    kind = message.get(b"y")
    found: dict[str, Any] = {"transaction_id": _bytes(message, b"t").hex()}
    if b"v" in message:
        found["client_version"] = _bytes(message, b"v").hex()
    if kind == b"q":
        return found | {"request_type": text(_bytes(message, b"q")), "request": _request(_part(message, b"a"))}
    if kind == b"r":
        return found | {"response": _response(_part(message, b"r"))}
    if kind == b"e":
        return found | {"error": _error(message.get(b"e"))}
    raise BencodeError("no kind of message")


def _bytes(part: dict[bytes, Value], key: bytes) -> bytes:
    value = part.get(key)
    if not isinstance(value, bytes):
        raise BencodeError("no string")
    return value


def _part(message: dict[bytes, Value], key: bytes) -> dict[bytes, Value]:
    value = message.get(key)
    if not isinstance(value, dict):
        raise BencodeError("no dictionary")
    return value


def _request(part: dict[bytes, Value]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": _bytes(part, b"id").hex()}
    for key in (b"target", b"info_hash", b"token"):
        if key in part:
            found[key.decode()] = _bytes(part, key).hex()
    for key in (b"implied_port", b"port"):
        number = part.get(key)
        if isinstance(number, int) and 0 <= number <= 0xFFFF:
            found[key.decode()] = number
    return found


def _response(part: dict[bytes, Value]) -> dict[str, Any]:
    found: dict[str, Any] = {"id": _bytes(part, b"id").hex()}
    for key, size in ((b"nodes", 4), (b"nodes6", 16)):
        if part.get(key):
            found[key.decode()] = _nodes(_bytes(part, key), size)
    values = part.get(b"values")
    if isinstance(values, list):
        found["values"] = [_peer(one) for one in values[:MAX_PEERS] if isinstance(one, bytes) and len(one) in (6, 18)]
    if b"token" in part:
        found["token"] = _bytes(part, b"token").hex()
    return found


def _nodes(raw: bytes, size: int) -> list[dict[str, Any]]:
    step = _ID + size + 2
    if len(raw) % step:
        raise BencodeError("nodes")
    parts = (raw[at : at + step] for at in range(0, min(len(raw), step * MAX_PEERS), step))
    return [{"id": part[:_ID].hex(), **_peer(part[_ID:])} for part in parts]


def _peer(raw: bytes) -> dict[str, Any]:
    """Return address and port of compact peer info."""
    ip, words = raw[:-2], int.from_bytes(raw[:-2], "big")
    shown = addr.text(4, 0, words) if len(ip) == 4 else addr.text(6, words >> 64, words & (1 << 64) - 1)
    return {"ip": shown, "port": int.from_bytes(raw[-2:], "big")}


def _error(value: Value | None) -> dict[str, Any]:
    if not isinstance(value, list) or len(value) < 2:
        raise BencodeError("no error")
    number, message = value[:2]
    if not isinstance(number, int) or not isinstance(message, bytes):
        raise BencodeError("no error")
    return {"num": number, "msg": text(message)}


def datagram_parser() -> MessageParser:
    """Return the parser of a datagram."""
    return MessageParser(read, None, AppAnomaly.BITTORRENT_DHT_MALFORMED_PACKET)
