"""Rule files in Suricata's form to YAML files, rules that are switched off included (as comments)."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sensor.rules.context import Context
from sensor.rules.export import export
from sensor.rules.lists import Lists
from sensor.rules.nodes import InList
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.problems import Problem, Problems
from sensor.rules.suricata.edits import NO_EDITS, Edits
from sensor.rules.suricata.read import parse
from sensor.rules.walk import buffers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sensor.rules.classification import Classification
    from sensor.rules.nodes import Rule
    from sensor.rules.variables import Variables

_OFF = re.compile(r"#+ ?((?:alert|pass|drop|reject(?:src|dst|both)?) .{1,100000}\(.{1,100000}\))\s*")


class Converted(msgspec.Struct, frozen=True):
    """A file as YAML."""

    text: str
    rules: int
    disabled: int
    """Rules behind `#` that could be read; what cannot be read behind `#` is a remark, not a rule."""
    problems: tuple[Problem, ...]
    lists: tuple[str, ...]
    """Files that the rules name, as they name them."""


def convert(
    text: str, file: str, variables: Variables, classes: Mapping[str, Classification], edits: Edits = NO_EDITS,
    outside: Outside = NOTHING,
) -> Converted:
    """Return a `.rules` file as YAML, as the edits leave it. file: its path. Raises nothing."""
    text = edits.apply(text, file)
    unit = parse(text, _context(file, variables, classes, outside))
    off = "\n".join(found[1] for line in text.splitlines() if (found := _OFF.fullmatch(line)))
    disabled = parse(off, _context(file, variables, classes, outside)).rules
    body = export(unit.rules) if unit.rules else "[]\n"
    if disabled:
        body += "\n# Switched off:\n" + "".join(f"# {line}\n" for line in export(disabled).splitlines())
    named = dict.fromkeys(_lists((*unit.rules, *disabled)))
    return Converted(body, len(unit.rules), len(disabled), unit.problems, tuple(named))


def copy_lists(made: Converted, source: Path, target: Path) -> tuple[Problem, ...]:
    """Copy the lists that lie below a rule file's folder to that of its YAML; return those that could not be."""
    problems = []
    for name in made.lists:
        if Path(name).is_absolute() or source.resolve() == target.resolve():
            continue
        if ".." in Path(name).parts:
            problems.append(Problem(str(source / name), 0, 0, "not copied: it lies outside the folder of its rules"))
            continue
        try:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
        except OSError as error:
            problems.append(Problem(str(target / name), 0, 0, f"not copied: {error.strerror or error}"))
    return tuple(problems)


def _context(
    file: str, variables: Variables, classes: Mapping[str, Classification], outside: Outside
) -> Context:
    return Context(Problems(file), variables, classes, Lists(Path(file).parent), outside)


def _lists(rules: Iterable[Rule]) -> Iterable[str]:
    tests = (test for rule in rules for node in buffers_of(rule.body) for test in node.tests)
    return (test.file for test in tests if isinstance(test, InList) and test.file)
