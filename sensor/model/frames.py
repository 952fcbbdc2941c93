"""Frames: the messages of an application protocol as places in the gathered bytes of a block, found without parsing."""

from typing import NamedTuple

import numpy as np

PARTS = 26
"""Parts that a frame may have; each protocol numbers its own."""
ABSENT, UNKNOWN, APART = -1, -2, -3
"""In place of where a part begins: the message has none; what rules see there is not what stands on the wire; it is
part of another frame."""

DECODED = 1 << 30
"""From here on, places are those of bytes that were made of a message: none of a block lies so far."""

HEAD, FORM, ALL, REST = range(4)
"""What is known of a message: its head; its body as well, but not the files in it; all of it; only what is behind the
head (`Framing.heads`, `wholes`)."""

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


class Framed(NamedTuple):
    """The frames of a block."""

    frames: np.ndarray
    """FRAME[n], by unit and place."""
    first: np.ndarray
    """int32[units + 1]: where each unit's frames begin."""
    text: np.ndarray
    """uint8: what the framer wrote."""
    plain: np.ndarray
    """uint8[units]: 1 where every byte belongs to a frame."""
    refused: np.ndarray
    """int32[k]: units that must be parsed."""
    over: np.ndarray
    """int32[j]: slots of flows of which nothing that comes can matter any more."""
