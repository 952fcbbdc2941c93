"""Which rules an entry of `enable.conf`, `disable.conf`, `drop.conf` or `modify.conf` is about.

Entries are ids (`2019401`, `1:2019401, 1:2019402`), `re:REGEX` (on the whole rule, whatever the case),
`group:NAME` (file of the rule, with or without its suffix, `*` and `?` allowed), `filename:PATTERN` (with its
folders), `metadata:KEY VALUE`, `proto:NAME`, and `*` for all.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMS = "1:2019401, re:…, group:…, filename:…, metadata:KEY VALUE, proto:…, *"
_IDS = re.compile(r"(?:[0-9]{1,10}:)?[0-9]{1,10}")
_NUMBER = r"(?<!\\)[;(]\s*{}\s*:\s*([0-9]{{1,10}})\s*;"
_SID, _GID = (re.compile(_NUMBER.format(name)) for name in ("sid", "gid"))
_METADATA = re.compile(r"(?<!\\)[;(]\s*metadata\s*:([^;]{1,20000});")


@dataclass(frozen=True, slots=True)
class Subject:
    """What entries look at. ids: (gid, sid)."""

    ids: tuple[int, int]
    text: str
    path: str
    proto: str
    metadata: Callable[[], frozenset[str]]
    """Returns `key value` in lower case; asked for by few entries, and slow to find."""


Choice = Callable[[Subject], bool]


def subject_of(text: str, path: str) -> Subject:
    """Return what there is to see of a rule as written."""
    gid, sid = _GID.search(text), _SID.search(text)
    ids = int(gid[1]) if gid else 1, int(sid[1]) if sid else 0
    words = text.split(None, 2)
    return Subject(ids, text, path, words[1].lower() if len(words) > 1 else "", lambda: _metadata(text))


def _metadata(text: str) -> frozenset[str]:
    pairs = (pair for found in _METADATA.finditer(text) for pair in found[1].split(","))
    return frozenset(" ".join(pair.lower().split()) for pair in pairs)


def choice(text: str) -> Choice:
    """Return the test of an entry. Raises Refused."""
    kind, colon, rest = text.partition(":")
    make = _KINDS.get(kind.strip().lower()) if colon else None
    if make is not None:
        if not rest.strip():
            raise Refused(f"nothing behind '{kind}:'", _FORMS)
        return make(rest.strip())
    return (lambda _subject: True) if text.strip() == "*" else _ids(text)


def _ids(text: str) -> Choice:
    words = ["".join(word.split()) for word in text.split(",")]
    if not all(map(_IDS.fullmatch, words)):
        raise Refused(f"'{text[:40]}' names no rules", _FORMS)
    pairs = [word.rpartition(":") for word in words]
    wanted = frozenset((int(gid) if gid else 1, int(sid)) for gid, _, sid in pairs)
    return lambda subject: subject.ids in wanted


def _regex(text: str) -> Choice:
    try:
        found = re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise Refused(f"'{text[:40]}' is no regex: {error}") from None
    return lambda subject: found.search(subject.text) is not None


def _group(text: str) -> Choice:
    def holds(subject: Subject) -> bool:
        name = PurePath(subject.path).name
        return fnmatch.fnmatchcase(name, text) or fnmatch.fnmatchcase(PurePath(name).stem, text)

    return holds


def _filename(text: str) -> Choice:
    return lambda subject: fnmatch.fnmatchcase(subject.path, text) or PurePath(subject.path).name == text


def _by_metadata(text: str) -> Choice:
    wanted = " ".join(text.lower().split())
    if " " not in wanted:
        raise Refused("metadata has a key and a value", "metadata:deployment perimeter")
    return lambda subject: wanted in subject.metadata()


def _proto(text: str) -> Choice:
    return lambda subject: subject.proto == text.lower()


_KINDS: Mapping[str, Callable[[str], Choice]] = MappingProxyType(
    {"re": _regex, "group": _group, "filename": _filename, "metadata": _by_metadata, "proto": _proto}
)
