"""The command: `xensor-mirror add | remove | repair | status | publish`."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from xensor_mirror import guests, hub
from xensor_mirror.linux import LinuxBridge
from xensor_mirror.openvswitch import OpenVSwitch, bridges
from xensor_mirror.ports import sensor_domains
from xensor_mirror.probe import probe
from xensor_mirror.record import Mirror, Records
from xensor_mirror.report import BridgeReport, VifReport, problems, publish, survey, text, vifs
from xensor_mirror.system import MirrorError, is_bridge

STATE = Path("/var/lib/xensor-mirror")
REPORT = Path("/run/xensor-mirror/report.json")
GUESTS = "guests.json"
"""Beside it: the inventory."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(prog="xensor-mirror", description="Mirror a bridge of this host to the sensor.")
    made.add_argument("--state", type=Path, default=STATE, help=f"folder of what was asked for (default: {STATE})")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    add = verbs.add_parser("add", help="mirror a bridge, or change how")
    add.add_argument("bridge")
    _options(add)
    remove = verbs.add_parser("remove", help="take a mirror away, all of it")
    remove.add_argument("bridge")
    repair = verbs.add_parser("repair", help="put every mirror right: at boot, from the hook, by hand")
    repair.add_argument("-q", "--quiet", action="store_true", help="say nothing; the status is 0 whatever happens")
    status = verbs.add_parser("status", help="look, and send a probe frame through; status 1: something is wrong")
    status.add_argument("--json", action="store_true", help="print the report that the sensor gets")
    status.add_argument("--no-probe", action="store_true", help="only look")
    out = verbs.add_parser("publish", help="tell the sensor what only this host knows")
    out.add_argument("--report", type=Path, default=REPORT, help=f"file to write (default: {REPORT})")
    out.add_argument("--every", type=float, default=0.0, metavar="SECONDS", help="again and again until SIGTERM")
    out.add_argument("--repair", action="store_true", help="repair after each report")
    return made


def _options(add: argparse.ArgumentParser) -> None:
    add.add_argument("--hub", default=Mirror.hub, help=f"bridge of the sensor's sniffing vif (default: {Mirror.hub})")
    add.add_argument("--uplink", action="store_true", help="copy what comes in from outside, too")
    add.add_argument("--host", action="store_true", help="copy what this host itself sends into the bridge, too")
    add.add_argument("--wire-like", action="store_true", help="cut super-segments and fill in checksums (dearer)")
    add.add_argument("--guests", action="append", metavar="PATTERN", help="names of guests' ports (vif*, tap*)")
    add.add_argument("--exempt", action="append", default=[], metavar="NAME|MAC", help="a port that is never copied")
    add.add_argument("--pref", type=int, default=Mirror.pref, help="preference of the filters (default: 1)")


def main(words: Sequence[str]) -> int:
    """Run the command; return its status."""
    args = parser().parse_args(words)
    try:
        return _VERBS[args.verb](args, Records(args.state))
    except (MirrorError, OSError) as e:
        if args.verb == "repair" and args.quiet:  # a guest's start must not fail because of us
            return 0
        print(f"xensor-mirror: {e}", file=sys.stderr)
        return 2


def _add(args: argparse.Namespace, records: Records) -> int:
    wanted = Mirror(
        args.bridge, _kind_of(args.bridge), args.hub, args.uplink, args.host, args.wire_like,
        tuple(args.guests or Mirror.guests), tuple(args.exempt), args.pref,
    )  # fmt: skip
    with records.locked():
        before = [one for one in records.all() if one.bridge == wanted.bridge]
        try:
            _exchange(records, before, [wanted])
        except MirrorError:
            _exchange(records, [wanted], before)
            raise
    return 0


def _exchange(records: Records, old: Sequence[Mirror], new: Sequence[Mirror]) -> None:
    """Take a bridge's mirror away and set another up."""
    for mirror in old:
        _bridge(mirror).remove()
        records.drop(mirror.bridge)
    for mirror in new:
        records.put(mirror)
        _mend(mirror)


def _remove(args: argparse.Namespace, records: Records) -> int:
    with records.locked():
        mirror = records.get(args.bridge)
        _bridge(mirror).remove()
        records.drop(args.bridge)
        hub.remove(mirror.hub, [one.hub for one in records.all()])
    return 0


