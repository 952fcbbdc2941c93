"""What the parser of one NFS flow keeps at most."""

RECORD = 16_384
"""Bytes of a record that are kept to be parsed; of a longer one only the bytes of a file are followed to its end."""
CALLS = 256
"""Calls that wait for their reply."""
NAMES = 1024
"""File handles of which the name is known."""
FILES = 64
"""Files under way."""
FILES_HELD = 8 * 1024 * 1024
"""Bytes of files held together; the oldest file is given up then."""
OPERATIONS = 64
"""Operations of one compound that are read; Linux sends up to 10."""
MALFORMED = 64
"""Malformed messages after which nothing more is read: such a message costs as much as a sound one of 1,000 bytes."""
