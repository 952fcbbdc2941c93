"""`xensor dissect`: the packets behind alerts, as tshark dissects them."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensor.cli import exits
from sensor.cli.parser import Parser
from sensor.cli.screen import out, plural
from sensor.errors import CaptureError, UsageError

if TYPE_CHECKING:
    from sensor.analyst.alerts import Alert
    from sensor.analyst.dissection import Layer, Packet

PROG = "xensor dissect"

DESCRIPTION = """Show what is in packets, layer by layer, as tshark dissects them.

With -p, the packets of a capture with these numbers (`pcap_cnt` of events). With -a, the packets of the alerts in a
file of events, in the capture that each names: `pcap_filename`, or `capture_file` in the folder of the events, where
a running sensor keeps packets (outputs.pcap-log). CAPTURE stands in for what they name; a folder, for its folder."""

_WIDTH = 300
"""Characters of a field on a line; --json cuts nothing but what is longer than 64 KiB."""
_TOLD = 10
"""Missing packets that are named."""


def parser() -> Parser:
    """Return the parser of this subcommand."""
    usage = f"{PROG} [options] CAPTURE -p N[,N…]\n       {PROG} [options] -a EVE.json [--sid N] [--first K] [CAPTURE]"
    found = Parser(PROG, DESCRIPTION, exits.text(), usage)
    found.add_argument("capture", nargs="?", metavar="CAPTURE", help="a file, plain or packed with gzip or zstd")
    found.add_argument("-p", dest="packets", metavar="N[,N…]", help="numbers of packets, from 1")
    found.add_argument("-a", dest="events", metavar="EVE.json", help="the packets of the alerts in this file")
    found.add_argument("--sid", type=int, metavar="N", help="alerts of this rule only")
    found.add_argument("--first", type=int, metavar="K", help="the first K alerts only (default, and at most: 1000)")
    found.add_argument("--seconds", type=float, metavar="N", help="time for tshark, for each capture (default: 300)")
    found.add_argument("--json", action="store_true", help="one JSON object a packet")
    found.add_argument("-v", dest="verbose", action="store_true", help="all fields of all layers")
    return found


def main(words: Sequence[str]) -> int:
    """Run the subcommand; return the exit status."""
    from sensor.analyst.dissection import PATIENCE, tools

    args = parser().parse_intermixed_args(words)
    if (args.packets is None) == (args.events is None):
        raise UsageError(f"which packets: -p N[,N…], or -a EVE.json (see `{PROG} --help`)")
    args.seconds = PATIENCE if args.seconds is None else args.seconds
    if not args.seconds > 0:
        raise UsageError("--seconds: must be more than 0")
    tools()
    if args.events is None:
        _numbered(args)
    else:
        _alerts(args)
    return 0


def _numbered(args: argparse.Namespace) -> None:
    if args.capture is None:
        raise UsageError(f"no capture is named (see `{PROG} --help`)")
    if args.sid is not None or args.first is not None:
        raise UsageError("--sid and --first choose from alerts: they go with -a")
    from sensor.analyst import frames

    numbers = _numbers(args.packets)
    frames.check(args.capture)
    missing = _show(args, args.capture, {n: [] for n in numbers})
    if missing:
        more = f" and {len(missing) - _TOLD} more" if len(missing) > _TOLD else ""
        raise CaptureError(f"{args.capture}: tshark shows no packet {', '.join(map(str, missing[:_TOLD]))}{more}")


def _numbers(text: str) -> list[int]:
    """Return the numbers of -p. Raises UsageError."""
    from sensor.analyst.dissection import PACKETS_MAX

    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and len(word) <= 10 and int(word) for word in words):
        raise UsageError(f"-p {text!r}: numbers of packets, from 1, with commas between them")
    found = sorted({int(word) for word in words})
    if len(found) > PACKETS_MAX:
        raise UsageError(f"-p: at most {PACKETS_MAX} packets at a time")
    return found


def _alerts(args: argparse.Namespace) -> None:
    shown = 0
    chosen = _chosen(args)
    if not chosen:
        _note(f"{args.events}: no such alert" if args.sid is not None else f"{args.events}: no alerts")
        return
    for path, alerts in _by_capture(args, chosen).items():
        try:
            packets = _located(path, alerts)
        except CaptureError as e:
            _note(f"{plural(len(alerts), 'alert')} without packets: {e}")
            continue
        missing = _show(args, path, packets)
        shown += len(packets) - len(missing)
        for number in missing:
            _note(f"{path}: tshark shows no packet {number}")
    if not shown:
        raise CaptureError("none of the alerts' packets are there")


def _chosen(args: argparse.Namespace) -> list[Alert]:
    """Return the alerts that are asked for."""
    from sensor.analyst import alerts
    from sensor.analyst.dissection import PACKETS_MAX

    if args.first is not None and args.first < 1:
        raise UsageError("--first: must be 1 or more")
    bad: list[int] = []
    matching = alerts.read(args.events, lambda alert: args.sid in {None, alert.sid}, bad.append)
    most = min(args.first or PACKETS_MAX, PACKETS_MAX)
    found = list(itertools.islice(matching, most))
    if len(found) == PACKETS_MAX and next(matching, None) is not None:
        _note(f"{args.events}: there are more alerts than {PACKETS_MAX}: the first are shown")
    if bad:
        _note(f"{args.events}: {plural(len(bad), 'line')} cannot be read, the first is line {bad[0]}")
    return found


def _by_capture(args: argparse.Namespace, chosen: Iterable[Alert]) -> dict[str, list[Alert]]:
    """Return capture → its alerts. Raises UsageError where an event names none."""
    found: dict[str, list[Alert]] = {}
    for alert in chosen:
        found.setdefault(_capture(args, alert), []).append(alert)
    return found


def _capture(args: argparse.Namespace, alert: Alert) -> str:
    if args.capture is not None and not Path(args.capture).is_dir():
        return str(args.capture)
    named = alert.pcap_filename or alert.capture_file
    if not named:
        raise UsageError(f"{args.events}: the alert at {_clean(alert.timestamp)} names no capture: name it as CAPTURE")
    if args.capture is not None:
        return str(Path(args.capture, Path(named).name))
    return alert.pcap_filename or str(Path(args.events).with_name(Path(named).name or "-"))


def _located(path: str, alerts: list[Alert]) -> dict[int, list[Alert]]:
    """Return number of packet → its alerts. Raises CaptureError where the capture cannot be opened."""
    from sensor.analyst import frames

    frames.check(path)
    moments = {
        alert: frames.Moment(alert.micros, alert.addresses)
        for alert in alerts
        if not alert.number and alert.micros is not None
    }
    by_time = frames.find(path, moments.values())
    found: dict[int, list[Alert]] = {}
    for alert in alerts:
        number = alert.number or (by_time.get(moments[alert]) if alert in moments else None)
        if number is None:
            _note(f"{path}: no packet there is of the alert: {_headline(alert)}")
        else:
            found.setdefault(number, []).append(alert)
    return found


def _show(args: argparse.Namespace, path: str, packets: dict[int, list[Alert]]) -> list[int]:
    """Print packets; return the numbers that did not come."""
    from sensor.analyst.dissection import dissect

    left = set(packets)

    def take(packet: Packet) -> None:
        left.discard(packet.number)
        alerts = packets.get(packet.number, [])
        if args.json:
            out(_as_json(path, packet, alerts, verbose=args.verbose))
        else:
            out("\n".join(_as_text(path, packet, alerts, verbose=args.verbose)))

    if packets:
        dissect(path, packets, take, args.seconds)
    return sorted(left)


def _as_text(path: str, packet: Packet, alerts: list[Alert], *, verbose: bool) -> list[str]:
    lines = [_headline(alert) for alert in alerts]
    lines.append(f"packet {packet.number} of {_clean(path)}, {packet.length} bytes")
    for layer in packet.layers:
        lines.append(f"  {_clean(layer.name)}  {_clean(layer.summary)[:_WIDTH]}".rstrip())
        if verbose or layer.application:
            lines += [f"    {_line(field.name, field.text)}" for field in layer.fields]
    return [*lines, ""]


def _line(name: str, text: str) -> str:
    shown = _clean(text if len(text) <= _WIDTH else text[:_WIDTH] + "…")
    return f"{_clean(name)}: {shown}" if name else shown


def _as_json(path: str, packet: Packet, alerts: list[Alert], *, verbose: bool) -> str:
    made: dict[str, Any] = {"capture": path, "packet": packet.number, "length": int(packet.length)}
    if alerts:
        made["alerts"] = [
            {
                "timestamp": a.timestamp, "gid": a.gid, "signature_id": a.sid, "signature": a.message,
                "src_ip": a.src_ip, "src_port": a.src_port, "dest_ip": a.dest_ip, "dest_port": a.dest_port,
            }
            for a in alerts
        ]  # fmt: skip
    made["layers"] = [_layer(layer, whole=verbose or layer.application) for layer in packet.layers]
    return json.dumps(made).replace("\x7f", "\\u007f")  # the one control character that JSON lets through


def _layer(layer: Layer, *, whole: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": layer.name, "summary": layer.summary}
    if whole:
        made["fields"] = [{"name": f.name, "value": f.value, "text": f.text} for f in layer.fields]
    return made


def _headline(alert: Alert) -> str:
    ends = f"{_end(alert.src_ip, alert.src_port)} → {_end(alert.dest_ip, alert.dest_port)}"
    return _clean(f"{alert.timestamp}  [{alert.gid}:{alert.sid}]  {alert.message}  {ends}")


def _end(address: str, port: int | None) -> str:
    if port is None:
        return address or "-"
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _clean(text: str) -> str:
    """Return a text that a guest may have chosen without what a terminal obeys."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _note(text: str) -> None:
    print(f"xensor: {_clean(text)}", file=sys.stderr)
