"""Properties of MQTT 5 messages (section 2.2.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.mqtt.limits import MAX_ITEMS
from sensor.proto.reader import Reader, WireError
from sensor.proto.text import text


def varint(reader: Reader) -> int:
    """Read a variable byte integer of at most four bytes (section 1.5.5). Raises WireError."""
    value = 0
    for shift in (0, 7, 14, 21):
        byte = reader.u8()
        value |= (byte & 127) << shift
        if byte < 128:
            return value
    raise WireError("variable byte integer too long", reader.pos - 4)


def _string(reader: Reader) -> str:
    return text(reader.take(reader.u16()))


def _two(reader: Reader) -> int:
    return reader.u16()


def _one(reader: Reader) -> int:
    return reader.u8()


def _four(reader: Reader) -> int:
    return reader.u32()


_USER = 38
"""Identifier of a user property: name and value are both sent."""

_KINDS: Mapping[int, tuple[str, Callable[[Reader], Any]]] = MappingProxyType(
    {
        1: ("payload_format_indicator", _one),
        2: ("message_expiry_interval", _four),
        3: ("content_type", _string),
        8: ("response_topic", _string),
        9: ("correlation_data", _string),
        11: ("subscription_identifier", varint),
        17: ("session_expiry_interval", _four),
        18: ("assigned_client_identifier", _string),
        19: ("server_keep_alive", _two),
        21: ("authentication_method", _string),
        22: ("authentication_data", _string),
        23: ("request_problem_information", _one),
        24: ("will_delay_interval", _four),
        25: ("request_response_information", _one),
        26: ("response_information", _string),
        28: ("server_reference", _string),
        31: ("reason_string", _string),
        33: ("receive_maximum", _two),
        34: ("topic_alias_maximum", _two),
        35: ("topic_alias", _two),
        36: ("maximum_qos", _one),
        37: ("retain_available", _one),
        39: ("maximum_packet_size", _four),
        40: ("wildcard_subscription_available", _one),
        41: ("subscription_identifier_available", _one),
        42: ("shared_subscription_available", _one),
    }
)
"""Identifier → EVE name, reader (section 2.2.2.2)."""


def properties(reader: Reader) -> dict[str, Any]:
    """Read a property list with its length in front. Raises WireError.

    Behind an identifier that is not known nothing can be read: the rest of the list is passed over.
    """
    mine = reader.restrict(varint(reader))
    found: dict[str, Any] = {}
    while mine.left() and len(found) < MAX_ITEMS:
        number = varint(mine)
        if number == _USER:
            name = _string(mine)
            found[name] = _string(mine)
            continue
        kind = _KINDS.get(number)
        if kind is None:
            break
        found[kind[0]] = kind[1](mine)
    return found
