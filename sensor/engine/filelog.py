"""Files that transactions have carried: which are written to the log."""

from __future__ import annotations

from collections.abc import Callable

from sensor.engine.judge import Place
from sensor.model.app import ProtocolSpec, TxStage, beside
from sensor.model.scene import FileRecord, speaking

KIND = "fileinfo"
"""EVE event type."""


class FileLog:
    """Writes a record for each file. hashes: names of those that records carry."""

    def __init__(self, emit: Callable[[FileRecord], None], hashes: tuple[str, ...], *, wanted: bool) -> None:
        self._emit = emit
        self._hashes = hashes
        self._wanted = wanted

    @property
    def hashes(self) -> bool:
        """Tell whether files that are too long to be kept must be hashed."""
        return self._wanted and bool(self._hashes)

    def wants(self, spec: ProtocolSpec) -> bool:
        """Tell whether every flow of a protocol must be parsed."""
        return self._wanted and spec.files is not None

    def stage(self, place: Place, spec: ProtocolSpec, stage: TxStage) -> None:
        """Log the files that are complete at a stage."""
        if not self._wanted or spec.files is None:
            return
        key = spec.eve_key or spec.name
        for file in spec.files(stage):
            scene = speaking(place.scene(side=stage.side), spec.name)
            fields, more = stage.tx.eve(), beside(stage.tx)
            self._emit(FileRecord(scene, spec.name, key, fields, stage.tx.id, file, self._hashes, more))
