"""Keywords that list flags by name: `mqtt.flags:dup,!retain`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.mqtt.transaction import CONNECT_FLAGS, MESSAGE_FLAGS
from sensor.proto.websocket.fields import FLAGS as WEBSOCKET_FLAGS
from sensor.rules import fields
from sensor.rules.nodes import HeaderTest
from sensor.rules.suricata import apps
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.rules.suricata.draft import Draft

FLAGS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {"mqtt.flags": MESSAGE_FLAGS, "mqtt.connect.flags": CONNECT_FLAGS, "websocket.flags": WEBSOCKET_FLAGS}
)
"""Numbers of transactions whose bits have names."""


def flags(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of a keyword: bits that must be set, or clear, in one message."""
    bits = FLAGS[name]
    compare = apps.number(name)

    def handle(draft: Draft, value: str) -> None:
        if compare is not None and any(letter.isdigit() for letter in value):
            compare(draft, value)
            return
        wanted = {True: 0, False: 0}
        for word in value.strip('" ').split(","):
            flag = word.strip().lower()
            bit = bits.get(flag.removeprefix("!").strip())
            if bit is None:
                raise Refused(f"unknown flag '{flag[:20]}'", ", ".join(bits))
            wanted[not flag.startswith("!")] |= bit
        mask, top = wanted[True] | wanted[False], fields.BY_NAME[name].high
        fits = tuple(number for number in range(top + 1) if number & mask == wanted[True])
        draft.conditions.append(HeaderTest(name, "in", values=fits))

    return handle
