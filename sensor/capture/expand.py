"""Paths as given → capture files in the order in which they are read."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from sensor.capture.limits import PROBE_BYTES
from sensor.capture.openfile import NotACaptureError, open_reader
from sensor.capture.rawinput import STDIN, reason
from sensor.capture.records import BlockSize
from sensor.capture.stopping import StopSignal
from sensor.errors import CaptureError

_SUFFIXES = (".pcap", ".pcapng", ".cap", ".dmp")
_PACKINGS = (".gz", ".zst")
_UNKNOWN_TIME = 1 << 63
"""Files without a first packet sort behind all others."""


def expand(paths: Sequence[str], stop: StopSignal, *, recursive: bool = False) -> list[str]:
    """Return the files behind `paths`; a directory stands for its captures.

    Those are sorted by the time of their first packet, then by name.
    Raises CaptureError where a path does not exist, or a directory holds no capture.
    """
    files: list[str] = []
    for path in paths:
        if path != STDIN and _is_directory(path):
            files += _directory(path, stop, recursive=recursive)
        else:
            files.append(path)
    return files


def _is_directory(path: str) -> bool:
    try:
        return stat.S_ISDIR(Path(path).stat().st_mode)
    except (OSError, ValueError) as error:
        raise CaptureError(f"{path}: {reason(error)}") from error


def _directory(path: str, stop: StopSignal, *, recursive: bool) -> list[str]:
    times = ((first_time(name, stop), name) for name in _regular_files(path, recursive=recursive))
    found = sorted((when, name) for when, name in times if when is not None)
    if not found:
        raise CaptureError(f"{path}: no capture files in this directory")
    return [name for _, name in found]


def _regular_files(path: str, *, recursive: bool) -> Iterator[str]:
    errors: list[OSError] = []
    for folder, subfolders, names in os.walk(path, onerror=errors.append):
        if not recursive:
            subfolders.clear()
        for name in sorted(names):
            file = Path(folder, name)
            try:
                if file.is_file():
                    yield str(file)
            except OSError as error:
                errors.append(error)
    if errors:
        raise CaptureError(f"{errors[0].filename}: {reason(errors[0])}")


def first_time(name: str, stop: StopSignal) -> int | None:
    """Return the time of a file's first packet; a very late one if it has none, None if it is no capture.

    A file that is named like a capture, or cannot be read, counts as one: reading it later tells what is
    wrong.
    """
    try:
        with (
            open_reader(name, stop, BlockSize(packets=1, bytes=PROBE_BYTES)) as reader,
            closing(reader.blocks()) as blocks,
        ):
            block = next(blocks, None)
            return _UNKNOWN_TIME if block is None else int(block.ts[0])
    except NotACaptureError:
        return _UNKNOWN_TIME if _named_like_a_capture(name) else None
    except CaptureError:
        return _UNKNOWN_TIME


def _named_like_a_capture(name: str) -> bool:
    path = Path(name)
    return (path.with_suffix("") if path.suffix in _PACKINGS else path).suffix in _SUFFIXES
