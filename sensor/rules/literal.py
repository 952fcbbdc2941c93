r"""Literal bytes in text: `GET /a|0d 0a|b`. The syntax of Suricata's `content`: patterns carry over.

Text stands for its UTF-8 bytes, `|0d 0a|` for bytes in hex; a backslash makes `\ | ; : "` literal.
"""

from __future__ import annotations

import re

_ESCAPABLE = '\\|;:"'
_TOKEN = re.compile(r"\\(?P<escape>.)|\|(?P<hex>[^|]*)\||(?P<text>[^\\|]+)|(?P<bad>.)", re.DOTALL)
_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b"|\\")


class LiteralError(ValueError):
    """Text that is no literal; `position` is an offset in the text."""

    def __init__(self, message: str, position: int, hint: str = "") -> None:
        super().__init__(message)
        self.position = position
        self.hint = hint


def parse(text: str) -> bytes:
    """Return the bytes that the text stands for. Raises LiteralError."""
    if "|" not in text and "\\" not in text:
        return text.encode()
    out = bytearray()
    for token in _TOKEN.finditer(text):
        kind, part = token.lastgroup, token.group(token.lastgroup or 0)
        if kind == "text":
            out += part.encode()
        elif kind == "hex":
            out += _hex(part, token.start())
        elif kind == "escape" and part in _ESCAPABLE:
            out += part.encode()
        elif kind == "escape":
            raise LiteralError(
                f"'\\{part}' is no escape", token.start(), "write '\\\\' for a backslash, '|0a|' for bytes"
            )
        elif part == "|":
            raise LiteralError("a '|' section is not closed", token.start(), "write '\\|' for a bar")
        else:
            raise LiteralError("the text ends in a backslash", token.start(), "write '\\\\' for a backslash")
    return bytes(out)


def _hex(digits: str, position: int) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise LiteralError(f"'|{digits[:20]}|' is not hex", position, "pairs of hex digits, as in '|0d 0a|'") from None


def write(data: bytes) -> str:
    """Return text that `parse` reads back as the same bytes."""
    out: list[str] = []
    run = bytearray()

    def flush() -> None:
        if run:
            out.append(f"|{run.hex(' ')}|")
            run.clear()

    for byte in data:
        if byte in _PLAIN:
            flush()
            out.append(chr(byte))
        elif byte in b"|\\" and not run:
            out.append("\\" + chr(byte))
        else:
            run.append(byte)
    flush()
    return "".join(out)
