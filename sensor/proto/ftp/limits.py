"""Bounds of the FTP parser."""

LINE = 4094
"""Bytes of a line that are kept, its CR included; more is an event (as in Suricata)."""
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
