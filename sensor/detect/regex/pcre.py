r"""PCRE2 through ctypes: byte semantics, just-in-time compiled, under limits.

Source of names and values: pcre2.h of PCRE2 10.42 (pcre2api(3), pcre2jit(3)).

With the JIT compiler the match limit is counted afresh at each start position, so a call is bounded by the
limit times the length of the subject. Measured on `xyxy…`: `x.{0,50}y.{0,50}\d` takes 1.1 us a byte, the
worst that 3,500 allows is about 6 us. So a search runs under a low limit first (0.1 us a byte); what reaches
that runs again under the full one, at a price to the rule's step budget, which bounds such calls.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_void_p
from typing import Any

from sensor.detect.state.budget import BudgetExceededError, Meter
from sensor.errors import RuleError, SensorError

CASELESS, DOLLAR_ENDONLY, DOTALL, EXTENDED = 0x8, 0x10, 0x20, 0x80
MULTILINE, NEVER_UCP, NEVER_UTF, UNGREEDY, ANCHORED = 0x400, 0x800, 0x1000, 0x40000, 0x80000000
NOTBOL = 0x1
JIT_COMPLETE = 0x1
INFO_ALLOPTIONS, INFO_CAPTURECOUNT = 0, 4
ERROR_NOMATCH, ERROR_MATCHLIMIT = -1, -47

SONAME = "libpcre2-8.so.0"

FLAGS = {
    "i": CASELESS,
    "m": MULTILINE,
    "s": DOTALL,
    "x": EXTENDED,
    "A": ANCHORED,
    "E": DOLLAR_ENDONLY,
    "G": UNGREEDY,
    "U": UNGREEDY,
}
MATCH_LIMIT = 3500
"""Suricata's `pcre.match-limit`."""
FIRST_LIMIT = 64
"""Limit of the first, cheap attempt."""
DEPTH_LIMIT = 1500
HEAP_LIMIT_KIB = 4096
JIT_STACK_START, JIT_STACK_MAX = 32 << 10, 512 << 10

_PROTOTYPES: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("compile", c_void_p, (c_char_p, c_size_t, c_uint32, POINTER(c_int), POINTER(c_size_t), c_void_p)),
    ("code_free", None, (c_void_p,)),
    ("jit_compile", c_int, (c_void_p, c_uint32)),
    ("pattern_info", c_int, (c_void_p, c_uint32, c_void_p)),
    ("get_error_message", c_int, (c_int, c_char_p, c_size_t)),
    ("match_data_create_from_pattern", c_void_p, (c_void_p, c_void_p)),
    ("match_data_free", None, (c_void_p,)),
    ("get_ovector_pointer", POINTER(c_size_t), (c_void_p,)),
    ("match", c_int, (c_void_p, c_char_p, c_size_t, c_size_t, c_uint32, c_void_p, c_void_p)),
    ("substring_number_from_name", c_int, (c_void_p, c_char_p)),
    ("match_context_create", c_void_p, (c_void_p,)),
    ("match_context_free", None, (c_void_p,)),
    ("set_match_limit", c_int, (c_void_p, c_uint32)),
    ("set_depth_limit", c_int, (c_void_p, c_uint32)),
    ("set_heap_limit", c_int, (c_void_p, c_uint32)),
    ("jit_stack_create", c_void_p, (c_size_t, c_size_t, c_void_p)),
    ("jit_stack_assign", None, (c_void_p, c_void_p, c_void_p)),
    ("jit_stack_free", None, (c_void_p,)),
)


def _load() -> ctypes.CDLL:
    """Load by soname; only where that fails ask find_library, which starts other programs to find out."""
    try:
        return ctypes.CDLL(SONAME)
    except OSError:
        name = ctypes.util.find_library("pcre2-8")
        if name is None:
            raise
        return ctypes.CDLL(name)


