"""Lists of values and of reputations that lie in files: dataset, datarep."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.lists import KINDS, MAX_SCORE
from sensor.rules.nodes import InList
from sensor.rules.suricata.draft import DEFAULT
from sensor.rules.suricata.files import listed
from sensor.rules.suricata.numbers import integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sensor.rules.suricata.draft import Draft

_FORM = "dataset:isset,NAME,type string,load FILE"
_REP_FORM = "datarep:NAME,>,200,type string,load FILE"
_OPERATORS: Mapping[str, str] = MappingProxyType({"<": "<", ">": ">", "=": "=", "==": "="})
_SIZES = ("memcap", "hashsize")
"""Of the table in memory: settings of no concern here."""


def dataset(draft: Draft, value: str) -> None:
    """`dataset:isset|isnotset,NAME,type TYPE,load FILE`: the buffer is (is not) in the list."""
    words = [word.strip() for word in value.split(",")]
    if len(words) < 2 or words[0] not in ("isset", "isnotset", "set", "unset"):
        raise Refused("has the form action,name,settings", _FORM)
    if words[0] in ("set", "unset"):
        raise Refused("values that rules add to or take from a list are not kept")
    kind, file = _settings(words[2:], words[1], _FORM)
    _add(draft, InList(file, kind, listed(draft, file, kind), words[0] == "isnotset"))


def datarep(draft: Draft, value: str) -> None:
    """`datarep:NAME,OPERATOR,SCORE,type TYPE,load FILE`: the buffer is in the list, with such a score."""
    words = [word.strip() for word in value.split(",")]
    if len(words) < 3 or words[1] not in _OPERATORS:
        raise Refused("has the form name,operator,score,settings", _REP_FORM)
    kind, file = _settings(words[3:], words[0], _REP_FORM)
    score = _OPERATORS[words[1]], integer(words[2], 0, MAX_SCORE), 0
    _add(draft, InList(file, kind, listed(draft, file, kind, score), score=score))


def _add(draft: Draft, test: InList) -> None:
    if draft.selected == DEFAULT:
        raise Refused("needs a buffer before it", "dns.query; dataset:…")
    draft.add(test)


def _settings(words: Sequence[str], name: str, form: str) -> tuple[str, str]:
    """Return (type, file). Raises Refused."""
    found: dict[str, str] = {}
    for word in words:
        key, _, text = word.partition(" ")
        if key not in ("type", "load", "state", "save", *_SIZES) or key in found or not text.strip():
            raise Refused(f"unknown or repeated setting '{word[:30]}'", form)
        found[key] = text.strip()
    if "state" in found or "save" in found:
        raise Refused("the sensor writes no lists")
    if "load" not in found:
        raise Refused(f"the list '{name[:30]}' is in no file", form)
    kind = found.get("type", "")
    if kind not in KINDS or kind == "sha1":
        raise Refused(f"unknown type '{kind[:20]}'", "md5, sha256, string")
    return kind, found["load"]
