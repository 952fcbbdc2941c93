"""Keywords about files: their names, sizes and hashes. Their bytes (`file.data`) are a sticky buffer."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.lists import ListError
from sensor.rules.nodes import STORE_SCOPES, STORE_SIDES, ByteTest, InList
from sensor.rules.suricata import content
from sensor.rules.suricata.numbers import comparison
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.rules.lists import Score
    from sensor.rules.suricata.draft import Draft

NAME, SIZE, MAGIC = "file.name", "file.size", "file.magic"
_APART = re.compile(r"\s+(?=[kmg]b)", re.IGNORECASE)
"""Blanks between a size and its unit."""
_LARGEST = (1 << 63) - 1


def file_name(draft: Draft, value: str) -> None:
    """`filename:"x"`: the name holds the text, whatever its case."""
    found = content.loose_pattern(value)
    found.values["nocase"] = True
    draft.add_aside(NAME, found)


def file_ext(draft: Draft, value: str) -> None:
    """`fileext:"exe"`: the name ends in a dot and the text, whatever its case."""
    found = content.loose_pattern(value)
    found.values |= {"pattern": b"." + found.values["pattern"], "nocase": True, "endswith": True}
    draft.add_aside(NAME, found)


def file_magic(draft: Draft, value: str) -> None:
    """`filemagic:"PDF document"`: the description of the file holds the text, whatever its case."""
    found = content.pattern(value)
    found.values["nocase"] = True
    draft.add_aside(MAGIC, found)


def file_size(draft: Draft, value: str) -> None:
    """`filesize:>1MB`, `filesize:10<>20`."""
    op, low, high = comparison(_APART.sub("", value), _LARGEST)
    if op == "<>":
        draft.add_aside(SIZE, ByteTest(8, ">", low))
        draft.add_aside(SIZE, ByteTest(8, "<", high))
    else:
        draft.add_aside(SIZE, ByteTest(8, op, low))


def file_hash(kind: str) -> Callable[[Draft, str], None]:
    """Return the handler of `filemd5:[!]LIST` and its like: the hash of the file is in a list beside the rules."""

    def handle(draft: Draft, value: str) -> None:
        negated = value.startswith("!")
        name = value.removeprefix("!").strip('" ')
        if not name:
            raise Refused("the name of a list is missing", f"file{kind}:hashes.txt")
        draft.add_aside(f"file.{kind}", InList(name, kind, listed(draft, name, kind), negated))

    return handle


_STORE_SIDES = MappingProxyType({"request": "to_server", "response": "to_client"})
_STORE_SCOPES = MappingProxyType({"": "file", "ssn": "flow"})


def listed(draft: Draft, name: str, kind: str, score: Score | None = None) -> tuple[bytes, ...]:
    """Return the values of a list. Raises Refused."""
    try:
        return draft.ctx.lists.values(name, kind, score)
    except ListError as fault:
        raise Refused(str(fault), "lists lie beside the rule file") from None


def file_store(draft: Draft, value: str) -> None:
    """`filestore`, `filestore:DIRECTION`, `filestore:DIRECTION,SCOPE`."""
    side, _, scope = (word.strip() for word in value.lower().partition(","))
    side, scope = _STORE_SIDES.get(side, side), _STORE_SCOPES.get(scope, scope)
    if side not in STORE_SIDES or scope not in STORE_SCOPES:
        raise Refused(f"'{value[:40]}' names no files", "filestore:to_client,file")
    draft.values["store"] = f"{side} {scope}".strip()