class Pcre2Library:
    """The shared library with its limits. Patterns keep it alive. Not for use by two threads at once."""

    def __init__(self, match_limit: int = MATCH_LIMIT) -> None:
        """Raise SensorError where PCRE2 is not installed."""
        try:
            library = _load()
        except OSError as error:
            raise SensorError(f"cannot load PCRE2 (package libpcre2-8-0): {error}") from error
        for function, result, arguments in _PROTOTYPES:
            bound = getattr(library, f"pcre2_{function}_8")
            bound.restype, bound.argtypes = result, arguments
            setattr(self, function, bound)
        self.jit_unavailable = 0
        """Patterns that run interpreted because no executable memory could be had."""
        self.stack = self.jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, None)
        self.first = self._context(min(FIRST_LIMIT, match_limit))
        self.full = self._context(match_limit)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- ctypes functions, bound in __init__ from _PROTOTYPES
        raise AttributeError(name)

    def _context(self, match_limit: int) -> int:
        context: int = self.match_context_create(None)
        self.set_match_limit(context, match_limit)
        self.set_depth_limit(context, DEPTH_LIMIT)
        self.set_heap_limit(context, HEAP_LIMIT_KIB)
        self.jit_stack_assign(context, None, self.stack)
        return context

    def message(self, code: int) -> str:
        """Return the text of an error code."""
        text = ctypes.create_string_buffer(256)
        self.get_error_message(code, text, len(text))
        return text.value.decode("ascii", "replace")

    def close(self) -> None:
        """Free what patterns share; none may be used afterwards."""
        if self.stack:
            self.match_context_free(self.first)
            self.match_context_free(self.full)
            self.jit_stack_free(self.stack)
            self.stack = None


@functools.cache
def library() -> Pcre2Library:
    """Return the process's library object, loaded at first use."""
    return Pcre2Library()


class Regex:
    """One compiled pattern with its match data."""

    __slots__ = ("_code", "_data", "_lib", "_match", "_ovector", "anchored", "groups", "pattern")

    def __init__(self, pattern: str | bytes, flags: str = "", lib: Pcre2Library | None = None) -> None:
        """Compile. Text is taken as UTF-8 bytes, undecodable ones as they were (surrogateescape).

        Raises RuleError with the offset and PCRE2's message, or on an unknown flag.
        """
        self._code = self._data = None
        self._lib = lib or library()
        self.pattern = pattern.encode("utf-8", "surrogateescape") if isinstance(pattern, str) else pattern
        options = NEVER_UTF | NEVER_UCP
        for letter in flags:
            if letter not in FLAGS:
                raise RuleError(f"regex flag {letter!r} is unknown")
            options |= FLAGS[letter]
        self._code = self._compile(options)
        if self._lib.jit_compile(self._code, JIT_COMPLETE) != 0:
            self._lib.jit_unavailable += 1
        self._data = self._lib.match_data_create_from_pattern(self._code, None)
        self._ovector = self._lib.get_ovector_pointer(self._data)
        self._match = self._lib.match
        self.anchored = bool(self._info(INFO_ALLOPTIONS) & ANCHORED)
        """True: only one start position is tried."""
        self.groups = self._info(INFO_CAPTURECOUNT)

    def _compile(self, options: int) -> int:
        error, offset = c_int(), c_size_t()
        code: int | None = self._lib.compile(
            self.pattern, len(self.pattern), options, ctypes.byref(error), ctypes.byref(offset), None
        )
        if code is None:
            raise RuleError(
                f"regex does not compile at offset {offset.value}: {self._lib.message(error.value)}"
            )
        return code

    def _info(self, what: int) -> int:
        value = c_uint32()
        self._lib.pattern_info(self._code, what, ctypes.byref(value))
        return value.value

    def search(
        self, data: bytes, start: int = 0, options: int = 0, meter: Meter | None = None
    ) -> tuple[int, int] | None:
        """Return (start, end) of the first match at or behind `start`, None without one.

        A search that backtracks much is charged to the meter, a step per 4 bytes. Raises BudgetExceededError
        when a limit of PCRE2 cuts the search off, or the meter does.
        """
        lib, size = self._lib, len(data)
        rc = self._match(self._code, data, size, start, options, self._data, lib.first)
        if rc == ERROR_MATCHLIMIT:
            if meter is not None:
                meter.charge(1 if self.anchored else size - start >> 2)
            rc = self._match(self._code, data, size, start, options, self._data, lib.full)
        if rc > 0:
            ovector = self._ovector
            return ovector[0], ovector[1]
        if rc == ERROR_NOMATCH:
            return None
        raise BudgetExceededError(f"regex cut off: {self._lib.message(rc)}")

    def group(self, number: int) -> tuple[int, int] | None:
        """Return (start, end) of a group of the last match; None: it took no part or does not exist."""
        if number > self.groups:
            return None
        start, end = self._ovector[2 * number], self._ovector[2 * number + 1]
        return (start, end) if start <= end <= 1 << 62 else None

    def number(self, name: str) -> int:
        """Return the number of a named group. Raises RuleError where there is none."""
        found: int = self._lib.substring_number_from_name(self._code, name.encode())
        if found < 0:
            raise RuleError(f"the regex has no group {name!r}")
        return found

    def close(self) -> None:
        """Free the pattern."""
        if self._data:
            self._lib.match_data_free(self._data)
        if self._code:
            self._lib.code_free(self._code)
        self._code = self._data = None

    def __del__(self) -> None:
        self.close()
