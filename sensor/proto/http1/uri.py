"""Normalisation of request targets, as `http.uri` has it.

The path is percent-decoded once (`%uXXXX` too), backslashes become slashes, runs of slashes one, characters in UTF-8
the one byte that looks most like them, and dot segments are removed (RFC 3986 section 5.2.4), in this order; query and
fragment are percent-decoded once. Scheme and authority of an absolute target are left out. A percent sign without two
hex digits stays.
"""

from __future__ import annotations

import re
from unicodedata import normalize

from sensor.proto.http1.parse import host_port

_ODD = re.compile(rb"[%\\#\x80-\xff]|//|/\.")
_ABSOLUTE = re.compile(rb"(?!/)[^:]{0,65536}:(?://([^/?#]*))?")
"""Whatever stands in front of the first colon is a scheme, if the target does not begin as a path (as in Suricata)."""
_DOUBLE = re.compile(rb"%25[0-9A-Fa-f]{2}")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PERCENT_U = re.compile(rb"%(?:[uU]([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))")
_SLASHES = re.compile(rb"/{2,}")
_HIGH = re.compile(rb"[\x80-\xff]+")
_NARROW = {0x2044: b"/", 0x2215: b"/", 0x2216: b"\\"}
"""Characters that look like one of ASCII without being made of it (fraction slash, division slash, set minus)."""


def authority(target: bytes) -> bytes:
    """Return host and port of an absolute target (RFC 9112 section 3.2.2), user information left out."""
    found = _ABSOLUTE.match(target)
    return found[1].rpartition(b"@")[2] if found and found[1] else b""


def named_host(method: bytes, target: bytes) -> bytes:
    """Return the host that a target names (RFC 9112 section 3.2), lowercase, without port; empty: it names none."""
    if target[:1] == b"/":
        return b""
    return host_port(target if method == b"CONNECT" else authority(target))[0].lower()


def double_encoded(target: bytes) -> bool:
    """Whether a percent sign is itself encoded, so that decoding twice gives something else."""
    return b"%25" in target and _DOUBLE.search(target) is not None


def normalise(target: bytes) -> bytes:
    """Return the target as rules see it."""
    if target[:1] == b"/" and not _ODD.search(target):
        return target
    target, hash_sign, fragment = _without_authority(target).partition(b"#")
    first, mark, query = target.partition(b"?")
    return _path(first) + mark + _PERCENT.sub(_byte, query) + hash_sign + _PERCENT.sub(_byte, fragment)


def path(target: bytes) -> bytes:
    """Return the path alone, as rules see it."""
    return _path(_without_authority(target).partition(b"#")[0].partition(b"?")[0])


def _without_authority(target: bytes) -> bytes:
    found = _ABSOLUTE.match(target)
    return target[found.end() :] if found else target


def _path(path: bytes) -> bytes:
    if b"%" in path:
        path = _PERCENT_U.sub(_byte_u, path)
    path = path.replace(b"\\", b"/")
    if b"//" in path:
        path = _SLASHES.sub(b"/", path)
    if not path.isascii():
        path = _HIGH.sub(lambda found: _narrow(found[0], last=found.end() == len(path)), path)
    return _remove_dot_segments(path) if b"/." in path or path[:1] == b"." else path


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


def _byte_u(found: re.Match[bytes]) -> bytes:
    if found[2] is not None:
        return bytes.fromhex(found[2].decode())
    return _best_fit(int(found[1], 16))


def _best_fit(code: int) -> bytes:
    """Return the byte for a character: its own, or that which it is made of (full-width forms, accents), or `?`."""
    if code < 256:
        return bytes((code,))
    base = normalize("NFKD", chr(code))[:1]
    return _NARROW.get(code) or (base.encode() if base.isascii() else b"?")


def _narrow(run: bytes, *, last: bool) -> bytes:
    """Read bytes outside of ASCII as UTF-8, forms that are longer than they need be included (`%c0%af`).

    What is no UTF-8 reads as `?`. last: nothing follows: a character that is cut off there is left out.
    """
    out = bytearray()
    at = 0
    while at < len(run):
        lead = run[at]
        size = 2 if 0xC0 <= lead <= 0xDF else 3 if 0xE0 <= lead <= 0xEF else 4 if 0xF0 <= lead <= 0xF4 else 0
        code, have = lead & (0x7F >> size), 1
        while have < size and at + have < len(run) and _goes_on(lead, have, run[at + have]):
            code = code << 6 | run[at + have] & 0x3F
            have += 1
        if not last or size in (have, 0) or at + have < len(run):
            out += _best_fit(code) if have == size else b"?"
        at += have
    return bytes(out)


def _goes_on(lead: int, have: int, byte: int) -> bool:
    """Tell whether a byte may follow: none of a surrogate, none behind the last plane (RFC 3629)."""
    highest = 0x9F if (lead, have) == (0xED, 1) else 0x8F if (lead, have) == (0xF4, 1) else 0xBF
    return 0x80 <= byte <= highest


def _remove_dot_segments(path: bytes) -> bytes:
    """Remove dot segments (RFC 3986 section 5.2.4), and the slash behind one where the path ends, as in Suricata."""
    first, *rest = path.split(b"/")
    while first in {b".", b".."}:
        if not rest:
            return b""
        first, *rest = rest
    kept = [first] if first else []
    dotted = False
    for number, segment in enumerate(rest, 1):
        if segment == b".." and kept:
            kept.pop()
        ends = not segment and number == len(rest)
        if segment not in {b".", b".."} and not (dotted and ends):
            kept.append(b"/" + segment)
        dotted = segment in {b".", b".."}
    return b"".join(kept)
