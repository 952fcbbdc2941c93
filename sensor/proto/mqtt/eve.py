"""The `mqtt` object of EVE (Suricata's names). Passwords are left out, as in Suricata's defaults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sensor.proto.mqtt.parse import (
    CONNACK,
    FLAG_CLEAN,
    FLAG_PASSWORD,
    FLAG_USERNAME,
    FLAG_WILL,
    FLAG_WILL_RETAIN,
    KINDS,
    SUBACK,
    SUBSCRIBE,
    UNASSIGNED,
    UNSUBACK,
    UNSUBSCRIBE,
    Connect,
    Message,
)
from sensor.proto.text import text


def fields(messages: Iterable[Message]) -> dict[str, Any]:
    """Return the object of an exchange: one key a message."""
    return {KINDS[one.kind]: _message(one) for one in messages if one.kind != UNASSIGNED}


def _message(one: Message) -> dict[str, Any]:
    found: dict[str, Any] = {"qos": one.qos, "retain": bool(one.flags & 1), "dup": bool(one.flags & 8)}
    if one.skipped:
        return found | {"truncated": True, "skipped_length": one.skipped}
    if one.connect is not None:
        found |= _connect(one.connect)
    if one.kind == CONNACK:
        found["session_present"] = one.session_present
    if one.topic:
        found["topic"] = text(one.topic)
    if one.number is not None:
        found["message_id"] = one.number
    if one.payload:
        found["message"] = text(one.payload)
    return found | _lists(one) | ({"properties": one.properties} if one.properties else {})


def _lists(one: Message) -> dict[str, Any]:
    """Return topics and reason codes under the names of their kinds."""
    if one.kind == SUBSCRIBE:
        return {"topics": [{"topic": text(topic), "qos": options} for topic, options in one.topics]}
    if one.kind == UNSUBSCRIBE:
        return {"topics": [text(topic) for topic, _ in one.topics]}
    if one.kind == SUBACK:
        return {"qos_granted": list(one.reasons)}
    if not one.reasons:
        return {}
    if one.kind == UNSUBACK:
        return {"reason_codes": list(one.reasons)}
    return {"return_code" if one.kind == CONNACK else "reason_code": one.reasons[0]}


def _connect(info: Connect) -> dict[str, Any]:
    found: dict[str, Any] = {
        "protocol_string": text(info.protocol),
        "protocol_version": info.version,
        "client_id": text(info.client_id),
        "flags": {
            "username": bool(info.flags & FLAG_USERNAME),
            "password": bool(info.flags & FLAG_PASSWORD),
            "will_retain": bool(info.flags & FLAG_WILL_RETAIN),
            "will": bool(info.flags & FLAG_WILL),
            "clean_session": bool(info.flags & FLAG_CLEAN),
        },
    }
    if info.username is not None:
        found["username"] = text(info.username)
    if info.will_topic is not None and info.will_message is not None:
        found["will"] = {"topic": text(info.will_topic), "message": text(info.will_message)}
        if info.will_properties:
            found["will"]["properties"] = info.will_properties
    return found
