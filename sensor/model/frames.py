"""Frames: the messages of an application protocol as places in the gathered bytes of a block, found without parsing."""

import numpy as np

PARTS = 26
"""Parts that a frame may have; each protocol numbers its own."""
ABSENT, UNKNOWN = -1, -2
"""In place of where a part begins: the message has none; what rules see there is not what stands on the wire."""

OPEN, CONTINUED, ALTERED, CODED, ODD, BLURRED = 1, 2, 4, 8, 16, 32
"""Bits of `FRAME.flags`. OPEN: the last part goes on behind these bytes. CONTINUED: the frame is only more of the last
part of a message that began in an earlier block. ALTERED: a part of the head reads otherwise once it is normalised.
CODED: what goes on does, and all of it is here. ODD: the parser has something to report.
BLURRED: header fields read otherwise than they stand."""

FRAME = np.dtype(
    [
        ("unit", "<i4"),
        ("first", "<i4"),  # in `data`; so are the next two
        ("head", "<i4"),  # behind the head
        ("last", "<i4"),  # behind what is here of the message
        ("side", "u1"),
        ("flags", "u1"),
        ("at", "<i4", (PARTS,)),  # where each part begins, in `data` or in the text that the framer wrote
        ("to", "<i4", (PARTS,)),
    ],
    align=True,
)
"""One message, or what of it is in a block."""
