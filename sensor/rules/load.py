"""Rule files and folders to rules. Never stops at the first error: the good is loaded, the rest is listed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules import parse
from sensor.rules.cache import Cache, base_key, no_gc
from sensor.rules.classification import DEFAULT, Classification
from sensor.rules.context import Context
from sensor.rules.lists import Lists
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.parse import Unit
from sensor.rules.problems import Problem, Problems
from sensor.rules.share import Sets, share
from sensor.rules.suricata import read as suricata
from sensor.rules.suricata.edits import NO_EDITS, Edits
from sensor.rules.variables import Variables

if TYPE_CHECKING:
    from sensor.rules.nodes import Rule, Suppression

MAX_FILE = 64 << 20
"""Bytes of one rule file; ET Open as one file has 25 MB."""

FrontEnd = Callable[[str, Context], Unit]
"""Text of a file → what it holds. Raises nothing: problems go into the unit."""

TEXT = ".rules"
"""Suffix of files in Suricata's form."""
FRONT_ENDS: Mapping[str, FrontEnd] = MappingProxyType(
    {".yaml": parse.parse, ".yml": parse.parse, TEXT: suricata.parse}
)
"""By suffix of the file."""


@dataclass(frozen=True, slots=True)
class LoadResult:
    """All that was found, in load order: paths as given, files of a folder by name."""

    rules: tuple[Rule, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    errors: tuple[Problem, ...] = ()
    files: tuple[str, ...] = ()
    """Files read, whether they loaded or not."""
    cache: Mapping[str, int] = field(default_factory=dict)
    """Counters of the compile cache."""
    digests: Mapping[str, bytes] = field(default_factory=dict)
    """File or list that was read → SHA-256 of its content, empty: it could not be read."""

    def unmatchable(self) -> dict[str, int]:
        """Return reason → number of rules that can never match for it."""
        out: dict[str, int] = {}
        for rule in self.rules:
            if rule.unmatchable:
                out[rule.unmatchable] = out.get(rule.unmatchable, 0) + 1
        return out


def load_rules(
    paths: Iterable[str | os.PathLike[str]],
    variables: Variables | None = None,
    *,
    cache_dir: Path | None = None,
    classes: Mapping[str, Classification] = DEFAULT,
    edits: Edits = NO_EDITS,
    outside: Outside = NOTHING,
) -> LoadResult:
    """Load files and folders (deeply, hidden names left out). cache_dir None: no cache. Raises nothing."""
    known = variables or Variables()
    errors = [Problem("variables", 0, 0, f"{name}: {text}", hint) for name, text, hint in known.problems()]
    besides = edits.fingerprint() + outside.fingerprint()
    cache = Cache(cache_dir, base_key(known, classes, besides) if cache_dir else b"")
    compile_unit = partial(_compile, variables=known, classes=classes, edits=edits, outside=outside)
    rules: list[Rule] = []
    suppressions: list[Suppression] = []
    files: list[str] = []
    sets: Sets = {}
    digests: dict[str, bytes] = {}
    with no_gc():
        for file in found_in(paths, errors):
            files.append(file)
            unit = _load_file(file, compile_unit, cache, digests)
            digests |= dict(unit.lists)
            share(unit.rules, sets)
            rules += edits.chosen(unit.rules) if edits and Path(file).suffix != TEXT else unit.rules
            suppressions += unit.suppressions
            errors += unit.problems
    counters = cache.counters.snapshot()
    return LoadResult(tuple(rules), tuple(suppressions), tuple(errors), tuple(files), counters, digests)


def found_in(paths: Iterable[str | os.PathLike[str]], errors: list[Problem]) -> Iterator[str]:
    """Yield the rule files that paths name, in the order in which they are read."""
    seen: set[str] = set()
    for given in paths:
        path = os.fspath(given)
        found = _walk(path, errors) if Path(path).is_dir() else iter((path,))
        for file in found:
            if file in seen:
                errors.append(Problem(file, 0, 0, "the file is named twice", "loaded once"))
                continue
            seen.add(file)
            yield file


def _walk(folder: str, errors: list[Problem]) -> Iterator[str]:
    def unreadable(error: OSError) -> None:
        errors.append(Problem(str(error.filename), 0, 0, f"the folder cannot be read: {error.strerror or error}"))

    for directory, names, files in os.walk(folder, onerror=unreadable):
        names[:] = sorted(name for name in names if not name.startswith("."))
        for file in sorted(files):
            if not file.startswith(".") and Path(file).suffix in FRONT_ENDS:
                yield str(Path(directory, file))


def _load_file(
    file: str, compile_unit: Callable[[str, bytes, FrontEnd], Unit], cache: Cache, digests: dict[str, bytes]
) -> Unit:
    front_end = FRONT_ENDS.get(Path(file).suffix)
    if front_end is None:
        hint = f"rule files end in {' or '.join(FRONT_ENDS)}"
        return _failed(file, f"unsupported kind of rule file: '{Path(file).suffix}'", hint)
    digests[file] = b""
    try:
        if Path(file).stat().st_size > MAX_FILE:
            return _failed(file, f"the file is larger than {MAX_FILE >> 20} MiB")
        content = Path(file).read_bytes()
    except (OSError, ValueError) as error:
        return _failed(file, f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    digests[file] = hashlib.sha256(content).digest()
    unit = cache.get(file, content)
    if unit is None:
        unit = compile_unit(file, content, front_end)
        cache.put(file, content, unit)
    return unit


def _compile(
    file: str,
    content: bytes,
    front_end: FrontEnd,
    variables: Variables,
    classes: Mapping[str, Classification],
    edits: Edits,
    outside: Outside,
) -> Unit:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
        return Unit(problems=(Problem(file, line, column, "the file is not UTF-8", "save it as UTF-8"),))
    if Path(file).suffix == TEXT:
        text = edits.apply(text, file)
    return front_end(text, Context(Problems(file), variables, classes, Lists(Path(file).parent), outside))


def _failed(file: str, message: str, hint: str = "") -> Unit:
    return Unit(problems=(Problem(file, 0, 0, message, hint),))
