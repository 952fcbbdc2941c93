"""Bounds of the IMAP parser."""

LINE = 8192
"""Bytes of a line that are kept (RFC 7162 section 4)."""
PENDING = 256
"""Commands that wait for their replies."""
FILE_BYTES = 512 * 1024
"""Bytes of files that are kept until a command is complete."""
