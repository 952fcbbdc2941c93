"""`tag`: the packets that follow an alert, to be logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.rules.nodes import TAG_ENDS, TAG_KINDS, TAG_UNITS, Tag
from sensor.rules.suricata.numbers import integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from sensor.rules.suricata.draft import Draft

_U32 = (1 << 32) - 1


def tag(draft: Draft, value: str) -> None:
    """`tag:session`, `tag:session,20,packets`, `tag:host,60,seconds,src`."""
    words = [word.strip() for word in value.split(",")]
    kind, measure, end = words[0], words[1:3], words[3:]
    if kind not in TAG_KINDS or len(words) not in {1, 3, 4} or (end and end[0] not in TAG_ENDS):
        raise Refused("has the form session,count,unit or host,count,unit,end", "session,20,packets")
    if measure and measure[1] not in TAG_UNITS:
        raise Refused(f"unknown unit '{measure[1][:20]}'", ", ".join(TAG_UNITS))
    made = Tag(kind, *((integer(measure[0], 0, _U32), measure[1]) if measure else ()))
    if kind == "host":
        made = Tag(kind, made.count, made.unit, end[0] if end else "dst")
    draft.values["tags"] = (*draft.values.get("tags", ()), made)
