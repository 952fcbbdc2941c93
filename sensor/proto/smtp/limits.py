"""Bounds of the SMTP parser."""

LINE = 4094
"""Bytes of a command or reply that are kept, its CR included; more is an event (as in Suricata)."""
COMMANDS = 4096
"""Commands that wait for their replies; further ones are not matched with replies."""
RECIPIENTS = 1000
"""Recipients of one mail that are kept."""
RECIPIENT_BYTES = 64 * 1024
"""Bytes of them."""
FILE_BYTES = 512 * 1024
"""Bytes of files that are kept until the end of the mail, for rules that test them beside its headers."""
