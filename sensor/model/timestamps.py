"""Nanoseconds since the epoch and the timestamp text of EVE."""

import datetime as dt

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def eve(ts_ns: int) -> str:
    """Return `2017-04-07T22:24:37.251547+0000`: ISO 8601, microseconds, always UTC (byte-identical anywhere).

    Times outside the years 1-9999 (a corrupt capture) are clamped.
    """
    try:
        when = _EPOCH + dt.timedelta(microseconds=int(ts_ns) // 1000)
    except OverflowError:
        when = dt.datetime.max.replace(tzinfo=dt.UTC) if ts_ns > 0 else dt.datetime.min.replace(tzinfo=dt.UTC)
    return (
        when.strftime("%Y-%m-%dT%H:%M:%S.%f+0000")
        if when.year >= 1000
        else f"{when:%Y}".zfill(4) + f"{when:-%m-%dT%H:%M:%S.%f+0000}"
    )
