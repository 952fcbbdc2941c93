"""Files of a transaction as its alerts tell of them."""

from __future__ import annotations

from collections.abc import Collection

from sensor.model.app import TxStage
from sensor.model.files import FileInfo
from sensor.model.scene import FileState
from sensor.proto.registry import BY_NAME


def files_at(stage: TxStage | None, app: str, hashes: Collection[str]) -> tuple[FileState, ...]:
    """Return the file that a stage is about, or those that its transaction carries. hashes: those to be told."""
    spec = BY_NAME.get(app)
    if stage is None or spec is None or spec.files is None:
        return ()
    over = (stage.file,) if stage.file is not None else tuple(spec.files(stage))
    if over:
        return tuple(_told(one, hashes, "TRUNCATED") for one in over)
    bodies = getattr(stage.tx, "bodies_at", None)
    return tuple(_told(one, hashes, "UNKNOWN") for one in bodies(stage.stage)) if bodies is not None else ()


def _told(file: FileInfo, hashes: Collection[str], otherwise: str) -> FileState:
    """Return the state of a file. otherwise: its state where it is not complete."""
    state = "CLOSED" if file.complete else otherwise
    return FileState(file.name, file.size, state, file.gaps, digests_of(file, hashes))


def digests_of(file: FileInfo, hashes: Collection[str]) -> dict[str, str]:
    """Return hashes of a file in hex digits, by name: those that are known."""
    return {name: digest for name in hashes if (digest := file.digest(name).decode())}
