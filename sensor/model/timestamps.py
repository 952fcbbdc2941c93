"""Nanoseconds since the epoch and the timestamp text of EVE."""

import datetime as dt
import functools
from typing import Final

_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST: Final = (dt.datetime.min.replace(tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(seconds=1)
_LAST: Final = (dt.datetime.max.replace(tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(seconds=1)


def eve(ts_ns: int) -> str:
    """Return `2017-04-07T22:24:37.251547+0000`: ISO 8601, microseconds, always UTC (byte-identical anywhere).

    Times outside the years 1-9999 (a corrupt capture) are clamped.
    """
    seconds, micros = divmod(int(ts_ns) // 1000, 1_000_000)
    if not _FIRST <= seconds <= _LAST:
        seconds, micros = (_LAST, 999_999) if seconds > _LAST else (_FIRST, 0)
    return f"{_second(seconds)}.{micros:06d}+0000"


@functools.lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    """Return date and time of a second since the epoch. Kept: alerts name theirs and that in which their flow began."""
    return (_EPOCH + dt.timedelta(seconds=seconds)).replace(tzinfo=None).isoformat(timespec="seconds")
