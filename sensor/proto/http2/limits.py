"""What one HTTP/2 connection may hold. Sizes in bytes."""

FRAME = 64 * 1024
"""Of a frame other than DATA; a longer one is passed over, and with a header block the connection is given up."""
FRAME_KEPT = 16 * 1024
"""Of a DATA frame, for rules about frames."""
HEADER_BLOCK = 64 * 1024
"""Of a header block with its continuations."""
HEADERS = 256
"""Fields of one block that are kept."""
HEADER_LIST = 128 * 1024
"""Bytes of those fields: a block of few bytes may stand for many."""
TABLE = 64 * 1024
"""Of the dynamic table, whatever the peers agree on (RFC 7541 section 4.2: 4096 unless they do)."""
STREAMS = 256
"""Streams that are open; further ones end the oldest."""
CLOSED = 256
"""Numbers of ended streams that are kept."""
HELD = 4 * 1024 * 1024
"""Bodies and headers of open streams together."""
VALUES = 64
"""Kinds of frames, and values in them, that are told apart on one stream."""
FRAMES = 65_536
"""Frames of one stream; more is an event (Suricata's max-frames)."""
