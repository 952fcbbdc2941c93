"""Numbers in options: plain, as variables of byte_extract, and as comparisons (`<5`, `1<>9`)."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_NUMBER = re.compile(r"(?P<sign>[-+]?)\s*(?:0[xX](?P<hex>[0-9A-Fa-f]{1,16})|(?P<dec>[0-9]{1,20}))")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_COMPARISON = re.compile(
    r"(?:(?P<op><=|>=|!=|==|<|>|=|!)?\s*(?P<value>\w+)|(?P<low>\w+)\s*(?:<>|-)\s*(?P<high>\w+))", re.ASCII
)

_UNITS: Mapping[str, int] = MappingProxyType({"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30})


class Comparison(NamedTuple):
    """As in `HeaderTest`: `<>` is strictly between."""

    op: str
    low: int
    high: int = 0


def integer(text: str, low: int, high: int) -> int:
    """Return a number, decimal or 0x hex. Raises Refused where it is none or out of range."""
    found = _NUMBER.fullmatch(text.strip())
    if found is None:
        raise Refused(f"'{text[:40]}' is no number")
    value = int(found["hex"], 16) if found["hex"] else int(found["dec"])
    value = -value if found["sign"] == "-" else value
    if not low <= value <= high:
        raise Refused(f"{value} is out of range", f"{low} to {high}")
    return value


def integer_or_name(text: str, low: int, high: int, known: Collection[str]) -> int | str:
    """Return a number, or the name of a variable that was defined before. Raises Refused."""
    word = text.strip()
    if not _NAME.fullmatch(word):
        return integer(word, low, high)
    if word not in known:
        raise Refused(f"nothing defines the variable '{word[:40]}'", "byte_extract or byte_math must come before")
    return word


def new_name(text: str) -> str:
    """Return the name of a variable that is being defined. Raises Refused."""
    word = text.strip()
    if not _NAME.fullmatch(word):
        raise Refused(f"'{word[:40]}' is no name", "a letter, then letters, digits, _ . -")
    return word


def comparison(text: str, top: int, names: Mapping[str, int] | None = None, *, closed: bool = False) -> Comparison:
    """Return `5`, `<5`, `>=5`, `!5`, `5<>9` or `5-9` (both exclude their ends), `5kb`. Raises Refused.

    closed: they include them.
    """
    text = text.strip()
    word = text.lstrip("!=<> ")
    if names and word.lower() in names:  # which may hold what parts a range
        text = text.removesuffix(word) + str(names[word.lower()])
    found = _COMPARISON.fullmatch(text)
    if found is None:
        raise Refused(f"'{text[:40]}' is no comparison", "8, <8, >=8, !8, 8<>16")
    if found["low"] is None:
        op = {"": "=", "==": "=", "!": "!="}.get(found["op"] or "", found["op"])
        return Comparison(op, _value(found["value"], top, names))
    low, high = _value(found["low"], top, names), _value(found["high"], top, names)
    if closed:
        low, high = low - 1, high + 1
    if high - low < (3 if closed else 2):
        raise Refused(f"nothing lies strictly between {low} and {high}")
    return Comparison("<>", low, high)


def _value(text: str, top: int, names: Mapping[str, int] | None) -> int:
    named = names.get(text.lower()) if names else None
    if named is not None:
        return named
    unit = _UNITS.get(text[-2:].lower(), 0)
    return integer(str(unit * integer(text[:-2], 0, top)) if unit else text, 0, top)
