"""Command lines: one parser class, and the options that subcommands share."""

from __future__ import annotations

import argparse
from typing import NoReturn

from sensor.errors import UsageError


class Parser(argparse.ArgumentParser):
    """An argument parser without abbreviations that raises UsageError instead of ending the process."""

    def __init__(self, prog: str, description: str, epilog: str = "", usage: str | None = None) -> None:
        super().__init__(
            prog=prog, description=description, epilog=epilog, usage=usage, allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )  # fmt: skip

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add -c and --set."""
    parser.add_argument("-c", dest="config", metavar="FILE", help="configuration file (YAML, Suricata's names)")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="NAME=VALUE",
        help="override a setting (--dump-config lists them)",
    )  # fmt: skip


def add_rules(parser: argparse.ArgumentParser) -> None:
    """Add -s, -S and --init-errors-fatal."""
    parser.add_argument(
        "-s", dest="extra", action="append", default=[], metavar="RULES", help="rules besides the configured ones"
    )
    parser.add_argument(
        "-S", dest="only", action="append", default=[], metavar="RULES",
        help="these rules and no others: a file or folder (default: the shipped rules)",
    )  # fmt: skip
    parser.add_argument("--init-errors-fatal", action="store_true", help="one bad rule is an error")


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add --workers."""
    parser.add_argument("--workers", metavar="N", help="processes that share the traffic (default: workers, 1)")


def add_traffic(parser: argparse.ArgumentParser) -> None:
    """Add -l, -k and -F."""
    parser.add_argument("-l", dest="log_dir", metavar="DIR", help="append events to DIR/eve.json")
    parser.add_argument(
        "-k", dest="checksums", choices=("all", "none"),
        help="all: TCP segments with wrong checksums stay out of streams; none: checksums are not looked at "
        "(default: they are counted)",
    )  # fmt: skip
    parser.add_argument("-F", dest="filter_file", metavar="FILE", help="read the capture filter from FILE")


def choose(word: str, known: tuple[str, ...], what: str, prog: str) -> str:
    """Return the word if it is known. Raises UsageError with the nearest one else."""
    if word in known:
        return word
    from difflib import get_close_matches  # for a mistake only

    near = get_close_matches(word, known, 1)
    hint = f"did you mean {near[0]!r}?" if near else f"one of {', '.join(known)}"
    raise UsageError(f"unknown {what} {word!r}: {hint} (see `{prog} --help`)")
