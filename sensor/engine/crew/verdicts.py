"""What only a view of all traffic can tell of a match: bits of hosts, and whether its rule may alert (again)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from sensor.detect.headers.addresses import widen
from sensor.detect.planning.plan import Plan
from sensor.detect.state.datasets import Datasets
from sensor.detect.state.hostbits import HostBits
from sensor.detect.state.threshold import Closed, Thresholds
from sensor.engine.crew.hostbits import Deferred, Ids
from sensor.engine.records.writer import Writer
from sensor.model.scene import Cause, FlowEnd, Match, PacketRecord, Record
from sensor.rules.nodes import Rule

_MOST_TAGGING: Final = 65_536
"""Alerts of which is remembered that packets are logged for them; one takes 200 bytes."""


class Verdicts:
    """Takes the merged records and gives the writer those that count.

    deferred: what is judged here of rules with bits of hosts. flows: how many can be live at a time, 0: ends of flows
    are not logged. shut: told which matches need not come any more, since a threshold would hold them back.
    """

    def __init__(self, writer: Writer, plan: Plan, deferred: Mapping[Ids, Deferred], flows: int,
                 shut: Callable[[Closed], None]) -> None:  # fmt: skip
        self._writer = writer
        self._plans: tuple[Plan, ...] = ()
        self._rules: dict[tuple[int, int], Rule | None] = {}
        self._deferred: Mapping[Ids, Deferred] = {}
        self._flows = flows
        self._alerted: dict[int, None] = {}
        """Ids of flows that alerted and whose end is still to come; those of a worker that died never end."""
        self._tagging: dict[Cause, None] = {}
        """Alerts whose rules have the packets behind them logged."""
        self.thresholds = Thresholds()
        self.thresholds.on_closed = self._closed
        self._shut = shut
        self.host_bits = HostBits()
        self.sets = Datasets()
        """Sets that rules of several workers fill."""
        self.alerts = 0
        self.unknown = 0
        """Matches of a rule that is not known here: a fault of the sensor."""
        self.learn(plan, deferred)

    def learn(self, plan: Plan, deferred: Mapping[Ids, Deferred]) -> None:
        """Take the rules of a reload. Those before stay: workers may still be judging by them."""
        self._plans = (plan, *self._plans[:1])
        self._rules.clear()
        self._deferred = deferred
        before, self.sets = self.sets, Datasets(test for one in deferred.values() for test in one.asked.tests)
        self.sets.adopt(before)

    def _rule(self, gid: int, sid: int) -> Rule | None:
        if (gid, sid) not in self._rules:
            found = ((plan, plan.table.number_of(gid, sid)) for plan in self._plans)
            self._rules[gid, sid] = next((plan.rules[number] for plan, number in found if number >= 0), None)
        return self._rules[gid, sid]

    def _closed(self, closed: Closed) -> None:
        rule = self._rule(closed.gid, closed.sid)
        # Matches that change bits of hosts, or have packets logged, do so all the same.
        if (closed.gid, closed.sid) not in self._deferred and not (rule is not None and rule.tags):
            self._shut(closed)

    def take(self, record: Record) -> None:
        """Take a record in its turn."""
        if isinstance(record, Match):
            self._match(record)
        elif isinstance(record, PacketRecord):
            if not self._tagging.keys().isdisjoint(record.causes):
                self._writer(record)
        elif isinstance(record, FlowEnd):
            alerted = record.scene.flow_id in self._alerted
            self._alerted.pop(record.scene.flow_id, None)
            self._writer(replace(record, alerted=alerted))
        else:
            self._writer(record)

    def _match(self, match: Match) -> None:
        gid, sid = match.rule
        rule, scene = self._rule(gid, sid), match.scene
        if rule is None:
            self.unknown += 1
            return
        deferred = self._deferred.get((gid, sid))
        if deferred is not None and (
            not deferred.holds(self.host_bits, self.sets, scene, match.told) or deferred.silent
        ):
            return
        action = self.thresholds.verdict(rule, scene.ts, widen(scene.src), widen(scene.dest), scene.flow_id)
        if rule.tags and action != "":
            self._tagging[gid, sid, scene.ts, scene.flow_id] = None
            if len(self._tagging) > _MOST_TAGGING:
                del self._tagging[next(iter(self._tagging))]
        if not action or (action == "pass" and rule.action != "pass"):
            return
        self.alerts += 1
        if self._flows and scene.flow_id:
            self._alerted[scene.flow_id] = None
            if len(self._alerted) > self._flows:
                del self._alerted[next(iter(self._alerted))]
        self._writer(replace(match, rule=rule if action == rule.action else replace(rule, action=action)))
