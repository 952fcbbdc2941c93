"""Sets of values that rules share, kept in files from run to run: one value a line, as in lists beside rules."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sensor.rules.lists import MAX_BYTES, MAX_ENTRIES, ListError, below, value, written

if TYPE_CHECKING:
    from sensor.detect.state.datasets import Dataset, Datasets


def restore(datasets: Datasets, folder: str, tell: Callable[[str], None]) -> None:
    """Read the sets that have a state. A file that is not there yet is none; tell: hears what is wrong with others."""
    for found in datasets.sets.values():
        if found.state and folder:
            found.kept = _read(datasets, found, Path(folder, found.state), tell)


def _read(datasets: Datasets, found: Dataset, path: Path, tell: Callable[[str], None]) -> bool:
    """Tell whether the set is what the file says."""
    try:
        if not path.exists():
            return True
        if path.stat().st_size > MAX_BYTES:
            tell(f"{path}: larger than {MAX_BYTES >> 20} MiB: the set begins empty and is not kept")
            return False
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        tell(f"{path}: {error.strerror or error}: the set begins empty and is not kept")
        return False
    bad = len(lines) - MAX_ENTRIES if len(lines) > MAX_ENTRIES else 0
    for line in lines[:MAX_ENTRIES]:
        try:
            datasets.change(found, value(line.strip(), found.kind), there=True)
        except ListError:
            bad += 1
    if bad:
        tell(f"{path}: {bad} lines are left out")
    return True


def save(datasets: Datasets, folder: str, tell: Callable[[str], None]) -> None:
    """Write the sets that have a state, or a file to be saved to: aside, then renamed.

    A state that was not read (its set came with a reload) is not written over.
    """
    for found in datasets.sets.values():
        for name in dict.fromkeys((found.state if found.kept else "", found.save)):
            if name and folder and below(name):
                try:
                    _write(found, Path(folder, name))
                except OSError as error:
                    tell(f"{Path(folder, name)}: not saved: {error.strerror or error}")


def _write(found: Dataset, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.writelines(f"{written(one, found.kind)}\n" for one in found.values())
        Path(temporary).replace(path)
    except OSError:
        with suppress(OSError):
            Path(temporary).unlink()
        raise
