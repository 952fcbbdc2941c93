"""The conformance cases, run in this process: a capture, rules, and the alerts that Suricata 7.0.10 raised."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING

from sensor.capture.files import open_source
from sensor.config.load import load as load_config
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.errors import SensorError
from sensor.model.scene import Match
from sensor.rules.load import load_rules
from sensor.rules.ruleset import RuleSet, build
from sensor.rules.suricata import threshold_file
from sensor.rules.variables import Variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHARED = Path(__file__).resolve().parents[2] / "../shared"
CASES = SHARED / "conformance"


@dataclass(frozen=True, slots=True)
class Case:
    """One folder."""

    name: str
    family: str
    folder: Path
    want: dict[int, int]
    """Rule id → alerts."""
    overrides: tuple[str, ...]

    def groups(self, kind: str) -> dict[str, str]:
        """Return the variables of a kind (`address` or `port`)."""
        prefix = f"vars.{kind}-groups."
        pairs = (text.removeprefix(prefix).split("=", 1) for text in self.overrides if text.startswith(prefix))
        return dict(pairs)


@dataclass(slots=True)
class Outcome:
    """What became of a case."""

    case: Case
    got: dict[int, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """Problems of the rules."""
    error: str = ""

    @property
    def same_rules(self) -> bool:
        """The same rules alerted."""
        return not self.error and set(self.got) == set(self.case.want)

    @property
    def same_counts(self) -> bool:
        """And as often."""
        return not self.error and self.got == self.case.want

    def difference(self) -> dict[int, tuple[int, int]]:
        """Return rule id → (alerts of Suricata, alerts here) where they differ."""
        ids = sorted({*self.got, *self.case.want})
        both = {sid: (self.case.want.get(sid, 0), self.got.get(sid, 0)) for sid in ids}
        return {sid: pair for sid, pair in both.items() if pair[0] != pair[1]}


def cases(only: str = "") -> Iterator[Case]:
    """Yield the cases whose name holds a text, by name."""
    for path in sorted(CASES.glob("*/expect.json")):
        if only in path.parent.name:
            said = json.loads(path.read_text())
            want = {int(sid.split(":")[-1]): n for sid, n in said["alerts"].items()}
            yield Case(path.parent.name, said.get("family") or path.parent.name, path.parent, want, _overrides(said))


def _overrides(said: dict[str, dict[str, object]]) -> tuple[str, ...]:
    groups = (
        f"vars.{'port' if 'PORT' in name else 'address'}-groups.{name}={value}"
        for name, value in (said.get("vars") or {}).items()
    )
    return (*groups, *(f"{name}={value}" for name, value in (said.get("settings") or {}).items()))


def run(case: Case, *, triage: bool = True) -> Outcome:
    """Replay a case and count its alerts before any flood control."""
    out = Outcome(case)
    counts: Counter[int] = Counter()
    try:
        settings = load_config(None, case.overrides).settings
        variables = Variables(settings.address_groups, settings.port_groups, settings.run.without)
        found = load_rules([case.folder / "test.rules"], variables)
        out.refused = [str(problem) for problem in found.errors]
        rules, _ = build(found.rules, found.suppressions)
        if settings.run.threshold_file:
            text = (case.folder / settings.run.threshold_file).read_text()
            limits = threshold_file.apply(text, settings.run.threshold_file, rules.rules, variables)
            rules = RuleSet(limits.rules, (*rules.suppressions, *limits.suppressions))
        options = EngineOptions(settings, triage=triage, verify_checksums=False)
        note = lambda record: counts.update((record.rule.sid,)) if isinstance(record, Match) else None  # noqa: E731
        pipeline = Pipeline(rules, options, note)
        source = open_source([str(case.folder / "input.pcap")], on_error=lambda _error: None)
        for block in source.blocks():
            pipeline.process(block)
        pipeline.finish()
    except SensorError as error:
        out.error = f"{type(error).__name__}: {error}"
    out.got = dict(counts)
    return out


def rate(outcomes: Iterable[Outcome], quality: str) -> float:
    """Return the percentage of good outcomes: the mean over families, so that a large one weighs as one."""
    families: dict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        families[outcome.case.family].append(bool(getattr(outcome, quality)))
    return 100 * mean(mean(good) for good in families.values()) if families else 100.0


def table(outcomes: list[Outcome]) -> str:
    """Return the families that are not perfect, and the rates."""
    families: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        families[outcome.case.family].append(outcome)
    lines = [f"{'family':44} {'cases':>5} {'rules':>6} {'counts':>6}"]
    for name, members in sorted(families.items()):
        rules, counts = sum(o.same_rules for o in members), sum(o.same_counts for o in members)
        if counts < len(members):
            lines.append(f"{name[:44]:44} {len(members):5} {rules:6} {counts:6}")
    loud = [o for o in outcomes if o.case.want]
    silent = [o for o in outcomes if not o.case.want]
    lines.append(f"{len(outcomes)} cases in {len(families)} families; those not listed are the same in all")
    rules, counts = rate(loud, "same_rules"), rate(loud, "same_counts")
    lines.append(f"expecting alerts: same rules {rules:.1f} %, same counts {counts:.1f} %")
    lines.append(f"expecting silence: {rate(silent, 'same_rules'):.1f} %")
    return "\n".join(lines)