def _repair(args: argparse.Namespace, records: Records) -> int:
    with records.locked():
        mended, wrong = _repair_all(records)
    for line in (*(f"mended: {name}" for name in mended), *wrong) if not args.quiet else ():
        print(line)
    return 1 if wrong and not args.quiet else 0


def _status(args: argparse.Namespace, records: Records) -> int:
    with records.locked():
        bridges, sensors = _survey(records)
        wrong = problems(bridges, sensors)
        if not args.no_probe:
            wrong += [line for mirror in records.all() for line in _probe(mirror)]
    if args.json:
        print(json.dumps({"bridges": [asdict(b) for b in bridges], "vifs": [asdict(v) for v in sensors],
                          "problems": wrong}, indent=1))  # fmt: skip
    else:
        for line in (*_lines(bridges, sensors), *(f"WRONG: {line}" for line in wrong)):
            print(line)
    return 1 if wrong else 0


def _lines(bridges: Sequence[BridgeReport], sensors: Sequence[VifReport]) -> list[str]:
    if not bridges:
        return ["no bridge is mirrored"]
    found = [f"{b.bridge} ({b.kind}) -> {b.hub}: {b.ports - b.missing} of {b.ports} ports copied, {b.exempt} exempt, "
             f"{b.copied} frames" for b in bridges]  # fmt: skip
    return found + [f"{v.name}: {v.frames} frames to the sensor, {v.dropped} lost" for v in sensors]


def _probe(mirror: Mirror) -> list[str]:
    found = []
    for name in hub.sensor_ports(mirror.hub):
        try:
            copies = probe(_bridge(mirror), name)
        except MirrorError as e:
            return [f"{mirror.bridge}: no probe frame could be sent: {e}"]
        if copies != 1:
            found.append(f"{mirror.bridge}: {copies or 'no'} copies of a probe frame came to {name}, not one")
    return found


def _publish(args: argparse.Namespace, records: Records) -> int:
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    generation = repaired = 0
    while True:
        generation += 1
        with records.locked():
            report = text(*_survey(records), generation, repaired)
            sensors = {domain for one in records.all() for domain in sensor_domains(one.hub)}
            wrong = publish(report, sensors, args.report)
            wrong += guests.publish(sensors, [one.bridge for one in records.all()], args.report.with_name(GUESTS))
            if args.repair:
                mended, more = _repair_all(records)
                repaired += len(mended)
                wrong += more
        for line in wrong:
            print(f"xensor-mirror: {line}", file=sys.stderr, flush=True)
        if not args.every or ended.wait(args.every):
            return 1 if wrong and not args.every else 0


def _survey(records: Records) -> tuple[list[BridgeReport], list[VifReport]]:
    mirrors = records.all()
    bridges = [survey(mirror, _bridge(mirror)) for mirror in mirrors]
    return bridges, [vif for name in sorted({one.hub for one in mirrors}) for vif in vifs(name)]


def _repair_all(records: Records) -> tuple[list[str], list[str]]:
    """Return what was mended, and what could not be. A mirror that cannot be mended does not keep others from it."""
    mended: list[str] = []
    wrong: list[str] = []
    for mirror in records.all():
        try:
            mended += _mend(mirror)
        except (MirrorError, OSError) as e:  # noqa: PERF203 - a few bridges
            wrong.append(f"{mirror.bridge}: {e}")
    return mended, wrong


def _mend(mirror: Mirror) -> list[str]:
    hub.ensure(mirror.hub)
    bridge = _bridge(mirror)
    mended = bridge.repair()
    hub.fit(mirror.hub, bridge.longest(), wire_like=mirror.wire_like)
    return mended


def _bridge(mirror: Mirror) -> LinuxBridge | OpenVSwitch:
    return OpenVSwitch(mirror) if mirror.kind == OpenVSwitch.kind else LinuxBridge(mirror)


def _kind_of(bridge: str) -> str:
    """Tell what a bridge is made of. Raises MirrorError where there is no such bridge."""
    if is_bridge(bridge):
        return LinuxBridge.kind
    try:
        if bridge in bridges():
            return OpenVSwitch.kind
    except MirrorError as e:
        raise MirrorError(f"there is no bridge {bridge} of the kernel, and Open vSwitch is silent: {e}") from e
    raise MirrorError(f"there is no bridge {bridge}")


_VERBS = {"add": _add, "remove": _remove, "repair": _repair, "status": _status, "publish": _publish}
