"""What one HTTP flow may hold. Sizes in bytes."""

HEADER_BYTES = 64 * 1024
"""Start line and headers of one message; what is longer is cut there and the side is given up."""
LINE_BYTES = 16 * 1024
"""A longer line is an anomaly (Apache allows 8 KB, IIS 16 KB)."""
FIELD_BYTES = 18000
"""A line that is longer before it has ended is one that Suricata gives up."""
MOST_HEADERS = 1025
"""More header lines in one message are an anomaly of their own (Suricata's limit)."""
HEADERS = 256
"""Header lines kept of one message."""
REQUEST_BODY = RESPONSE_BODY = 100 * 1024
"""Bytes of a body that rules see (Suricata's default inspection limits); the rest is counted, not copied."""
BODY_PARTS = 16
"""Pieces of one body kept when bytes in between are lost."""
ENCODING_LAYERS = 3
"""Content-encodings undone one after the other."""
BOMB_RATIO = 200
"""An encoded body that fills the whole output limit from 1/200 of it is a bomb (deflate can reach 1/1032)."""
PIPELINED = 128
"""Requests waiting for their response."""
PENDING_BYTES = 1024 * 1024
"""Headers and bodies of the waiting requests together."""
CHUNK_BYTES = 0x7FFFFFFF
"""A chunk that claims more is an anomaly (Suricata counts in 31 bits)."""
CHUNK_LINE = 4096
"""Longest chunk-size line, extensions included."""
JUNK_LINES = 8
"""Lines that are no start line, skipped in search of one."""
WARNINGS = 512
"""So many warnings about one connection are an anomaly of their own, and the last one (Suricata's limit)."""
ODD_AT_ONCE = 256
"""Anomalies of transactions told of one piece of the stream."""
NAME_BYTES = 4096
"""Of a file name that a response gives; the rest is cut off, as in Suricata."""
FORM_PARTS = 64
"""Parts of a multipart body that are looked at."""
TUNNEL = 16 * 1024
"""What each side may say behind a CONNECT before it is known what they speak."""
RANGED_FILES = 8
"""Files of one connection that are put together from byte ranges at a time; the oldest is forgotten."""
RANGED_BYTES = 256 * 1024
"""What is kept of them together."""
