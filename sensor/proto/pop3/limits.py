"""Bounds of the POP3 parser."""

LINE = 4096
"""Bytes of a line that are kept."""
PENDING = 256
"""Commands that wait for their replies."""
FILE_BYTES = 512 * 1024
"""Bytes of files of one mail that are kept until its end."""
