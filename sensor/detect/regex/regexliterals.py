r"""Bytes that stand wherever a regular expression matches, in their order.

Read off the outermost level of the pattern alone: what groups, classes and assertions ask for is passed over, and of
what is not understood nothing is said. `a+b.*cd?[x]e(f|g)` gives `a`, `b`, `c`, `e`.
"""

from __future__ import annotations

import re
from typing import Final

_ATOM: Final = re.compile(
    rb"(?P<code>\\x[0-9A-Fa-f]{2})"
    rb"|(?P<quoted>\\[^0-9A-Za-z])"
    rb"|(?P<control>\\[tnrfae])"
    rb"|(?P<class>\\[dDsSwWhHvVNRbBAzZGK])"
    rb"|(?P<plain>[^\\\[(){|?*+.^$])"
    rb"|(?P<other>[.^$])",
    re.DOTALL,
)
TIMES: Final = re.compile(rb"(?:([*?+])|\{([0-9]{1,5})(?:(,)([0-9]{0,5}))?\})[?+]?")
"""How often: one of `*?+`, or the least and, behind a comma, the most."""
_CONTROL: Final = {b"t": b"\t", b"n": b"\n", b"r": b"\r", b"f": b"\f", b"a": b"\a", b"e": b"\x1b"}
_ACTS: Final = re.compile(rb"\((?:\*|\?(?:#|[A-Za-z^-]*\)))")
"""A group that acts on what follows, or is none."""
_ACTS_INSIDE: Final = re.compile(rb"\((?:\*|\?(?:#|[A-Za-z^-]*x))")
"""A group that changes how parentheses are to be read."""
_LONGEST: Final = 4096
"""Bytes of a pattern that is read."""


def literals(pattern: bytes) -> list[bytes]:
    """Return the runs of bytes of a pattern, in order; none: nothing is certain."""
    found, run, at = [], b"", 0
    if len(pattern) > _LONGEST:
        return []
    while at < len(pattern):
        char, end = _next(pattern, at)
        if end < 0:
            return []
        times = TIMES.match(pattern, end)
        if times is not None:
            end = times.end()
        if char is not None and times is None:
            run += char
        else:
            least = 1 if times is None or times[1] == b"+" else int(times[2] or 0)
            found.append(run + char if char is not None and least else run)
            run = b""
        at = end
    return [one for one in (*found, run) if one]


def _next(pattern: bytes, at: int) -> tuple[bytes | None, int]:
    """Return the byte that must stand there (None: another of several, or none), and where it ends in the pattern.

    End -1: the pattern is not understood.
    """
    if pattern[at] == ord("("):
        return None, group_end(pattern, at)
    if pattern[at] == ord("["):
        return None, class_end(pattern, at)
    atom = _ATOM.match(pattern, at)
    if atom is None:
        return None, -1
    text, end = atom[0], atom.end()
    match atom.lastgroup:
        case "code":
            return bytes.fromhex(text[2:].decode()), end
        case "quoted":
            return text[1:], end
        case "control":
            return _CONTROL[text[1:]], end
        case "plain":
            return text, end
        case _:
            return None, end


def class_end(pattern: bytes, at: int) -> int:
    """Return where a class ends that begins at a bracket; -1: it does not."""
    at += 2 if pattern[at + 1 : at + 2] == b"^" else 1
    at += pattern[at : at + 1] == b"]"
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"]":
            return at + 1
        if char == b"[" and pattern[at + 1 : at + 2] in (b":", b".", b"="):
            at = pattern.find(pattern[at + 1 : at + 2] + b"]", at + 2) + 1
            if at <= 0:
                return -1
        elif char == b"\\":
            if pattern[at + 1 : at + 2] in (b"Q", b"E", b"c"):
                return -1
            at += 1
        at += 1
    return -1


def group_end(pattern: bytes, at: int) -> int:
    """Return where a group ends that begins at a parenthesis; -1: it does not, or it is one that acts on the rest."""
    if _ACTS.match(pattern, at):
        return -1
    depth = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"[":
            at = class_end(pattern, at)
            if at < 0:
                return -1
            continue
        if char == b"(" and _ACTS_INSIDE.match(pattern, at):
            return -1
        if char == b"\\":
            if pattern[at + 1 : at + 2] in (b"Q", b"E", b"c"):
                return -1
            at += 1
        depth += (char == b"(") - (char == b")")
        at += 1
        if not depth:
            return at
    return -1
