"""`content`, `uricontent` and the modifiers behind them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.rules import literal
from sensor.rules.suricata.draft import Pending
from sensor.rules.suricata.numbers import integer, integer_or_name
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.rules.suricata.draft import Draft

_HEX = re.compile(r"\|[0-9A-Fa-f\s]*\|")
_FAR = 1 << 31
_MAX_DISTANCE = 1 << 20
"""Suricata's bound of distance and within (detect-content.h: DETECT_CONTENT_VALUE_MAX)."""


def quoted(value: str) -> tuple[str, bool]:
    """Return what stands between the quotes, and whether a `!` stands before them. Raises Refused."""
    negated = value.startswith("!")
    text = value[1:].lstrip() if negated else value
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise Refused("a text in quotes is missing", '"…"')
    return text[1:-1], negated


def pattern(value: str) -> Pending:
    """Return the content of a quoted literal. Raises Refused."""
    text, negated = quoted(value)
    try:
        data = literal.parse(text)
    except literal.LiteralError as error:
        data = _loose(text, error)
    if not data:
        raise Refused("the content is empty")
    return Pending(data, negated)


def loose_pattern(value: str) -> Pending:
    """Return the content of a literal that may lack its quotes: some keywords do without. Raises Refused."""
    return pattern(value if '"' in value or not value else f'"{value}"')


def _loose(text: str, fault: literal.LiteralError) -> bytes:
    """Read a literal in which blanks part the two digits of a byte. Raises Refused: `fault`, where that is not it."""
    try:
        return literal.parse(_HEX.sub(lambda found: "".join(found.group().split()), text))
    except literal.LiteralError:
        raise Refused(str(fault), fault.hint) from None


def content(draft: Draft, value: str) -> None:
    """`content:"…"`, `content:!"…"`."""
    draft.add(pattern(value))


def uricontent(draft: Draft, value: str) -> None:
    """`uricontent:"…"`: a content of the URI."""
    draft.add_to("http.uri", pattern(value))


def flag(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of a modifier without a value."""

    def handle(draft: Draft, value: str) -> None:
        if value:
            raise Refused("takes no value")
        draft.last().values[name] = True

    return handle


def place(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of offset, depth, distance or within."""
    low, high = (-_MAX_DISTANCE, _MAX_DISTANCE) if name in ("distance", "within") else (0, _FAR)

    def handle(draft: Draft, value: str) -> None:
        values = draft.last().values
        if name in values:
            raise Refused("is given twice for one content")
        values[name] = integer_or_name(value, low, high, draft.ctx.defined)

    return handle


def fast_pattern(draft: Draft, value: str) -> None:
    """`fast_pattern`, `fast_pattern:only`, `fast_pattern:offset,length`: a hint how to search, no condition."""
    values = draft.last().values
    if value not in ("", "only"):
        offset, comma, length = value.partition(",")
        size = len(values["pattern"])
        if not comma or integer(offset, 0, size) + integer(length, 1, size) > size:
            raise Refused(f"'{value[:20]}' does not lie in the content", "offset,length")
    if not values["negated"]:
        values["fast"] = True


def settle(pending: Pending) -> None:
    """Check modifiers against each other once all are known. Raises Refused."""
    values = pending.values
    size = len(values["pattern"])
    absolute = [name for name in ("offset", "depth") if name in values]
    relative = [name for name in ("distance", "within") if name in values]
    if absolute and relative:
        raise Refused(f"{relative[0]} and {absolute[0]} exclude each other on one content")
    if values.get("startswith") and (absolute or relative):
        raise Refused(f"{(absolute + relative)[0]} cannot be combined with startswith")
    if isinstance(values.get("depth"), int):
        values["depth"] = max(values["depth"], size)
    within = values.get("within")
    if isinstance(within, int) and within < size:
        raise Refused(f"within {within} is less than the {size} bytes of the content")
