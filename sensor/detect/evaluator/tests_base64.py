"""Base64 inside a buffer: decoded at the cursor, then tested as a buffer of its own."""

from __future__ import annotations

import binascii
import re
from typing import TYPE_CHECKING

import numpy as np

from sensor.detect.evaluator.context import Window
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.detect.evaluator.chain import Step
    from sensor.detect.state.budget import Meter
    from sensor.rules.nodes import Base64

MAX_TEXT = 65_535
"""Bytes of text that are decoded at most, as in Suricata."""
_ALPHABET = re.compile(rb"[A-Za-z0-9+/=]*")
_PAD = ord("=")
_COST = 5
"""2**5 bytes decoded cost a step."""


def decode(text: bytes) -> bytes:
    """Decode up to the first byte outside the alphabet (RFC 4648 section 4), as Suricata does.

    Padding may stand anywhere: a block of four has as many bytes less as it holds of it. The last block may lack some:
    bits that fill no byte are dropped, but six alone are one byte where text follows that is not base64.
    """
    found = _ALPHABET.match(text)
    size = found.end() if found else 0
    whole = size - size % 4
    last = text[whole:size].replace(b"=", b"A")
    keep = max(len(last) - 1, int(size < len(text))) if last else 0
    return _blocks(text[:whole]) + binascii.a2b_base64(last + b"A" * (4 - len(last)))[:keep]


def _blocks(text: bytes) -> bytes:
    """Decode blocks of four."""
    if b"=" not in text:
        return binascii.a2b_base64(text)
    letters = np.frombuffer(text, np.uint8).reshape(-1, 4)
    octets = np.frombuffer(binascii.a2b_base64(text.replace(b"=", b"A")), np.uint8).reshape(-1, 3)
    kept: np.ndarray = np.arange(3) < 3 - (letters == _PAD).sum(axis=1, keepdims=True)
    return bytes(octets[kept])


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
