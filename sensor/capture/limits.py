"""Bounds of capture: how much a block may hold, and what a file may claim before it counts as damaged."""

BLOCK_PACKETS = 16_384
"""Packets per block: enough to make the Python work per block vanish, small enough for the caches."""

BLOCK_BYTES = 4 << 20
"""Bytes of the file per block, and of the window over the file (see `window` for why not more): a block ends
with the first packet that reaches this, or with the window."""

MAX_CAPLEN = 1 << 20
"""Captured bytes of one packet. tcpdump's largest snapshot length is 262,144, super-frames of guests stay
below 64 KiB (BIG TCP: 512 KiB); a longer record is a damaged file."""

MAX_PCAPNG_BLOCK = 16 << 20
"""Bytes of one pcapng block; libpcap has the same limit."""

MAX_PCAPNG_INTERFACES = 65_536
"""Interfaces of one pcapng section; packet blocks of the old kind cannot name more."""

MAX_PCAPNG_SECTIONS = 65_536
"""Sections of one pcapng file."""

MIN_WINDOW = 1 << 16
"""Smallest window over an input, whatever the block size."""

MAX_WINDOW = 2 * MAX_PCAPNG_BLOCK
"""Size up to which the window grows when one record of the file does not fit."""

PROBE_BYTES = 1 << 18
"""Window while a directory is sorted: only the first packet is wanted."""

PIPE_BYTES = 1 << 20
"""Size that a pipe is given: its own 64 KiB would make blocks of 170 packets."""

PACKED_BYTES = 1 << 16
"""Bytes read from a packed file at once."""

UNPACK_BYTES = 1 << 20
"""Bytes unpacked at once."""

ZSTD_MAX_WINDOW = 1 << 27
"""Memory that a zstd frame may ask for (`zstd --long=27`)."""

ZSTD_PIECE = 1 << 9
"""Compressed bytes given to zstd at once: four bytes can unpack to 128 KiB, so this bounds output to 16 MiB.
Measured: 62 ms for 68 MB of output, 50 ms in pieces of 1 KiB, 37 ms in pieces of 64 KiB."""

PIPE_PATIENCE = 0.02
"""Seconds after the first bytes within which more of a pipe is waited for, before they are handed on."""

FOLLOW_POLL = 0.2
"""Seconds between looks at a file that is still being written."""
