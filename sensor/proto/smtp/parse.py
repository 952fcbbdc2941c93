"""Lines of SMTP: commands and replies (RFC 5321 sections 4.1 and 4.2)."""

from __future__ import annotations

import re

_CHUNK = re.compile(rb"\s*(\d{1,10})(\s+LAST)?\s*", re.IGNORECASE)


def verb(line: bytes) -> bytes:
    """Return the command in capitals."""
    return line.strip().partition(b" ")[0].upper()


def hello(line: bytes) -> bytes:
    """Return the argument of HELO or EHLO."""
    return line.strip()[4:].strip()


def path(line: bytes, prefix: bytes) -> bytes | None:
    """Return the path of `MAIL FROM:<path> …`, with its brackets; None: the line is no such command."""
    text = line.strip()
    if text[: len(prefix)].upper() != prefix:
        return None
    rest = text[len(prefix) :].lstrip()
    end = rest.find(b">")
    return rest[: end + 1] if rest[:1] == b"<" and end > 0 else rest.partition(b" ")[0]


def chunk(line: bytes) -> tuple[int, bool] | None:
    """Return (bytes, whether it is the last) of a BDAT (RFC 3030 section 2); None: it is malformed."""
    found = _CHUNK.fullmatch(line.strip()[4:])
    return (int(found[1]), bool(found[2])) if found else None


def code(line: bytes) -> int:
    """Return the code of a reply line; 0: it has none."""
    head = line[:3]
    return int(head) if len(head) == 3 and head.isdigit() else 0
