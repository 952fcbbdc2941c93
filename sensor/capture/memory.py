"""Packets from memory, for tests and fuzzing: a source that punishes stale views and reads past a frame."""

from collections.abc import Iterator, Sequence

import numpy as np

from sensor.capture.limits import BLOCK_PACKETS
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock

POISON = 0xDD
SPACER = 16
"""Bytes of poison between frames."""


class MemorySource:
    """A BlockSource over frames `(ts_ns, bytes)`, all of one link type.

    Each block has a buffer of its own, which is overwritten with POISON when the next one is asked for.
    wirelens: bytes on the wire of each frame, where they differ from what was captured.
    """

    def __init__(
        self,
        frames: Sequence[tuple[int, bytes]],
        linktype: int = LINKTYPE_ETHERNET,
        *,
        block_packets: int = BLOCK_PACKETS,
        source: str = "memory",
        wirelens: Sequence[int] | None = None,
    ) -> None:
        self._frames = frames
        self._linktype = linktype
        self._block_packets = block_packets
        self._source = source
        self._wirelens = wirelens

    def blocks(self) -> Iterator[PacketBlock]:
        """Yield the frames in blocks of `block_packets`."""
        for start in range(0, len(self._frames), self._block_packets):
            buf, block = self._block(start)
            yield block
            buf[:] = POISON

    def _block(self, start: int) -> tuple[np.ndarray, PacketBlock]:
        part = self._frames[start : start + self._block_packets]
        n = len(part)
        caplen = np.fromiter((len(data) for _, data in part), np.int32, n)
        off = np.cumsum(caplen + SPACER, dtype=np.int64) - caplen
        gap = bytes([POISON]) * SPACER
        buf = np.frombuffer(bytearray(gap + gap.join(data for _, data in part) + gap), np.uint8)
        view = buf[:]
        view.flags.writeable = False
        wirelen = caplen
        if self._wirelens is not None:
            wirelen = np.fromiter(self._wirelens[start : start + n], np.int32, n)
        return buf, PacketBlock(
            buf=view,
            off=off,
            caplen=caplen,
            wirelen=wirelen,
            ts=np.fromiter((ts for ts, _ in part), np.int64, n),
            linktype=np.full(n, self._linktype, np.uint16),
            first=start + 1,
            source=self._source,
        )

    def close(self) -> None:
        """Nothing to give back."""
