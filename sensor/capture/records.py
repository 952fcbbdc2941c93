"""What the readers of both file formats share: columns, blocks, and the words for damage."""

from abc import ABC, abstractmethod
from collections.abc import Generator
from dataclasses import dataclass

import numpy as np

from sensor.capture.limits import BLOCK_BYTES, BLOCK_PACKETS
from sensor.capture.window import Window
from sensor.errors import CaptureError
from sensor.model.block import PacketBlock

ENDED = -1
"""Instead of a position: the input is used up."""


@dataclass(frozen=True, slots=True)
class BlockSize:
    """Bounds of one block."""

    packets: int = BLOCK_PACKETS
    bytes: int = BLOCK_BYTES


class Columns:
    """Room for one block; a fresh one per block, so that a block owns its columns."""

    __slots__ = ("caplen", "off", "ts", "wirelen")

    def __init__(self, n: int) -> None:
        self.off = np.empty(n, np.int64)
        self.caplen = np.empty(n, np.int32)
        self.wirelen = np.empty(n, np.int32)
        self.ts = np.empty(n, np.int64)


class RecordReader(ABC):
    """The packets of one capture file, behind its magic number."""

    def __init__(self, name: str, window: Window, size: BlockSize) -> None:
        self.name = name
        self.window = window
        self.size = size
        self.skipped: dict[int, int] = {}
        """Packets passed over: link type that cannot be decoded → number."""

    @abstractmethod
    def blocks(self) -> Generator[PacketBlock, None, None]:
        """Yield the packets in file order. Raises CaptureError at damage, after all packets before it."""

    def block(self, start: int, end: int, n: int, columns: Columns, linktype: np.ndarray) -> PacketBlock:
        """Return `n` packets whose records fill view[start:end]."""
        return PacketBlock(
            buf=self.window.view[start:end],
            off=columns.off[:n],
            caplen=columns.caplen[:n],
            wirelen=columns.wirelen[:n],
            ts=columns.ts[:n],
            linktype=linktype,
            source=self.name,
        )

    def need(self, pos: int, n: int, what: str) -> int:
        """Wait until view[pos:pos + n] is there and return the new `pos`. Raises CaptureError at the end."""
        while self.window.view.size - pos < n:
            more = self.window.more(pos)
            pos = 0
            if not more:
                raise self.cut_off(what)
        return pos

    def next_window(self, pos: int, what: str) -> int:
        """Return the place of view[pos] in a window with more behind it, ENDED where the input ends there.

        Raises CaptureError where the input ends later, that is inside `what`.
        """
        if self.window.more(pos):
            return 0
        if self.window.view.size:
            raise self.cut_off(what)
        return ENDED

    def cut_off(self, what: str) -> CaptureError:
        """Return the error for an input that ends inside something that starts at view[0]."""
        return self.damage(0, f"the file is cut off {self.window.view.size} bytes into {what}")

    def damage(self, pos: int, what: str) -> CaptureError:
        """Return the error for damage at view[pos]."""
        unpacked = " of the unpacked data" if self.window.unpacked else ""
        return CaptureError(f"{self.name}: damaged at byte {self.window.base + pos}{unpacked}: {what}")
