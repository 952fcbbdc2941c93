"""Keywords about application protocols that name no buffer: numbers of transactions, events, frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.proto.registry import NUMBERS
from sensor.rules import buffers, fields
from sensor.rules.nodes import HeaderTest
from sensor.rules.suricata.numbers import comparison
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.rules.suricata.draft import Draft

_FRAME = "frame."
"""A frame is a buffer of this name and the frame's."""


def number(name: str) -> Callable[[Draft, str], None] | None:
    """Return the handler of a comparison with a number of transactions; None: it names none."""
    field = fields.BY_NAME.get(name)
    if field is None or field.name not in NUMBERS:
        return None

    def handle(draft: Draft, value: str) -> None:
        words = [word.strip() for word in value.strip('" ').split(",")]
        if len(words) == 1:
            found = comparison(words[0], field.high, field.names)
            draft.conditions.append(HeaderTest(field.name, found.op, found.low, found.high))
            return
        listed = [comparison(word, field.high, field.names) for word in words]
        if any(one.op != "=" for one in listed):
            raise Refused("a list holds values, no comparisons")
        draft.conditions.append(HeaderTest(field.name, "in", values=tuple(one.low for one in listed)))

    return handle


def event(draft: Draft, value: str) -> None:
    """`app-layer-event:http.double_encoded_uri`."""
    field = fields.BY_NAME[fields.APP_EVENT]
    name = value.strip().lower()
    found = field.names.get(name, field.names.get(f"applayer.{name.removeprefix('applayer_')}"))
    if found is None:
        raise Refused(f"the event '{name[:60]}' is not told apart here")
    draft.conditions.append(HeaderTest(field.name, "=", found))


def frame(draft: Draft, value: str) -> None:
    """`frame:mqtt.pdu`, `frame:pdu` in a rule of one protocol: the bytes of a protocol's message."""
    name = value.strip()
    for full in (name, f"{draft.proto}.{name}"):
        found = buffers.find(_FRAME + full)
        if found is not None:
            draft.select(found[1].name)
            return
    raise Refused(f"the frame '{name[:40]}' is not cut out here")
