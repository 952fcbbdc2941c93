"""Base64 inside a buffer: decoded at the cursor, then tested as a buffer of its own."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

from sensor.detect.context import Window
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.detect.budget import Meter
    from sensor.detect.chain import Step
    from sensor.rules.nodes import Base64

MAX_TEXT = 65_535
"""Bytes of text that are decoded at most, as in Suricata."""
_ALPHABET = re.compile(rb"[A-Za-z0-9+/]*")
_COST = 5
"""2**5 bytes decoded cost a step."""


def decode(text: bytes) -> bytes:
    """Decode up to the first byte outside the alphabet (RFC 4648 section 4); bits that fill no byte are dropped."""
    found = _ALPHABET.match(text)
    size = found.end() if found else 0
    size -= size % 4 == 1
    return binascii.a2b_base64(text[:size] + b"=" * (-size % 4))


def base64_step(test: Base64, inner: Step, follow: Step) -> Step:
    """Return the step. It fails where nothing can be decoded; the cursor stays. Raises RuleError."""
    if not 0 <= test.nbytes <= MAX_TEXT or test.offset < 0:
        raise RuleError(f"base64: {test.nbytes} bytes from {test.offset} cannot be decoded")
    most, offset, relative = test.nbytes or MAX_TEXT, test.offset, test.relative

    def step(window: Window, cursor: int, meter: Meter) -> bool:
        at = offset + (cursor if relative else -window.base)
        meter.charge(2 + (min(most, max(len(window.data) - at, 0)) >> _COST))
        decoded = decode(window.data[at : at + most]) if at >= 0 else b""
        return bool(decoded) and inner(Window(decoded), 0, meter) and follow(window, cursor, meter)

    return step
