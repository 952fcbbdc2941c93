"""Lists of values and of reputations that lie in files or that rules fill: dataset, datarep."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.lists import KINDS, MAX_SCORE, below
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
_ACTIONS: Mapping[str, str] = MappingProxyType({"isset": "", "isnotset": "", "set": "set", "unset": "unset"})
_OPERATORS: Mapping[str, str] = MappingProxyType({"<": "<", ">": ">", "=": "=", "==": "="})
_SETTINGS = ("type", "load", "state", "save", "memcap", "hashsize")
_MEMORY = re.compile(r"([0-9]{1,10})\s*(kb|mb|gb|)", re.IGNORECASE)
_UNITS: Mapping[str, int] = MappingProxyType({"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30})
_MOST = 1 << 30


def dataset(draft: Draft, value: str) -> None:
    """`dataset:ACTION,NAME[,type TYPE][,load FILE][,state FILE][,save FILE][,memcap SIZE]`."""
    words = [word.strip() for word in value.split(",")]
    if len(words) < 2 or words[0] not in _ACTIONS or not words[1]:
        raise Refused("has the form action,name,settings", _FORM)
    name = words[1]
    found = {**draft.ctx.outside.datasets.get(name, {}), **_settings(words[2:], _FORM)}
    kinds = draft.ctx.lists.kinds
    kind = found.get("type") or kinds.get(name, "")
    if not kind:
        raise Refused(f"nothing says the type of the set '{name[:30]}'", _FORM)
    if kinds.setdefault(name, _known(kind)) != kind:
        raise Refused(f"the set '{name[:30]}' is of type {kinds[name]} elsewhere")
    for key in ("state", "save"):
        if not below(found.get(key, "")):
            raise Refused(f"'{found[key][:40]}' leaves the folder of the datasets", "a relative name")
    file = found.get("load", "")
    values = listed(draft, file, kind) if file else ()
    _add(draft, InList(
        file, kind, values, words[0] == "isnotset", None, name, _ACTIONS[words[0]], found.get("state", ""),
        found.get("save", ""), _memory(found.get("memcap", "")),
    ))  # fmt: skip


def datarep(draft: Draft, value: str) -> None:
    """`datarep:NAME,OPERATOR,SCORE,type TYPE,load FILE`: the buffer is in the list, with such a score.

    A rule behind it need not say more than the name.
    """
    words = [word.strip() for word in value.split(",")]
    if len(words) < 3 or words[1] not in _OPERATORS:
        raise Refused("has the form name,operator,score,settings", _REP_FORM)
    found = {**draft.ctx.outside.datasets.get(words[0], {}), **_settings(words[3:], _REP_FORM)}
    if found.keys() & {"state", "save"}:
        raise Refused("scores are not written")
    named = draft.ctx.lists.scored
    if "load" in found:
        named.setdefault(words[0], (found["load"], _known(found.get("type", ""))))
    elif words[0] not in named:
        raise Refused(f"the list '{words[0][:30]}' is in no file", _REP_FORM)
    file, kind = found.get("load", named[words[0]][0]), found.get("type", named[words[0]][1])
    if kind != named[words[0]][1]:
        raise Refused(f"the list '{words[0][:30]}' is of type {named[words[0]][1]} elsewhere")
    score = _OPERATORS[words[1]], integer(words[2], 0, MAX_SCORE), 0
    _add(draft, InList(file, kind, listed(draft, file, kind, score), score=score))


def _add(draft: Draft, test: InList) -> None:
    if draft.selected == DEFAULT:
        raise Refused("needs a buffer before it", "dns.query; dataset:…")
    draft.add(test)


def _settings(words: Sequence[str], form: str) -> dict[str, str]:
    """Return the settings by name. Raises Refused."""
    found: dict[str, str] = {}
    for word in words:
        key, _, text = word.partition(" ")
        if key not in _SETTINGS or key in found or not text.strip():
            raise Refused(f"unknown or repeated setting '{word[:30]}'", form)
        found[key] = text.strip()
    return found


def _known(kind: str) -> str:
    if kind not in KINDS or kind == "sha1":
        raise Refused(f"unknown type '{kind[:20]}'", "md5, sha256, string, ip, ipv4")
    return kind


def _memory(text: str) -> int:
    """Return bytes; 0: the rule does not say. The size of the hash table is of no concern here."""
    if not text:
        return 0
    found = _MEMORY.fullmatch(text)
    size = int(found[1]) * _UNITS[found[2].lower()] if found else 0
    if not 0 < size <= _MOST:
        raise Refused(f"memcap: '{text[:20]}' is no size up to 1 GB", "memcap 10mb")
    return size
