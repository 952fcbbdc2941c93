"""`xensor rules`: check, report, import, list, show, schema, test."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.cli import common, exits
from sensor.cli.parser import Parser, add_config, choose
from sensor.cli.screen import out, plural
from sensor.errors import RuleError, SelfTestError, UsageError

if TYPE_CHECKING:
    from sensor.rules.problems import Problem

PROG = "xensor rules"
EDITS: Mapping[str, str] = MappingProxyType(
    {
        "disable-conf": "rules to switch off, suricata-update's form, as are the next",
        "enable-conf": "rules to switch on",
        "drop-conf": "rules that get the action drop",
        "modify-conf": "changes of rules",
    }
)
"""Options of `import` that are settings, too."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One subcommand."""

    text: str
    run: Callable[[argparse.Namespace], int]
    options: Callable[[argparse.ArgumentParser], None] | None = None
    paths: bool = True


def main(words: Sequence[str]) -> int:
    """Run `xensor rules`; return the exit status."""
    lines = "".join(f"  {name:8} {verb.text}\n" for name, verb in VERBS.items())
    top = Parser(
        PROG, "Check, list, show and test rules.", f"verbs:\n{lines}\n{exits.text()}", f"{PROG} VERB [options] [PATH …]"
    )
    if not words or words[0].startswith("-"):
        top.parse_args(words)
        top.print_help(sys.stderr)
        return 2
    name = choose(words[0], tuple(VERBS), "verb", PROG)
    verb = VERBS[name]
    parser = Parser(f"{PROG} {name}", verb.text[0].upper() + verb.text[1:] + ".")
    if verb.paths:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="rule files, folders (default: shipped rules)")
        add_config(parser)
    if verb.options:
        verb.options(parser)
    return verb.run(parser.parse_intermixed_args(words[1:]))


def _load(args: argparse.Namespace) -> common.Loaded:
    made = common.settings(args.config, args.overrides)
    paths = [Path(p) for p in args.paths] or common.rule_paths((), (), made)
    loaded = common.load(paths, made)
    if not loaded.result.files and not len(loaded.rules):
        raise RuleError(f"{', '.join(map(str, paths))}: no rule files")
    return loaded


def _load_good(args: argparse.Namespace) -> common.Loaded:
    """Load; print what is wrong. Raises RuleError where nothing is left."""
    loaded = _load(args)
    common.report(loaded.problems)
    if loaded.problems and not len(loaded.rules):
        raise RuleError("no rule could be loaded")
    return loaded


def check(args: argparse.Namespace) -> int:
    """Report every error and warning. Raises RuleError if there are errors, or warnings and --strict."""
    from sensor.rules.lint import lint

    loaded = _load(args)
    _, broken = common.compilable(loaded.rules)
    problems = sorted([*loaded.problems, *broken])
    warnings = lint(loaded.rules.rules)
    for found in (*problems, *warnings):
        out(str(found))
    counts = {"file": len(loaded.result.files), "rule": len(loaded.rules) - len(broken),
              "error": len(problems), "warning": len(warnings)}  # fmt: skip
    print(", ".join(plural(n, word) for word, n in counts.items()), file=sys.stderr)
    for reason, n in loaded.result.unmatchable().items():
        print(f"{plural(n, 'rule')} can never match: {reason}", file=sys.stderr)
    if problems or (args.strict and warnings):
        raise RuleError("the rules are not good")
    return 0


def report(args: argparse.Namespace) -> int:
    """Tell what became of the rules. Refused ones are no error here: they are what is asked for."""
    import msgspec

    from sensor.rules.report import report as make

    loaded = _load(args)
    rules, broken = common.compilable(loaded.rules)
    found = make(rules.rules, [*loaded.problems, *broken])
    if args.json:
        out(msgspec.json.encode(found).decode())
        return 0
    out(f"{plural(found.loaded, 'rule')} run, {plural(len(found.refused), 'refusal')}")
    _counts("refusals by reason", found.reasons)
    for problem in found.refused:
        out(f"  {problem}")
    _counts("can never match", {why: len(ids) for why, ids in found.unmatchable.items()})
    for why, ids in found.unmatchable.items():
        out(f"  {why}: {' '.join(ids)}")
    _counts("keywords by use", found.keywords)
    return 0


def _counts(title: str, counts: Mapping[str, int]) -> None:
    if not counts:
        return
    out(f"\n{title}:")
    for name, number in counts.items():
        out(f"{number:>8}  {name}")


