"""The `ike` object of EVE (Suricata's names). It tells of one message: what earlier ones said is in their records."""

from __future__ import annotations

from typing import Any

from sensor.model.app import TO_CLIENT
from sensor.proto.ike import names
from sensor.proto.ike.parse import INITIATOR, V1, IkeMessage
from sensor.proto.ike.sa import Transform

_FIRST_STATUS = 16384
"""Notifications below report errors (RFC 7296 section 3.10.1)."""


def fields(message: IkeMessage, side: int) -> dict[str, Any]:
    """Return the EVE object of a side's message."""
    found: dict[str, Any] = {
        "version_major": message.version,
        "version_minor": message.minor,
        "init_spi": message.init_spi.hex(),
        "resp_spi": message.resp_spi.hex(),
        "message_id": message.message_id,
        "exchange_type": message.exchange,
    }
    known = names.PAYLOADS[message.version - 1]
    kinds = [known[kind] for kind in dict.fromkeys(message.payloads) if kind in known]
    if message.version == V1:
        return found | _version1(message, side, kinds)
    return found | _version2(message, kinds)


def _version1(message: IkeMessage, side: int, kinds: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    sets = [attributes(t) for proposal in message.proposals for t in proposal.transforms]
    if side == TO_CLIENT and sets:
        found |= sets[0]
        if len(sets) > 1:
            found["server_proposals"] = sets
    found["payload"] = kinds + ["Proposal"] * bool(message.proposals) + ["Transform"] * bool(sets)
    detail: dict[str, Any] = {} if message.doi is None else {"doi": message.doi}
    detail["encrypted_payloads"] = message.encrypted
    if not message.encrypted:
        ends: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        ends[side].update(_secrets(message))
        if side != TO_CLIENT and sets:
            ends[0]["proposals"] = sets
        detail["client"], detail["server"] = ends
        if message.vendors:
            detail["vendor_ids"] = [vendor.hex() for vendor in message.vendors]
    return found | {"ikev1": detail}


def _secrets(message: IkeMessage) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, raw in (("key_exchange_payload", message.key_exchange), ("nonce_payload", message.nonce)):
        if raw:
            found |= {name: raw.hex(), f"{name}_length": len(raw)}
    return found


def attributes(transform: Transform) -> dict[str, Any]:
    """Return the attributes of a transform of version 1, each with its word and as it is."""
    found: dict[str, Any] = {}
    for kind, value in transform.attributes:
        name = names.ATTRIBUTES.get(kind, "unknown")
        number = value if isinstance(value, int) else -1
        found[name] = names.VALUES.get((kind, number), "Unknown")
        found[f"{name}_raw"] = value if isinstance(value, int) else value.hex()
    return found


def _version2(message: IkeMessage, kinds: list[str]) -> dict[str, Any]:
    initiator = bool(message.flags & INITIATOR)
    found: dict[str, Any] = {"role": "initiator" if initiator else "responder"}
    if not initiator:
        for proposal in message.proposals:
            for one in proposal.transforms:
                if one.kind in names.KINDS:
                    found[names.KINDS[one.kind]] = names.ALGORITHMS.get((one.kind, one.number), str(one.number))
    found["payload"] = kinds
    detail: dict[str, Any] = {"errors": sum(number < _FIRST_STATUS for number in message.notifies)}
    if message.notifies:
        detail["notify"] = [names.notification(number) for number in message.notifies]
    return found | {"ikev2": detail}
