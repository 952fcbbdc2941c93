"""Bounds of the FTP parser."""

LINE = 4096
"""Bytes of a line that are kept (Suricata's default)."""
ANNOUNCED_LINE = 1024
"""Bytes of a line that are looked at for data connections."""
PENDING = 1024
"""Commands that wait for their replies (Suricata's default)."""
PENDING_BYTES = 1024 * 1024
"""Bytes of those commands and their replies."""
REPLY_LINES = 200
"""Lines of replies to one command that are kept."""
REPLY_BYTES = 64 * 1024
"""Bytes of them."""