def convert(args: argparse.Namespace) -> int:
    """Write YAML files for files of Suricata rules. Raises RuleError where nothing could be taken over."""
    from sensor.rules.convert import convert as make
    from sensor.rules.convert import copy_lists
    from sensor.rules.variables import Variables

    chosen = [f"{name}={getattr(args, name)}" for name in EDITS if getattr(args, name)]
    made = common.settings(args.config, [*args.overrides, *chosen])
    variables = Variables(made.address_groups, made.port_groups, made.run.without)
    problems: list[Problem] = []
    classes, edits = common.classes_of(made, problems), common.edits_of(made, problems)
    outside = common.outside_of(made, problems)
    common.report(problems)
    folder, total = Path(args.output), 0
    for source in _text_rules(args.paths):
        target = folder / f"{source.stem}.yaml"
        try:
            found = make(source.read_text(encoding="utf-8-sig"), str(source), variables, classes, edits, outside)
            folder.mkdir(parents=True, exist_ok=True)
            with target.open("w" if args.force else "x", encoding="utf-8") as file:
                file.write(found.text)
        except FileExistsError:
            raise UsageError(f"{target} is there already (--force writes over it)") from None
        except UnicodeDecodeError:
            raise RuleError(f"{source}: the file is not UTF-8") from None
        except OSError as error:
            raise RuleError(f"{error.filename or source}: {error.strerror or error}") from None
        common.report([*found.problems, *copy_lists(found, source.parent, folder)])
        refused = plural(len(found.problems), "refusal")
        out(f"{target}: {plural(found.rules, 'rule')}, {found.disabled} switched off, {refused}")
        total += found.rules + found.disabled
    if not total:
        raise RuleError("no rule could be taken over")
    return 0


def _text_rules(paths: Sequence[str]) -> list[Path]:
    """Return the `.rules` files of files and folders. Raises UsageError where there are none, or two of a name."""
    given = [Path(path) for path in paths]
    found = [file for path in given for file in (sorted(path.rglob("*.rules")) if path.is_dir() else [path])]
    stems = [file.stem for file in found]
    if not found:
        raise UsageError("which files of rules? (`xensor rules import FILE.rules -o FOLDER`)")
    if len(set(stems)) != len(stems):
        raise UsageError("two files have the same name: import them one by one into folders of their own")
    return found


def show_list(args: argparse.Namespace) -> int:
    """List rules."""
    for rule in _load_good(args).rules.rules:
        out(f"{rule.sid:>10}  {rule.severity}  {rule.proto:10}  {rule.msg}")
    return 0


def show_one(args: argparse.Namespace) -> int:
    """Show a rule. Raises UsageError where there is none with this id."""
    from sensor.rules.describe import describe

    rule = _load_good(args).rules.get(args.id, args.generator)
    if rule is None:
        raise UsageError(f"no rule has id {args.id}")
    problems: list[Problem] = []
    kinds = common.references_of(common.settings(args.config, args.overrides), problems)
    common.report(problems)
    out(describe(rule, kinds).rstrip("\n"))
    return 0


def schema(_args: argparse.Namespace) -> int:
    """Print the JSON Schema."""
    from sensor.rules.schema import text

    out(text().rstrip("\n"))
    return 0


def test(args: argparse.Namespace) -> int:
    """Run examples. Raises SelfTestError where one failed, RuleError where a rule could not be loaded."""
    from sensor.engine.offline.examples import run

    made = common.settings(args.config, args.overrides)
    loaded = _load_good(args)
    rules, broken = common.compilable(loaded.rules)
    common.report(broken)
    pcaps = Path(args.pcaps) if args.pcaps else common.shipped("pcaps")
    total = bad = 0
    for outcome in run(rules, pcaps, made):
        total += 1
        name = f"{outcome.rule.sid} example {outcome.check.number} ({outcome.check.pcap or 'payload'})"
        if not outcome.good:
            bad += 1
            out(f"FAILED  {name}: {outcome.reason}  [{outcome.rule.msg}]")
        elif args.verbose:
            out(f"ok      {name}: {outcome.alerts} alerts")
    print(f"{plural(total, 'example')} of {plural(len(rules), 'rule')}, {bad} failed", file=sys.stderr)
    if loaded.problems or broken:
        raise RuleError(f"{len(loaded.problems) + len(broken)} rules were not tested: they are not good")
    if bad:
        raise SelfTestError(f"{bad} of {total} examples failed")
    return 0


def _strict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--strict", action="store_true", help="warnings are errors")


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", dest="output", metavar="DIR", required=True, help="folder of the YAML files")
    parser.add_argument("--force", action="store_true", help="write over files that are there")
    for name, text in EDITS.items():
        parser.add_argument(f"--{name}", dest=name, metavar="FILE", help=text)


def _id(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--id", type=int, required=True, metavar="ID", help="rule id")
    parser.add_argument("--generator", type=int, default=1, metavar="ID", help="generator id (default: 1)")


def _pcaps(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pcaps", metavar="DIR", help="folder of the captures that examples name (default: the shipped ones)"
    )
    parser.add_argument("-v", dest="verbose", action="store_true", help="list the good ones, too")


VERBS = {
    "check": Verb("load and compile rules, report every error and warning with file, line and column", check, _strict),
    "report": Verb("tell what is refused and why, what can never match, which keywords are used", report, _json),
    "import": Verb("write Suricata rules as YAML, those switched off as comments", convert, _output),
    "list": Verb("list rules: id, severity, protocol, title", show_list),
    "show": Verb("show one rule as the sensor understands it", show_one, _id),
    "schema": Verb("print the JSON Schema of rule files", schema, paths=False),
    "test": Verb("run the examples of rules through the whole sensor", test, _pcaps),
}
