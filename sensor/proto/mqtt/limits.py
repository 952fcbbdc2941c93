"""Bounds of the MQTT parser."""

KEPT = 100 * 1024
"""Bytes of a message that are kept; of a longer PUBLISH rules see these, of other kinds nothing."""
LONG = 1024 * 1024
"""Bytes from which on a message counts that breaks off (Suricata's default of max-msg-length)."""
MAX_PENDING = 1024
"""Transactions that wait for their answer (Suricata's default)."""
MAX_PENDING_BYTES = 1024 * 1024
"""Bytes of the messages of those transactions."""
MAX_MESSAGES = 64
"""Messages of one transaction; an exchange has at most four (MQTT 5 section 4.3.3)."""
MAX_ITEMS = 1000
"""Topics, reason codes or properties of one message."""
