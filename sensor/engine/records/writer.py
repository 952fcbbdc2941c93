"""From records to written events: flood control, EVE fields, sinks; counts what was written."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import FloodControl
from sensor.alert.guests import identity, names
from sensor.engine.counts.guestalerts import GuestAlerts
from sensor.engine.records.sinks import Sinks
from sensor.model.records import Event
from sensor.model.scene import FileRecord, Match, Record
from sensor.model.timestamps import eve as timestamp
from sensor.outputs.filestore import FileStore
from sensor.xen.directory import Directory


class Writer:
    """The last stage. alerts: False counts alerts without writing them."""

    def __init__(self, builder: EveBuilder, flood: FloodControl, sinks: Sinks, *, alerts: bool = True) -> None:
        self._builder = builder
        self._alerts = alerts
        self.flood = flood
        self.sinks = sinks
        self.by_rule: Counter[tuple[int, int]] = Counter()
        """(gid, sid) → alerts raised, summarised ones included."""
        self.events: Counter[str] = Counter()
        """Event type → events handed to the sinks."""
        self.by_guest = GuestAlerts()
        self._directory: Directory | None = None
        self._store: FileStore | None = None
        self._stored = 0
        """Files stored, those that were there already included."""
        self._on_alert: Callable[[Match], None] | None = None

    def keep_evidence(self, on_alert: Callable[[Match], None], capture_file: Callable[[int], str]) -> None:
        """Let somebody keep the packets of each alert that is written; alerts say in which file (see EveBuilder)."""
        self._on_alert = on_alert
        self._builder.capture_file = capture_file

    def identify(self, directory: Directory) -> None:
        """Name the guests at the ends of events from now on."""
        self._directory = directory
        self._builder.identity = partial(identity, directory)
        self.by_guest.learn(directory)

    def __call__(self, record: Record) -> None:
        """Take a record of the engine."""
        if isinstance(record, FileRecord):
            self._file(record)
            return
        if not isinstance(record, Match):
            self._write(self._builder.build(record))
            return
        rule = record.rule
        self.by_rule[rule.gid, rule.sid] += 1
        if self._directory is not None:
            self.by_guest.count(names(self._directory, record.scene))
        if not self._alerts:
            return
        for match, held in self.flood.admit(record):
            if self._on_alert is not None:
                self._on_alert(match)
            self._write(self._builder.alert(match, held))

    def keep_files(self, store: FileStore) -> None:
        """Let somebody keep the files that are to be stored."""
        self._store = store

    def _file(self, record: FileRecord) -> None:
        store, content = self._store, record.content
        digest, number = "", 0
        if store is not None and content:
            name = hashlib.sha256(content).hexdigest()
            if store.put(name, content):
                self._stored += 1
                digest, number = name, self._stored
        if not record.logged and not (digest and store is not None and store.describes):
            return
        event = self._builder.file(record, digest, number)
        if digest and store is not None and store.describes:
            store.describe(digest, record.scene.ts // 10**9, number, msgspec.json.encode(event.fields))
        if record.logged:
            self._write(event)

    def _write(self, event: Event) -> None:
        self.events[event.kind] += 1
        self.sinks.write(event)

    def own_alert(self, event: Event) -> None:
        """Write an alert about the sensor itself, which no rule has made."""
        about = event.fields["alert"]
        self.by_rule[about["gid"], about["signature_id"]] += 1
        if self._alerts:
            self._write(event)

    def stats(self, ts: int, fields: Mapping[str, Any]) -> None:
        """Write a stats event. ts: packet time, ns."""
        self._write(Event("stats", {"timestamp": timestamp(ts), "event_type": "stats", "stats": dict(fields)}))

    def flush(self) -> None:
        """Hand on what is pending, so that a reader sees it."""
        self.sinks.flush()

    def pass_time(self, now_ns: int) -> None:
        """Write what flood control has held back long enough: the next alert may never come. now_ns: packet time."""
        for match, held in self.flood.due(now_ns):
            self._write(self._builder.alert(match, held))

    def close_floods(self) -> None:
        """Write what flood control still holds: the input has ended."""
        for match, held in self.flood.finish():
            self._write(self._builder.alert(match, held))

    def finish(self) -> None:
        """Write what flood control still holds, and close the sinks."""
        self.close_floods()
        self.sinks.close()
