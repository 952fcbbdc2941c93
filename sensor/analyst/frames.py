"""Packets of a capture by their time and addresses: an alert of a running sensor has no number of its packet."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensor.capture.files import open_source
from sensor.capture.openfile import open_reader
from sensor.capture.rawinput import STDIN
from sensor.capture.records import BlockSize
from sensor.capture.stopping import StopSignal
from sensor.errors import CaptureError


@dataclass(frozen=True, slots=True)
class Moment:
    """When a packet came, in microseconds as events have it, and what bytes are in it."""

    micros: int
    addresses: tuple[bytes, ...]


def check(path: str) -> None:
    """Raise CaptureError where a path is no capture that can be read twice."""
    if path == STDIN or (Path(path).exists() and not Path(path).is_file()):
        raise CaptureError(f"{path}: is not a file")
    with contextlib.closing(StopSignal()) as stop, open_reader(path, stop, BlockSize()):
        pass


def find(path: str, moments: Iterable[Moment]) -> dict[Moment, int]:
    """Return moment → number of the first packet in a capture that fits; what is not there is left out.

    Of a damaged capture the packets before the damage count. Raises CaptureError where it cannot be opened.
    """
    wanted: dict[int, list[Moment]] = {}
    for moment in moments:
        wanted.setdefault(moment.micros, []).append(moment)
    times = np.array(sorted(wanted), np.int64)
    found: dict[Moment, int] = {}
    with contextlib.closing(open_source([path], on_error=lambda _: None)) as source:
        for block in source.blocks() if wanted else ():
            micros = block.ts // 1000
            numbers = block.packet_numbers()
            for i in np.flatnonzero(np.isin(micros, times)).tolist():
                frame = block.buf[block.off[i] : block.off[i] + block.caplen[i]].tobytes()
                for moment in wanted[int(micros[i])]:
                    if moment not in found and all(address in frame for address in moment.addresses):
                        found[moment] = int(numbers[i])
    return found
