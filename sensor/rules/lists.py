"""Lists that rules name: files of hashes or of texts, which lie beside the rule file and are read with it.

One value a line; empty lines and those that begin with `#`, `%` or a blank are passed over. Hashes are hex digits
(what follows them is no matter, so the output of `md5sum` will do), texts are base64, addresses are written as usual.
In a list with scores a comma and a number up to 65535 follow each value.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.rules.problems import Located, Problems

MAX_BYTES = 64 << 20
"""Of one list file."""
MAX_ENTRIES = 500_000
"""Of one list: about 80 bytes of memory each."""
MAX_SCORE = 65535

HEX_DIGITS: Mapping[str, int] = MappingProxyType({"md5": 32, "sha1": 40, "sha256": 64})
"""Digits of a hash."""
IPV4 = "ipv4"
MAPPED = bytes(10) + b"\xff\xff"
"""How an IPv4 address begins in 16 bytes (RFC 4291 section 2.5.5.2)."""
KINDS = (*HEX_DIGITS, "string", "ip", IPV4)
"""What the lines of a list hold."""
_DIGITS = frozenset("0123456789abcdefABCDEF")
_SKIPPED = ("#", "%", " ", "\t")


Score = tuple[str, int, int]
"""Operator, number, upper end of `<>`."""
_COMPARE: Mapping[str, Callable[[int, int, int], bool]] = MappingProxyType(
    {
        "=": lambda n, low, _high: n == low,
        "!=": lambda n, low, _high: n != low,
        "<": lambda n, low, _high: n < low,
        ">": lambda n, low, _high: n > low,
        "<=": lambda n, low, _high: n <= low,
        ">=": lambda n, low, _high: n >= low,
        "<>": lambda n, low, high: low < n < high,
    }
)


class ListError(ValueError):
    """A list that cannot be used; the text says where and why."""


def digest_of(path: Path, limit: int = 0) -> bytes:
    """Return what stands for the content of a file; empty: none can be read, or it is longer (0: than lists may be)."""
    try:
        if not path.is_file() or path.stat().st_size > (limit or MAX_BYTES):
            return b""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except (OSError, ValueError):
        return b""


@dataclass(slots=True)
class Lists:
    """The lists that one rule file names; each is read once."""

    folder: Path = field(default_factory=Path)
    """Where names of files begin."""
    used: dict[str, bytes] = field(default_factory=dict)
    """Path → digest of every list that was asked for, those that could not be read, too."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Name of a set → kind of its values, of those that rules have declared so far."""
    scored: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name of a list with scores → its file and the kind of its values, likewise."""
    _found: dict[tuple[str, str, bool], tuple[tuple[bytes, int], ...]] = field(default_factory=dict)

    def values(self, name: str, kind: str, score: Score | None = None) -> tuple[bytes, ...]:
        """Return the values of a list, hashes as lowercase hex digits; with `score` those whose score compares so.

        Raises ListError.
        """
        key = name, kind, score is not None
        if key not in self._found:
            self._found[key] = tuple(self._read(name, kind, scored=score is not None).items())
        if score is None:
            return tuple(value for value, _ in self._found[key])
        op, low, high = score
        return tuple(value for value, number in self._found[key] if _COMPARE[op](number, low, high))

    def _read(self, name: str, kind: str, *, scored: bool) -> dict[bytes, int]:
        path = self.folder / name
        self.used[str(path)] = b""
        try:
            if not path.is_file():
                raise ListError(f"{path}: no such file")
            if path.stat().st_size > MAX_BYTES:
                raise ListError(f"{path}: the list is larger than {MAX_BYTES >> 20} MiB")
            content = path.read_bytes()
        except (OSError, ValueError) as error:
            if isinstance(error, ListError):
                raise
            raise ListError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
        self.used[str(path)] = hashlib.sha256(content).digest()
        return _parse(content.decode("utf-8-sig", "replace"), str(path), kind, scored)


def _parse(text: str, path: str, kind: str, scored: bool) -> dict[bytes, int]:
    """Return value → score (0 where there is none). Raises ListError."""
    found: dict[bytes, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(_SKIPPED):
            continue
        text, score = line.strip(), "0"
        if scored:
            text, _, score = text.rpartition(",")
        try:
            found[value(text.strip(), kind)] = _score(score.strip())
        except ListError as fault:
            raise ListError(f"{path}:{number}: {fault}") from None
        if len(found) > MAX_ENTRIES:
            raise ListError(f"{path}:{number}: the list has more than {MAX_ENTRIES} values")
    return found


def value(text: str, kind: str) -> bytes:
    """Return the value that a line says. Raises ListError."""
    size = HEX_DIGITS.get(kind)
    if kind in ("ip", IPV4):
        return _address(text, kind)
    if size is None:
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise ListError(f"'{text[:40]}' is no base64") from None
    digits = text[:size]
    if len(digits) < size or not _DIGITS.issuperset(digits) or text[size : size + 1].isalnum():
        raise ListError(f"'{text[:40]}' is no {kind}: {size} hex digits")
    return digits.lower().encode()


def written(value: bytes, kind: str) -> str:
    """Return the line that says a value."""
    if kind in ("ip", IPV4):
        return str(ip_address(value)) if len(value) in (4, 16) else ""
    return value.decode("ascii", "replace") if kind in HEX_DIGITS else base64.b64encode(value).decode()


def _address(text: str, kind: str) -> bytes:
    try:
        packed = ip_address(text).packed.removeprefix(MAPPED)
    except ValueError:
        raise ListError(f"'{text[:40]}' is no address") from None
    if kind == IPV4 and len(packed) != 4:
        raise ListError(f"'{text[:40]}' is no IPv4 address")
    return packed


def _score(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= MAX_SCORE):
        raise ListError(f"'{text[:20]}' is no score from 0 to {MAX_SCORE}")
    return int(text)


def below(name: str) -> bool:
    """Tell whether a name stays in the folder that it begins in."""
    path = PurePath(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def read_or_fail(
    lists: Lists, name: str, kind: str, score: Score | None, where: Located, problems: Problems
) -> tuple[bytes, ...]:
    """Return the values of a list. Raises Invalid after reporting."""
    try:
        return lists.values(name, kind, score)
    except ListError as fault:
        problems.add(where, str(fault), "lists lie beside the rule file")
        raise Invalid from None
