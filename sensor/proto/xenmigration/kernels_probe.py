"""Migration streams by content: xl's header or banner, or a stream header of libxl or libxc.

Formats: `tools/xl/xl.h` (`savefileheader_magic`), docs/specs/libxl-migration-stream.pandoc and
docs/specs/libxc-migration-stream.pandoc of Xen.
"""

import numpy as np

from sensor.model.jit import helper
from sensor.proto.ids import XEN_MIGRATION

_PENDING, _NO = 0, 1
_SAVED = np.frombuffer(b"Xen saved domain, xl format\n", np.uint8)
_BANNER = np.frombuffer(b"xl migration receiver ready", np.uint8)
_LIBXL = np.frombuffer(b"LibxlFmt\0\0\0", np.uint8)
_LIBXC = np.frombuffer(b"\xff" * 8 + b"XENF\0\0\0", np.uint8)


@helper
def _begins(h, n, word):
    for i in range(word.size):
        if i >= n:
            return _PENDING
        if h[i] != word[i]:
            return _NO
    return XEN_MIGRATION


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes."""
    first = h[0]
    if first == 88:
        return _begins(h, n, _SAVED)
    if first == 120:
        return _begins(h, n, _BANNER)
    if first == 76:
        return _begins(h, n, _LIBXL)
    if first == 255:
        return _begins(h, n, _LIBXC)
    return _NO
