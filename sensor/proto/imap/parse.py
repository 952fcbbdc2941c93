"""Lines of IMAP (RFC 9051 sections 2.2 and 4.3)."""

from __future__ import annotations

import re
from typing import NamedTuple

_LITERAL = re.compile(rb"~?\{(\d{1,10})\+?\}\Z")
_MAIL = re.compile(rb"\b(?:APPEND|RFC822(?= )|BODY\[\]|BINARY\[\])", re.IGNORECASE)
_TAG = re.compile(rb"[^\s+*(){%\"\\]{1,64}\Z")


class Command(NamedTuple):
    """`tag command arguments`."""

    tag: bytes
    word: bytes
    """In capitals; with UID in front: of what follows it."""
    arguments: bytes


def command(line: bytes) -> Command | None:
    """Parse a line of the client; None: it is no command."""
    tag, _, rest = line.partition(b" ")
    word, _, arguments = rest.strip().partition(b" ")
    if not word or _TAG.match(tag) is None:
        return None
    if word.upper() == b"UID" and arguments:
        after, _, arguments = arguments.partition(b" ")
        word += b" " + after
    return Command(tag, word.upper(), arguments.strip())


def literal(line: bytes) -> int:
    """Return how many bytes follow the line as they are; -1: none."""
    found = _LITERAL.search(line[-16:])
    return int(found[1]) if found else -1


def is_mail(line: bytes) -> bool:
    """Tell whether the bytes that a line announces are a mail."""
    return _MAIL.search(line) is not None
