"""Transfer codings undone on the way (RFC 2045 section 6), and uuencode. Cost is linear, nothing raises."""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NO_BASE64 = bytes(set(range(256)) - set(_ALPHABET))
_BLANK = b" \t\r\n="
_ODD_ESCAPE = re.compile(rb"=(?![0-9A-F]{2}|\r?\n|\Z)")
"""What Suricata takes for none."""
_BAD_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r?\n|[ \t]*\Z)")
_SOFT = re.compile(rb"=[ \t]*\r?\n")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")


class Coding(Protocol):
    """Undoes one coding. `faulty`: what was given is not of it."""

    faulty: bool

    def feed(self, data: bytes) -> bytes:
        """Take text with its line ends; return what can be decoded by now."""

    def finish(self) -> bytes:
        """Return what was held back."""


class Identity:
    """`7bit`, `8bit`, `binary`."""

    __slots__ = ("faulty",)

    def __init__(self) -> None:
        self.faulty = False

    def feed(self, data: bytes) -> bytes:
        """See `Coding`."""
        return data

    def finish(self) -> bytes:
        """See `Coding`."""
        return b""


class Base64:
    """`base64`: bytes outside the alphabet are passed over, padding ends a group."""

    __slots__ = ("_held", "faulty")

    def __init__(self) -> None:
        self.faulty = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """See `Coding`."""
        self.faulty |= bool(data.translate(None, _ALPHABET + _BLANK))
        first, *padded = data.split(b"=")
        out = bytearray(self._groups(first))
        for part in padded:
            out += self.finish()
            out += self._groups(part)
        return bytes(out)

    def finish(self) -> bytes:
        """See `Coding`: two or three letters are one or two bytes, one letter is none."""
        held, self._held = self._held, b""
        return binascii.a2b_base64(held + b"=" * (4 - len(held))) if len(held) > 1 else b""

    def _groups(self, text: bytes) -> bytes:
        letters = self._held + text.translate(None, _NO_BASE64)
        whole = len(letters) & ~3
        self._held = letters[whole:]
        return binascii.a2b_base64(letters[:whole])


class QuotedPrintable:
    """`quoted-printable` (section 6.7): of what is no escape the `=` is left out, as in Suricata."""

    __slots__ = ("_held", "faulty")

    def __init__(self) -> None:
        self.faulty = False
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """See `Coding`. What may be the beginning of an escape waits: `=`, `=4`, `=` and blanks."""
        text = self._held + data
        cut = text.rfind(b"=", max(0, len(text) - 80))
        rest = text[cut + 1 :] if cut >= 0 else b""
        open_ = cut >= 0 and b"\n" not in rest and (len(rest) < 2 or not rest.strip(b" \t\r"))
        self._held = text[cut:] if open_ else b""
        return self._decoded(text[:cut] if open_ else text)

    def finish(self) -> bytes:
        """See `Coding`."""
        held, self._held = self._held, b""
        return self._decoded(held)

    def _decoded(self, text: bytes) -> bytes:
        if _ODD_ESCAPE.search(text) is not None:
            self.faulty = True
            text = _BAD_ESCAPE.sub(b"", text)
        return _ESCAPE.sub(lambda found: bytes((int(found[1], 16),)), _SOFT.sub(b"", text))


_CODINGS: Mapping[bytes, Callable[[], Coding]] = MappingProxyType(
    {b"base64": Base64, b"quoted-printable": QuotedPrintable}
)


def coding(name: bytes) -> Coding:
    """Return what undoes a Content-Transfer-Encoding."""
    return _CODINGS.get(name.strip().lower(), Identity)()


def uu_line(line: bytes) -> bytes | None:
    """Return the bytes of a line of uuencode; None: it is none."""
    if not line or not 32 <= line[0] <= 96 or len(line) > 128:
        return None
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        return None
