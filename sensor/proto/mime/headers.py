"""Header fields of MIME entities (RFC 2045 section 5, RFC 2183)."""

from __future__ import annotations

import re
from typing import NamedTuple

from sensor.proto.mime import limits

_PARAMETER = re.compile(
    rb";[ \t\r\n]{0,100}([!#$%&'*+.^_`|~0-9A-Za-z-]{1,60})[ \t]{0,10}=[ \t]{0,10}"
    rb"(?:\"((?:[^\"\\\r\n]|\\.){0,2000})\"?|([^\r\n;\"]{0,2000}))"
)
_NAMELESS = re.compile(rb"name[ \t]{0,10}=[ \t]{0,10}\"\"", re.IGNORECASE)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


class Field(NamedTuple):
    """A header field."""

    name: bytes
    """Lowercase."""
    value: bytes
    """Unfolded, without blanks around it."""
    name_cut: bool = False
    value_cut: bool = False


def field(raw: bytes) -> Field | None:
    """Parse an unfolded field; None: it has no colon."""
    name, colon, value = raw.partition(b":")
    if not colon:
        return None
    name, value = name.strip().lower(), value.strip()
    cut = len(name) > limits.HEADER_NAME, len(value) > limits.HEADER_VALUE
    return Field(name[: limits.HEADER_NAME], value[: limits.HEADER_VALUE], *cut)


def word(value: bytes) -> bytes:
    """Return what stands before the parameters, lowercase."""
    return value.partition(b";")[0].strip().lower()


def parameters(value: bytes) -> dict[bytes, bytes]:
    """Return the parameters by lowercase name; the first of a name counts. `name*0=` parts are joined (RFC 2231)."""
    found: dict[bytes, bytes] = {}
    for name, quoted, plain in _PARAMETER.findall(value):
        text = _ESCAPED.sub(rb"\1", quoted) if quoted else plain.rstrip()
        base, star, number = name.lower().partition(b"*")
        if star and number.rstrip(b"*").isdigit() and base in found:
            found[base] += text
        else:
            found.setdefault(base, text)
    return found


def file_name(disposition: bytes, content_type: bytes) -> bytes | None:
    """Return the name of the file that an entity is, empty where it says `""`; None: it is none."""
    for value, named in ((disposition, b"filename"), (content_type, b"name")):
        name = parameters(value).get(named)
        if name or (name is not None and _NAMELESS.search(value)):
            return name
    return None
