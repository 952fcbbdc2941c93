"""Bounds of the MIME parser. Those with an event are Suricata's defaults."""

HEADER_NAME = 75
HEADER_VALUE = 2000
"""Bytes of a header that are kept; more is an event."""
HEADERS = 200
"""Headers of one entity that are looked at."""
LINE = 998
"""RFC 5322 section 2.1.1; more is an event."""
ENCODED_LINE = 76
"""RFC 2045 section 6.7 and 6.8; more is an event."""
BOUNDARY = 254
"""Bytes of a boundary; a longer one is an event, and none."""
NAME = 255
"""Bytes of a file's name; more is an event."""
DEPTH = 10
"""Entities within each other; deeper ones are not taken apart."""
ENTITIES = 500
"""Entities of one mail; later ones are not taken apart."""
FILES = 100
"""Files of one mail."""
PIECE = 4096
"""Bytes of a line that are held until its end comes."""
