"""`xensor`: dispatch to a subcommand, print errors, return exit statuses."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from sensor import __version__
from sensor.cli import exits
from sensor.cli.parser import Parser, add_config, choose
from sensor.cli.screen import flush, out
from sensor.errors import SensorError

_INTERRUPTED = 130

COMMANDS = {
    "replay": "read captures and raise alerts",
    "run": "watch interfaces and raise alerts",
    "ctl": "ask a running sensor something, or tell it",
    "doctor": "look at the machine, the interfaces and the mirror",
    "dissect": "show the packets behind alerts, layer by layer",
    "rules": "check, list, show and test rules",
}
"""Name → what it does. Each is a module of this package with a `main`; only the one that is asked for is loaded."""

_EPILOG = (
    "commands:\n"
    + "".join(f"  {name:8} {text}\n" for name, text in COMMANDS.items())
    + "\n`xensor COMMAND --help` says more.\n\n"
    + exits.text()
)


def parser() -> Parser:
    """Return the parser of what stands in front of (or instead of) a subcommand."""
    found = Parser(
        "xensor", "Intrusion detection for the traffic between the guests of one Xen host.", _EPILOG,
        "xensor COMMAND …\n       xensor --list-keywords | --list-app-layer-protos | --dump-config | --version",
    )  # fmt: skip
    found.add_argument("-V", "--version", action="store_true", help="print the version")
    found.add_argument("--list-keywords", action="store_true", help="list the buffers and fields that rules can test")
    found.add_argument(
        "--list-app-layer-protos", action="store_true", help="list the application protocols that are parsed"
    )
    found.add_argument("--dump-config", action="store_true", help="print the settings in force")
    add_config(found)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(words)
        flush()
    except SensorError as e:
        _explain(str(e))
        return e.exit_code
    except BrokenPipeError:  # the reader of standard output has what it wanted
        return 0
    except KeyboardInterrupt:
        _explain("interrupted")
        return _INTERRUPTED
    except SystemExit as e:  # argparse has printed the help
        return int(e.code or 0)
    return status


def _dispatch(words: list[str]) -> int:
    if words and not words[0].startswith("-"):
        name = choose(words[0], tuple(COMMANDS), "command", "xensor")
        return int(import_module(f"sensor.cli.{name}").main(words[1:]))
    args = parser().parse_args(words)
    if args.version:
        out(f"xensor {__version__}")
    elif args.list_keywords or args.list_app_layer_protos:
        from sensor.cli import introspect

        (introspect.keywords if args.list_keywords else introspect.protocols)()
    elif args.dump_config:
        from sensor.cli.common import settings
        from sensor.config.load import dump

        out(dump(settings(args.config, args.overrides)))
    else:
        parser().print_help(sys.stderr)
        return 2
    return 0


def _explain(text: str) -> None:
    with suppress(OSError):
        print("\n".join(f"xensor: {line}" for line in text.splitlines()), file=sys.stderr)


def entry() -> None:
    """Run as a program.

    Ends without taking the interpreter apart: everything is flushed and closed by then, and freeing the compiled
    kernels one by one costs more than many a replay (0.25 s).
    """
    # numpy's BLAS would start a thread per core (60 ms); nothing here multiplies matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("NUMBA_CACHE_LOCATOR_CLASSES", "sensor.cli.kernelcache.KernelCache")
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - for the rest of the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            stream.flush()
    os._exit(status)
