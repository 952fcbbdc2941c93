"""Frames of SSH (`sensor.model.frames`): one of each banner, one of each offer of a key exchange.

What the kernel takes for plain, the parser reads as it stands: a banner of SSH 2, of the server after a few other
lines in the same block, then KEXINIT, both whole in a block. What comes behind is read by nobody. Everything else (SSH
1, other packets first, messages over several blocks) it refuses, and the flow is parsed.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sensor.model.frames import APART, FRAME, HEAD, REST, Framed
from sensor.proto.framer import Following, asked_of, framed
from sensor.proto.ssh import parts as p
from sensor.proto.ssh.kernels_frame import frame
from sensor.proto.ssh.parse import banner, kexinit
from sensor.proto.ssh.transaction import SshTransaction

_ROOM = 1 << 12
_TEXT_ROOM = 1 << 18
"""Frames, and bytes of text, of one block; a flow that finds no room is parsed."""


class SshFramer(Following):
    """Cuts the beginnings of connections into frames (see `sensor.proto.framer.Framer`)."""

    def __init__(self, asked: Collection[int]) -> None:
        """asked: parts that some rule tests; hashes are made of no others."""
        super().__init__()
        self._asked = asked_of(asked)
        self._frames, self._text = np.empty(_ROOM, FRAME), np.empty(_TEXT_ROOM, np.uint8)

    def frame(self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray) -> Framed:
        """See `Framer`."""
        self._follow(units, picked, flows)
        first, verdict = np.zeros(units.size + 1, np.int32), np.zeros(units.size, np.uint8)
        over = np.full(units.size + 1, -1, np.int32)
        n = frame(
            data, units, picked.view(np.uint8), flows, self._owner, self._next, self._asked, self._frames, self._text,
            first, verdict, over,
        )  # fmt: skip
        return framed(self._frames[:n], first, self._text, picked, verdict, over)

    def message(self, data: np.ndarray, frame: np.void, *, whole: bool) -> tuple[SshTransaction, int] | None:
        """See `Framer`. Of a connection no frame has more than one message."""
        octets, side = data[int(frame["head"]) : int(frame["last"])].tobytes(), int(frame["side"])
        tx = SshTransaction()
        if whole:
            return None
        if int(frame["at"][p.OF_OFFER]) == APART:
            tx.banners[side] = banner(octets[:-1].removesuffix(b"\r"))
            return tx, HEAD
        tx.kex[side] = kexinit(octets[5 : len(octets) - octets[4]])
        return tx, REST
