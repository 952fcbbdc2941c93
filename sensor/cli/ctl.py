"""`xensor ctl`: commands for a running sensor, over its control socket."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from sensor.cli import common, exits
from sensor.cli.parser import Parser, add_config
from sensor.cli.screen import out
from sensor.errors import SensorError, UsageError

PROG = "xensor ctl"

DESCRIPTION = """Send one command to a running sensor and print the answer as JSON.

`xensor ctl command-list` lists the commands; the names are Suricata's where it has the same, and its client
(suricatasc) works with this socket, too. Arguments stand behind the command, by name or in order:
xensor ctl iface-stat eth1; xensor ctl iface-stat iface=eth1; xensor ctl reload-rules force."""

_ARGUMENTS = MappingProxyType({
    "iface-stat": ("iface",), "conf-get": ("variable",), "memcap-show": ("config",),
    "get-flow-stats-by-id": ("flow_id",),
})  # fmt: skip
"""Command → arguments in their order."""
_FLAGS = frozenset({"force"})
_PATIENCE = 300.0
"""Seconds: a reload of tens of thousands of rules is answered when it is done."""


def parser() -> Parser:
    """Return the parser of this subcommand."""
    found = Parser(PROG, DESCRIPTION, exits.text(), f"{PROG} [options] COMMAND [ARGUMENT …]")
    found.add_argument("words", nargs="+", metavar="COMMAND", help="a command and its arguments")
    found.add_argument("-s", dest="socket", metavar="PATH", help="the socket (default: unix-command.filename)")
    add_config(found)
    return found


def main(words: Sequence[str]) -> int:
    """Run the subcommand; return the exit status."""
    args = parser().parse_intermixed_args(words)
    command, arguments = _request(args)
    path = args.socket or common.settings(args.config, args.overrides).run.control_socket
    try:
        answer = ask(path, command, arguments)
    except OSError as e:
        raise SensorError(f"{path}: {e.strerror or e}: no sensor answers (unix-command.enabled, -s PATH)") from e
    message = answer.get("message")
    text = message if isinstance(message, str) else json.dumps(message, indent=2)
    if answer.get("return") == "OK":
        out(text)
        return 0
    print(f"xensor: {command}: {text}", file=sys.stderr)
    return SensorError.exit_code


def _request(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    command, *rest = args.words
    names = list(_ARGUMENTS.get(command, ()))
    arguments: dict[str, Any] = {}
    for word in rest:
        name, sep, value = word.partition("=")
        if not sep and word in _FLAGS:
            arguments[word] = True
        elif sep:
            arguments[name] = value
        elif names:
            arguments[names.pop(0)] = word
        else:
            raise UsageError(f"{command}: {word!r}: write NAME=VALUE")
    flow = arguments.get("flow_id")
    if flow is not None and flow.isascii() and flow.isdigit():
        arguments["flow_id"] = int(flow)
    return command, arguments


def ask(path: str, command: str, arguments: dict[str, Any], patience: float = _PATIENCE) -> dict[str, Any]:
    """Send one command; return the answer. patience: seconds for each step.

    Raises OSError where nobody answers as a sensor would.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(patience)
        sock.connect(path)
        with sock.makefile("rwb") as stream:
            _exchange(stream, {"version": "0.2"})
            return _exchange(stream, {"command": command} | ({"arguments": arguments} if arguments else {}))


def _exchange(stream: Any, request: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a socket's file
    stream.write(json.dumps(request).encode() + b"\n")
    stream.flush()
    line = stream.readline()
    try:
        found = json.loads(line)
    except ValueError as e:
        raise ConnectionError(104, "the connection was closed" if not line else "not the answer of a sensor") from e
    if not isinstance(found, dict):
        raise ConnectionError(104, "not the answer of a sensor")
    return found
