"""Normalisation of request targets, as `http.uri` has it.

The path is percent-decoded once (`%uXXXX` too), backslashes become slashes, runs of slashes one, and dot
segments are removed (RFC 3986 section 5.2.4); the query is percent-decoded once. Scheme and authority of an
absolute target are left out. A percent sign without two hex digits stays.
"""

from __future__ import annotations

import re

_ODD = re.compile(rb"[%\\#]|//|/\.")
_ABSOLUTE = re.compile(rb"[A-Za-z][A-Za-z0-9+.\-]{0,31}://([^/?#]*)")
_DOUBLE = re.compile(rb"%25[0-9A-Fa-f]{2}")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PERCENT_U = re.compile(rb"%(?:[uU]([0-9A-Fa-f]{4})|([0-9A-Fa-f]{2}))")
_SLASHES = re.compile(rb"/{2,}")


def authority(target: bytes) -> bytes:
    """Return host and port of an absolute target (RFC 9112 section 3.2.2), user information left out."""
    found = _ABSOLUTE.match(target)
    return found[1].rpartition(b"@")[2] if found else b""


def double_encoded(target: bytes) -> bool:
    """Whether a percent sign is itself encoded, so that decoding twice gives something else."""
    return b"%25" in target and _DOUBLE.search(target) is not None


def normalise(target: bytes) -> bytes:
    """Return the target as rules see it."""
    if target[:1] == b"/" and not _ODD.search(target):
        return target
    found = _ABSOLUTE.match(target)
    if found:
        target = target[found.end() :] or b"/"
    target, hash_sign, fragment = target.partition(b"#")
    path, mark, query = target.partition(b"?")
    return _path(path) + mark + _PERCENT.sub(_byte, query) + hash_sign + fragment


def _path(path: bytes) -> bytes:
    if b"%" in path:
        path = _PERCENT_U.sub(_byte_u, path)
    path = path.replace(b"\\", b"/")
    if b"//" in path:
        path = _SLASHES.sub(b"/", path)
    return _remove_dot_segments(path) if b"/." in path or path[:1] == b"." else path


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


def _byte_u(found: re.Match[bytes]) -> bytes:
    if found[2] is not None:
        return bytes.fromhex(found[2].decode())
    code = int(found[1], 16)
    if 0xFF01 <= code <= 0xFF5E:  # full-width forms of ASCII: IIS maps them to their narrow twins
        code -= 0xFEE0
    return bytes((code,)) if code < 256 else b"?"


def _remove_dot_segments(path: bytes) -> bytes:
    kept: list[bytes] = []
    segments = path.split(b"/")
    for segment in segments:
        if segment == b"..":
            if len(kept) > 1 or (kept and kept[0]):
                kept.pop()
        elif segment != b".":
            kept.append(segment)
    if segments[-1] in (b".", b".."):
        kept.append(b"")
    return b"/".join(kept) if kept != [b""] or not path.startswith(b"/") else b"/"
