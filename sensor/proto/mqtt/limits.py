"""Bounds of the MQTT parser."""

KEPT = 1024 * 1024
"""Bytes of a message that are kept (Suricata's default of max-msg-length); of a longer PUBLISH rules see these, of
other kinds nothing. A longer one counts even if it breaks off."""
MAX_PENDING = 1024
"""Transactions that wait for their answer (Suricata's default)."""
MAX_PENDING_BYTES = 1024 * 1024
"""Bytes of the messages of those transactions."""
MAX_MESSAGES = 64
"""Messages of one transaction; an exchange has at most four (MQTT 5 section 4.3.3)."""
MAX_ITEMS = 1000
"""Topics, reason codes or properties of one message."""
