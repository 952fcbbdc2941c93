"""The bytes of an input as one sliding array for the record kernels.

Files are read, not mapped, because reading into a buffer that stays in the cache is faster. Measured with a
68 MB file in the page cache, per packet of 390 bytes: index it and pass once over headers and payload: 62 ns
in windows of 2-4 MiB, 116 ns in 16 MiB (out of the cache), 105 ns mapped (page faults, and each record header
a cache miss that the next one depends on), 70 ns mapped and touched line by line ahead of the walk. A file
that is cut short meanwhile is then an error and not a SIGBUS, and the memory stays bounded.
"""

import numpy as np

from sensor.capture.decompress import PackedInput
from sensor.capture.limits import MAX_WINDOW
from sensor.capture.rawinput import RawInput
from sensor.errors import CaptureError


class Window:
    """One buffer over an input.

    `view`: uint8[n], read-only, what is there; blocks are slices of it and stale once `more` was called.
    `base`: offset of `view[0]` in the (unpacked) input. size: bytes of the buffer; it grows up to MAX_WINDOW
    when `more` finds it full.
    """

    def __init__(self, raw: RawInput, source: RawInput | PackedInput, size: int) -> None:
        self._raw = raw
        self._source = source
        self._buf: np.ndarray = np.empty(size, np.uint8)
        self._fill = 0
        self._error: CaptureError | None = None
        self.base = 0
        self.unpacked = isinstance(source, PackedInput)
        self.view = self._buf[:0]

    def more(self, keep: int) -> bool:
        """Make `view[keep]` the first byte, wait for more behind, and tell whether there was any.

        Takes what is there without waiting once there is something. Raises CaptureError where the input
        cannot be read further, StoppedError where a stop ended the wait.
        """
        if self._error is not None:
            raise self._error
        self._slide(keep)
        before = self._fill
        got = self._read(wait=True)
        while got:
            self._fill += got
            got = self._read_on()
        self.view = self._buf[: self._fill]
        self.view.flags.writeable = False
        return self._fill > before

    def _slide(self, keep: int) -> None:
        rest = self._fill - keep
        target = self._buf
        if rest == self._buf.size:
            target = np.empty(min(2 * self._buf.size, MAX_WINDOW), np.uint8)
        if keep or target is not self._buf:
            target[:rest] = self._buf[keep : self._fill]
        self._buf = target
        self._fill = rest
        self.base += keep

    def _read(self, *, wait: bool) -> int:
        room = self._buf.data[self._fill :]
        return self._source.read_into(room, wait=wait) if room else 0

    def _read_on(self) -> int:
        """Add what is there already; an error waits until the bytes before it are used."""
        try:
            return self._read(wait=False)
        except CaptureError as error:
            self._error = error
            return 0

    def position(self) -> int:
        """Bytes read from the file."""
        return self._raw.done
