"""What framers have in common: which flows they follow, and how far each side is understood."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np

from sensor.model.distinct import among
from sensor.model.frames import PARTS, Framed
from sensor.model.growing import grown
from sensor.proto.kernels_parts import REFUSED


class Shown(Protocol):
    """What is known of an exchange."""

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a named buffer."""


class Framer(Protocol):
    """Cuts the streams of a protocol into frames."""

    def follows(self, slot: int, flow: int) -> bool:
        """Tell whether all that was seen of a flow (by its id) so far was framed."""

    def leave(self, slot: int) -> None:
        """Follow a flow no longer: its messages are not what their frames say."""

    def frame(self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray) -> Framed:
        """Return the frames of some units. data: uint8[n]; units: UNIT[m]; picked: bool[m]; flows: FLOW[slots]."""

    def message(self, data: np.ndarray, frame: np.void, *, whole: bool) -> tuple[Shown, int] | None:
        """Return what is known of an exchange by a frame that begins in `data`, and how much that is.

        whole: all of the message is wanted. None: something about it is odd, or it is not all there.
        """


class Following:
    """Keeps where each side's next message begins."""

    def __init__(self) -> None:
        self._next = np.zeros(0, np.int64)
        """int64[2 * slots]: stream offsets, -1: the flow is not followed."""
        self._owner = np.zeros(0, np.uint64)
        """uint64[slots]: one more than the ids of the flows that they are about."""

    def follows(self, slot: int, flow: int) -> bool:
        """See `Framer`."""
        mine = slot < self._owner.size and int(self._owner[slot]) == flow + 1
        return mine and self._next[2 * slot] >= 0 and self._next[2 * slot + 1] >= 0

    def leave(self, slot: int) -> None:
        """See `Framer`."""
        self._next[2 * slot : 2 * slot + 2] = -1

    def _follow(self, units: np.ndarray, picked: np.ndarray, flows: np.ndarray) -> bool:
        """Get ready for a block; tell whether the flow table has grown. See `Framer.frame`.

        Of a flow that is new here, all that either side has sent must be in this block: what told its protocol may
        have come later than what it is about.
        """
        slots, more = flows.size, self._owner.size < flows.size
        if more:
            self._owner, self._next = grown(self._owner, slots), grown(self._next, 2 * slots)
        mine, side = units["flow"][picked], units["side"][picked].astype(np.int64)
        new = self._owner[mine] != flows["id"][mine] + np.uint64(1)
        if new.any():
            sides = 2 * mine.astype(np.int64) + side
            back = flows["pos"][mine[new], 1 - side[new]]
            for slot in mine[new][(back > 0) & ~among(sides[new] ^ 1, sides)].tolist():
                self._owner[slot] = flows["id"][slot] + np.uint64(1)
                self.leave(slot)
        return more


def asked_of(parts: Collection[int]) -> np.ndarray:
    """Return uint8[parts], 1 where some rule tests one."""
    asked = np.zeros(PARTS, np.uint8)
    asked[list(parts)] = 1
    return asked


def framed(frames: np.ndarray, first: np.ndarray, text: np.ndarray, picked: np.ndarray, verdict: np.ndarray,
           over: np.ndarray) -> Framed:  # fmt: skip
    """Return what a kernel has written. picked: bool[units]; verdict: uint8[units]; over: int32, -1 behind the last."""
    refused = np.flatnonzero(verdict == REFUSED).astype(np.int32)
    plain = (picked & (verdict != REFUSED)).view(np.uint8)
    return Framed(frames, first, text, plain, refused, over[: int(np.argmax(over == -1))])
