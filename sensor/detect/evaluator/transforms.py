"""Changes made to a buffer before it is tested.

Names and meanings are Suricata's; each output is at most one byte (or one digest) longer than its input.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.detect.regex.pcre import Regex
from sensor.errors import RuleError

if TYPE_CHECKING:
    from sensor.rules.nodes import Transform

Change = Callable[[bytes], bytes]

_SPACES = b" \t\n\v\f\r"
_SPACE_RUN = re.compile(rb"([ \t\n\v\f\r])[ \t\n\v\f\r]+")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PSEUDO_HEADER = re.compile(rb"^:[^\n]*(?:\n|\Z)", re.MULTILINE)
_HEADER_NAME = re.compile(rb"^[^:\n]+", re.MULTILINE)


def url_decode(data: bytes) -> bytes:
    """`+` becomes a space, `%hh` its byte; anything else stays (`%u…` is not decoded)."""
    return _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), data.replace(b"+", b" "))


def strip_whitespace(data: bytes) -> bytes:
    """Remove all white space."""
    return data.translate(None, _SPACES)


def compress_whitespace(data: bytes) -> bytes:
    """Leave of each run of white space the first byte, whatever it is."""
    return _SPACE_RUN.sub(rb"\1", data)


def strip_pseudo_headers(data: bytes) -> bytes:
    """Remove header lines that begin with a colon (HTTP/2)."""
    return _PSEUDO_HEADER.sub(b"", data)


def header_lowercase(data: bytes) -> bytes:
    """Lower the names of header lines, not their values: each line up to its colon."""
    return _HEADER_NAME.sub(lambda m: m[0].lower(), data)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _sha1(data: bytes) -> bytes:
    return hashlib.sha1(data, usedforsecurity=False).digest()


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


PLAIN: MappingProxyType[str, Change] = MappingProxyType(
    {
        "to_lowercase": bytes.lower,
        "to_uppercase": bytes.upper,
        "to_md5": _md5,
        "to_sha1": _sha1,
        "to_sha256": _sha256,
        "url_decode": url_decode,
        "strip_whitespace": strip_whitespace,
        "compress_whitespace": compress_whitespace,
        "dotprefix": lambda data: b"." + data if data else data,
        "strip_pseudo_headers": strip_pseudo_headers,
        "header_lowercase": header_lowercase,
    }
)
"""Transforms without arguments."""


def xor(args: str) -> Change:
    """Return a change by a repeated key given in hexadecimal. Raises RuleError."""
    try:
        key = bytes.fromhex(args)
    except ValueError as error:
        raise RuleError(f"transform xor: {args!r} is not a key in hexadecimal") from error
    if not key:
        raise RuleError("transform xor needs a key")

    def change(data: bytes) -> bytes:
        size = len(data)
        pad = (key * (size // len(key) + 1))[:size]
        return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")

    return change


def pcrexform(args: str) -> Change:
    """Return a change to the first group of a regex; where that is empty, or none, the buffer stays.

    Raises RuleError.
    """
    regex = Regex(args)
    if not regex.groups:
        raise RuleError("transform pcrexform needs a regex with a capture group")

    def change(data: bytes) -> bytes:
        if regex.search(data) is None:
            return data
        span = regex.group(1)
        return data[span[0] : span[1]] or data if span is not None else data

    return change


PARAMETRIC: MappingProxyType[str, Callable[[str], Change]] = MappingProxyType(
    {"xor": xor, "pcrexform": pcrexform}
)
"""Transforms made from their argument."""


def compile_transforms(transforms: Sequence[Transform]) -> tuple[str, Change]:
    """Return the chain as one function, with the key under which windows cache its result.

    Raises RuleError on an unknown name or a bad argument.
    """
    changes = [_compile(t) for t in transforms]
    key = "|".join(f"{t.name}:{len(t.args)}:{t.args}" for t in transforms)
    if len(changes) == 1:
        return key, changes[0]

    def chain(data: bytes) -> bytes:
        for change in changes:
            data = change(data)
        return data

    return key, chain


def _compile(transform: Transform) -> Change:
    plain = PLAIN.get(transform.name)
    if plain is not None:
        if transform.args:
            raise RuleError(f"transform {transform.name} takes no argument")
        return plain
    make = PARAMETRIC.get(transform.name)
    if make is None:
        raise RuleError(f"transform {transform.name!r} is unknown")
    return make(transform.args)
