"""Scan units: runs of bytes, contiguous in one buffer, that the literal scan reads in one go."""

import numpy as np

UNIT = np.dtype(
    [
        ("start", "<i8"),  # first byte in `data`
        ("end", "<i8"),  # behind the last byte
        ("fresh", "<i8"),  # where new bytes begin; [start, fresh) is the carried tail of earlier blocks
        ("pos", "<i8"),  # UNIT_STREAM: stream offset of data[fresh]; UNIT_PACKET: 0
        ("flow", "<i4"),  # slot, -1: none
        ("row", "<i4"),  # UNIT_PACKET: its row; UNIT_STREAM: the row of the first new byte (-1: time alone)
        ("side", "u1"),  # 0 to_server, 1 to_client
        ("kind", "u1"),  # UNIT_* below
    ],
    align=True,
)
"""One run of bytes."""

UNIT_STREAM = 0
"""In-order bytes of one side."""
UNIT_PACKET = 1
"""Payload of one row that is not (or not wholly) in the stream."""
