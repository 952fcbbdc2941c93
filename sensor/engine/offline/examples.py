"""Runs the examples of rules: the real pipeline over forged conversations or shipped captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import msgspec

from sensor.capture.files import open_source
from sensor.capture.memory import MemorySource
from sensor.config.settings import Settings
from sensor.engine.offline.forge import Conversation
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.errors import SensorError
from sensor.model.block import LINKTYPE_ETHERNET, BlockSource
from sensor.model.scene import Match, Record
from sensor.rules.nodes import Rule
from sensor.rules.ruleset import RuleSet
from sensor.rules.selftest import Check, Flow, checks

_START = 1_700_000_000 * 10**9
_TCP = 6


class Outcome(msgspec.Struct, frozen=True):
    """What became of one check."""

    rule: Rule
    check: Check
    alerts: int
    error: str = ""

    @property
    def good(self) -> bool:
        """It came out as the example says."""
        if self.error or self.check.refused:
            return False
        if not self.check.match:
            return self.alerts == 0
        return self.alerts == self.check.count if self.check.count else self.alerts > 0

    @property
    def reason(self) -> str:
        """Why it did not."""
        wanted = "no alert" if not self.check.match else f"{self.check.count or 'at least 1'} alerts"
        return self.error or self.check.refused or f"expected {wanted}, got {self.alerts}"


def run(rules: RuleSet, pcaps: Path, settings: Settings, selected: Iterable[Rule] | None = None) -> Iterator[Outcome]:
    """Yield the outcome of each example. A capture is replayed once, with all rules; forged ones with their rule."""
    replayed: dict[str, Counter[tuple[int, int]] | str] = {}
    small = _for_one_talk(settings)
    helpers = tuple(r for r in rules.rules if r.noalert)
    for rule in selected if selected is not None else rules.rules:
        for check in checks(rule):
            if check.refused:
                yield Outcome(rule, check, 0)
            elif check.flow is not None:
                own = RuleSet([*(h for h in helpers if h is not rule), rule], (), rules.outside)
                counts = _alerts(own, MemorySource(_forge(check.flow), LINKTYPE_ETHERNET), small)
                yield Outcome(rule, check, counts[rule.gid, rule.sid])
            else:
                if check.pcap not in replayed:
                    replayed[check.pcap] = _replay(rules, pcaps / check.pcap, settings)
                found = replayed[check.pcap]
                if isinstance(found, str):
                    yield Outcome(rule, check, 0, error=found)
                else:
                    yield Outcome(rule, check, found[rule.gid, rule.sid])


def _for_one_talk(settings: Settings) -> Settings:
    """Return settings with tables for one conversation: those of the usual size take ten times as long to make."""
    return replace(
        settings,
        flow=replace(settings.flow, max_flows=16, slack=16),
        defrag=replace(settings.defrag, trackers=16, fragments=64, memcap=256 << 10),
    )


def _forge(flow: Flow) -> list[tuple[int, bytes]]:
    talk = Conversation(flow.client, flow.server, flow.client_port, flow.server_port, _START)
    side = 0 if flow.side == "to_server" else 1
    (talk.tcp if flow.transport == _TCP else talk.udp)(side, flow.payload)
    return talk.frames


def _replay(rules: RuleSet, path: Path, settings: Settings) -> Counter[tuple[int, int]] | str:
    try:
        source = open_source([str(path)])
        return _alerts(rules, source, settings)
    except SensorError as e:
        return str(e)


def _alerts(rules: RuleSet, source: BlockSource, settings: Settings) -> Counter[tuple[int, int]]:
    """Return (gid, sid) → alerts."""
    counts: Counter[tuple[int, int]] = Counter()

    def note(record: Record) -> None:
        if isinstance(record, Match):
            counts[record.rule.gid, record.rule.sid] += 1

    pipeline = Pipeline(rules, EngineOptions(settings), note)
    for block in source.blocks():
        pipeline.process(block)
    pipeline.finish()
    source.close()
    return counts
