"""The exit statuses, in one table: what `--help`, README and the tests go by."""

from __future__ import annotations

EXITS: tuple[tuple[int, str], ...] = (
    (0, "all well"),
    (1, "an error without a status of its own"),
    (2, "the command line or a --set is wrong"),
    (3, "a configuration file is wrong"),
    (4, "rules could not be loaded, or are not good"),
    (5, "a capture cannot be opened or is damaged (every packet before the damage was read)"),
    (6, "an output cannot be opened or written"),
    (7, "the example of a rule did not come out as it must"),
    (130, "stopped by SIGINT (Ctrl-C); 143: by SIGTERM"),
)
"""(status, meaning); 1 to 7 are the `exit_code` of the errors in `sensor.errors`."""

SIGNALLED = 128
"""Added to the number of the signal that ended a run."""


def text() -> str:
    """Return the table for `--help`."""
    return "exit status:\n" + "".join(f"  {status:<4} {meaning}\n" for status, meaning in EXITS)
