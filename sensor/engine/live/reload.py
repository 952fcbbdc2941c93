"""New rules beside the old: loaded and compiled in a thread of their own while packets go on being judged."""

from __future__ import annotations

import ctypes
import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sensor.detect.regex.pcre import library
from sensor.engine.rulesets.bookstore import ReadyRules
from sensor.engine.rulesets.rulebook import Rulebook
from sensor.errors import SensorError
from sensor.rules.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a reload."""

    book: Rulebook | None
    """None: the old rules stay."""
    error: str
    interpreted: int
    """Regexes that run without machine code, because PCRE2 could make none (see `hardening.deny_new_code`)."""


def release() -> None:
    """Give the memory of rules that no longer run back to the system, once they have been replaced.

    They are full of cycles, which the collector would find at some time or other, with the same halt. Measured with
    10,000 rules: 0.05-0.2 s (the ring holds 2.5 s), and 275 MiB instead of 340 after some reloads.
    """
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


KEPT_SHARE = 2
"""A reload must leave one of so many rules."""


def implausible(before: int, after: int) -> str:
    """Return why a reload is refused that leaves `after` of `before` rules; empty: it is not.

    A folder that is not there yet, or a download that was cut off, takes most rules away; nobody means that.
    """
    if after * KEPT_SHARE >= before:
        return ""
    return f"only {after} of {before} rules are left (`xensor ctl reload-rules force` takes them all the same)"


class Reloader:
    """Prepares rules on demand, one set at a time."""

    def __init__(self, load: Callable[[], RuleSet | ReadyRules],
                 prepare: Callable[[RuleSet | ReadyRules], Rulebook]) -> None:
        self._load = load
        self._prepare = prepare
        self._thread: threading.Thread | None = None
        self._done: Reloaded | None = None

    def start(self) -> bool:
        """Begin; False: the last one is still under way."""
        if self._thread is not None:
            return False
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()
        return True

    def take(self) -> Reloaded | None:
        """Return the outcome, once; None: there is none (yet)."""
        if self._thread is None or self._thread.is_alive():
            return None
        done = self._done or Reloaded(None, "an unexpected error, see above", 0)
        self._thread = self._done = None
        return done

    def _run(self) -> None:
        before = library().jit_unavailable
        try:
            book = self._prepare(self._load())
        except SensorError as e:
            self._done = Reloaded(None, str(e), 0)
        else:
            self._done = Reloaded(book, "", library().jit_unavailable - before)
