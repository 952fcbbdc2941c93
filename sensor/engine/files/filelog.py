"""Files that transactions have carried: which are written to the log, and which are stored."""

from __future__ import annotations

from collections.abc import Callable

from sensor.config.settings import Settings
from sensor.detect.planning.plan import Plan
from sensor.engine.files.filestates import digests_of
from sensor.engine.files.filewants import FileWants
from sensor.engine.place import Place
from sensor.model.app import ProtocolSpec, TxStage, beside
from sensor.model.keeping import Shelf
from sensor.model.scene import FileRecord, speaking

KIND = "fileinfo"
"""EVE event type."""


class FileLog:
    """Emits a record for each file that is logged or stored."""

    def __init__(self, settings: Settings, emit: Callable[[FileRecord], None]) -> None:
        self._emit = emit
        self._hashes = settings.eve.force_hash
        self._logged = KIND in settings.eve.types
        self._store = settings.file_store.enabled
        self._all = self._store and settings.file_store.force
        self._by_rule = False
        """Some rule wants files stored."""
        self.wanted = FileWants()
        options = settings.file_store
        self.shelf = Shelf(options.memory, options.per_file) if options.enabled else None
        """Where long files are kept until they are complete."""

    def use(self, plan: Plan) -> None:
        """Go by other rules."""
        self._by_rule = self._store and any(rule.store for rule in plan.rules)

    @property
    def hashes(self) -> bool:
        """Tell whether files that are too long to be kept must be hashed."""
        return self._logged and bool(self._hashes)

    def wants(self, spec: ProtocolSpec) -> bool:
        """Tell whether every flow of a protocol must be parsed."""
        return spec.files is not None and (self._logged or self._all or self._by_rule)

    def stage(self, place: Place, spec: ProtocolSpec, stage: TxStage) -> None:
        """Log and store the files that are complete at a stage."""
        if spec.files is None or not self.wants(spec):
            return
        sids = self.wanted.of(place.slot, stage.tx.id, stage.side)
        store = self._all or (self._store and bool(sids))
        if not self._logged and not store:
            return
        for file in spec.files(stage):
            scene = speaking(place.scene(side=stage.side), spec.name)
            self._emit(
                FileRecord(
                    scene=scene, app_proto=spec.name, key=spec.eve_key or spec.name, fields=stage.tx.eve(),
                    tx_id=stage.tx.id, name=file.name, size=file.size, complete=file.complete, gaps=file.gaps,
                    digests=digests_of(file, self._hashes), beside=beside(stage.tx), logged=self._logged,
                    content=file.content if store else b"", sids=sids if store else (),
                )
            )  # fmt: skip
