"""Steps that several subcommands share: settings, rules, where shipped files are."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.cli.screen import plural
from sensor.config.load import load as load_config
from sensor.config.make import by_section, hint
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.config.settings import Settings
    from sensor.rules.classification import Classification
    from sensor.rules.load import LoadResult
    from sensor.rules.outside import Outside
    from sensor.rules.problems import Problem
    from sensor.rules.ruleset import RuleSet
    from sensor.rules.suricata.edits import Edits
    from sensor.rules.variables import Variables

_PROBLEMS_SHOWN = 20
_MAX_FILE = 16 << 20
"""Bytes of a file of limits or classes."""


def warn(text: object) -> None:
    """Print a line to standard error."""
    print(f"xensor: {text}", file=sys.stderr)


def settings(config: str | None, overrides: Sequence[str]) -> Settings:
    """Return the settings in force; say what has no effect here."""
    made = load_config(config, overrides)
    if made.ignored:
        alone = hint(made.ignored[0]) if len(made.ignored) == 1 else ""
        warn(f"without effect here: {', '.join(by_section(made.ignored))}{alone}")
    return made.settings


def shipped(name: str) -> Path:
    """Return a folder that comes with Xensor (`rules`, `pcaps`): beside the package, or where the wheel put it."""
    beside = Path(__file__).resolve().parents[2] / name
    return beside if beside.is_dir() else Path(sys.prefix) / "share" / "xensor" / name


def cache_dir() -> Path:
    """Return the folder of the compile cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "xensor" / "rules"


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules that can run, and what became of the others."""

    rules: RuleSet
    result: LoadResult
    problems: list[Problem]


@dataclass(frozen=True, slots=True)
class Given:
    """What decides how rules are read, besides the rule files."""

    variables: Variables
    classes: Mapping[str, Classification]
    edits: Edits
    outside: Outside
    limits_file: str
    limits: str
    """Text of the file of limits."""
    problems: tuple[Problem, ...]

    def key(self) -> bytes:
        """Return what stands for all of it."""
        from sensor.rules.cache import base_key

        key = base_key(self.variables, self.classes, self.edits.fingerprint() + self.outside.fingerprint())
        return key + repr((self.limits_file, self.limits, self.problems)).encode()


def given(made: Settings) -> Given:
    """Read what the configuration names."""
    from sensor.rules.variables import Variables

    variables = Variables(made.address_groups, made.port_groups, made.run.without)
    problems: list[Problem] = []
    parts = classes_of(made, problems), edits_of(made, problems), outside_of(made, problems)
    limits = _text(made.run.threshold_file, problems)
    return Given(variables, *parts, made.run.threshold_file, limits, tuple(problems))


def rule_files(paths: Iterable[Path]) -> list[Path]:
    """Return the paths that name rules. Raises RuleError where one does not exist."""
    paths = list(paths)
    for path in paths:
        if not path.exists():
            raise RuleError(f"{path}: no such file or folder")
    # `-S /dev/null` is the usual way to run without rules.
    return [path for path in paths if not path.is_char_device()]


def load(paths: Iterable[Path], made: Settings) -> Loaded:
    """Load rule files and folders. Raises RuleError where a path does not exist."""
    return load_as(rule_files(paths), given(made))


def load_as(files: Iterable[Path], how: Given) -> Loaded:
    """Load rule files and folders."""
    from sensor.rules.load import load_rules
    from sensor.rules.ruleset import RuleSet, build
    from sensor.rules.suricata import threshold_file

    outside = how.outside
    result = load_rules(
        files, how.variables, cache_dir=cache_dir(), classes=how.classes, edits=how.edits, outside=outside
    )
    rules, duplicates = build(result.rules, result.suppressions, outside)
    problems = [*how.problems, *result.errors, *duplicates]
    if how.limits_file:
        limits = threshold_file.apply(how.limits, how.limits_file, rules.rules, how.variables)
        rules = RuleSet(limits.rules, (*rules.suppressions, *limits.suppressions), outside)
        problems += limits.problems
    return Loaded(rules, result, problems)


def classes_of(made: Settings, problems: list[Problem]) -> Mapping[str, Classification]:
    """Return the classes of alerts: those of the configured file before the built-in ones."""
    from sensor.rules.classification import DEFAULT, parse

    file = made.run.classification_file
    found, unclear = parse(_text(file, problems), file)
    problems += unclear
    return {**DEFAULT, **found}


def edits_of(made: Settings, problems: list[Problem]) -> Edits:
    """Return what the configured files switch off, switch on and change."""
    from sensor.rules.suricata.edits import File, read

    run = made.run
    names = run.disable_conf, run.enable_conf, run.drop_conf, run.modify_conf
    found, unclear = read(*(File(name, _text(name, problems)) for name in names))
    problems += unclear
    return found


def outside_of(made: Settings, problems: list[Problem]) -> Outside:
    """Return reputations and countries of addresses, as far as they are configured."""
    from sensor.rules.outside import Outside, open_countries
    from sensor.rules.reputation import categories, scores

    run = made.run
    known, unclear = categories(_text(run.reputation_categories, problems), run.reputation_categories)
    files = [str(Path(run.reputation_path, name)) for name in run.reputation_files]
    found, bad = scores(((_text(file, problems), file) for file in files), known)
    country, missing = open_countries(run.geoip_database) if run.geoip_database else (None, [])
    problems += (*unclear, *bad, *missing)
    return Outside(known, found, country, made.datasets)


def references_of(made: Settings, problems: list[Problem]) -> Mapping[str, str]:
    """Return the kinds of references: those of the configured file before the built-in ones."""
    from sensor.rules.references import DEFAULT, parse

    file = made.run.reference_file
    found, unclear = parse(_text(file, problems), file)
    problems += unclear
    return {**DEFAULT, **found}


def _text(file: str, problems: list[Problem]) -> str:
    """Return the text of a file that the configuration names; one that cannot be read is a problem, and empty."""
    from sensor.rules.problems import Problem

    if not file:
        return ""
    try:
        if Path(file).stat().st_size <= _MAX_FILE:
            return Path(file).read_text(encoding="utf-8", errors="replace")
        problems.append(Problem(file, 0, 0, f"the file is larger than {_MAX_FILE >> 20} MiB"))
    except (OSError, ValueError) as error:
        problems.append(Problem(file, 0, 0, f"cannot be read: {getattr(error, 'strerror', None) or error}"))
    return ""


def rule_paths(only: Sequence[str], extra: Sequence[str], made: Settings) -> list[Path]:
    """Return what -S, -s and the configuration name; the shipped rules where nothing does."""
    if only:
        return [Path(p) for p in (*only, *extra)]
    base = Path(made.run.rule_path)
    configured = [base / p for p in made.run.rule_files] or [shipped("rules")]
    return [*configured, *(Path(p) for p in extra)]


def report(problems: Sequence[Problem]) -> None:
    """Print what is wrong with rules."""
    for problem in problems[:_PROBLEMS_SHOWN]:
        warn(problem)
    if len(problems) > _PROBLEMS_SHOWN:
        warn(f"… and {plural(len(problems) - _PROBLEMS_SHOWN, 'problem')} more: `xensor rules check` lists all")


def rules_to_run(paths: Iterable[Path], made: Settings, *, fatal: bool) -> Loaded:
    """Load rules and print what is wrong with them. Raises RuleError where all are bad, or one is and `fatal`."""
    loaded = load(paths, made)
    tell(loaded.problems, loaded.result.unmatchable(), len(loaded.rules), fatal=fatal)
    return loaded


def tell(problems: Sequence[Problem], unmatchable: Mapping[str, int], good: int, *, fatal: bool) -> None:
    """Print what is wrong with rules. Raises RuleError where all are bad, or one is and `fatal`."""
    report(problems)
    for reason, n in unmatchable.items():
        warn(f"{plural(n, 'rule')} can never match: {reason}")
    if problems and (fatal or not good):
        raise RuleError(f"{plural(len(problems), 'problem')} in the rules, {plural(good, 'rule')} left")
    if not good:
        warn("there are no rules: nothing can alert")


def compilable(rules: RuleSet) -> tuple[RuleSet, list[Problem]]:
    """Compile each rule as the engine does; return those that can be, and what is wrong with the others."""
    from sensor.detect.evaluator.naive import RuleCompiler
    from sensor.proto.registry import FOLDED
    from sensor.rules.problems import Problem
    from sensor.rules.ruleset import RuleSet

    compiler = RuleCompiler(FOLDED, outside=rules.outside)
    good, problems = [], []
    for number, rule in enumerate(rules.rules):
        try:
            compiler.compile(rule, number)
        except RuleError as e:
            problems.append(Problem(rule.file, rule.line, 1, f"rule {rule.gid}:{rule.sid}: {e}"))
        else:
            good.append(rule)
    return RuleSet(good, rules.suppressions, rules.outside), problems
