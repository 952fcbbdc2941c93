"""What the parser of one SMB flow keeps at most."""

MESSAGE = 16_384
"""Bytes of a message that are kept to be parsed; of a longer one only file or pipe data are followed to their end."""
TRANSFER = 16 * 1024 * 1024
"""Bytes of a read or write that a server may allow (Suricata's max-read-size); more is an event."""
PENDING = 512
"""Requests that wait for their response; Windows grants up to 512 credits by default."""
HANDLES = 512
"""Open files and pipes that are known."""
TREES = 128
"""Connected shares that are known."""
PIPES = 32
"""Pipes that are read as DCE/RPC."""
FILES_HELD = 8 * 1024 * 1024
"""Bytes of files held in all handles together; the oldest file is given up then."""
CHAIN = 32
"""Messages in one compound or AndX chain."""
DIALECTS = 64
"""Dialects of a negotiation that are read; Windows offers up to 8."""
NAME = 4096
"""Bytes of a name that are kept."""
ANOMALIES = 64
"""Anomalies kept between two calls of `anomalies`."""
MALFORMED = 64
"""Malformed messages after which nothing more is read: such a message costs as much as a sound one of 1,000 bytes."""
