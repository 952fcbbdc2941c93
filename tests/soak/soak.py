"""`make soak`: the sensor under load for a long time; nothing in it may grow, and what it counts must add up.

Guests send conversations without end over a mirrored bridge, some with what rules find; every output is on. After the
warm-up (tables fill, the longest time-out passes) memory may not grow by a hundredth, descriptors not by one. Prints a
table; the exit status is 1 where something grows or does not add up.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import livekit
from loadgen import Load, conversations
from procfs import cpu_seconds, descriptors, family, private_bytes

from sensor.cli.ctl import ask

TIMEOUTS = {"tcp.new": 5, "tcp.established": 10, "tcp.closed": 5, "udp.new": 5, "udp.established": 10}
"""Seconds: flows come and go within the warm-up."""
GROWTH = 0.01
MIB = 1 << 20


@dataclass(frozen=True)
class Sample:
    """One look at the processes. memory: private bytes; cpu: seconds so far."""

    at: float
    memory: int
    files: int
    cpu: float
    counters: dict

    def line(self):
        c = self.counters
        return (
            f"{self.at:7.0f} s  {self.memory / MIB:7.1f} MiB  {self.files:3} files  CPU {self.cpu:7.1f} s"
            f"  {c['decoder']['pkts']:11,} packets  {c['capture']['kernel_drops']:8,} dropped"
            f"  {c['detect']['alert']:9,} alerts"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--warm-up", type=int, default=0, help="seconds (default: a quarter, at most 300)")
    parser.add_argument("--rate", type=int, default=20_000, help="frames a second, 0: as many as go")
    parser.add_argument("--flows", type=int, default=300, help="conversations of a round")
    parser.add_argument("--alerting", type=int, default=6, help="of those, conversations that raise an alert")
    parser.add_argument("--workers", type=int, default=1, help="processes that judge")
    parser.add_argument("--long-flows", action="store_true", help="the time-outs of the default configuration")
    args = parser.parse_args()
    warm_up = args.warm_up or min(300, args.seconds // 4)
    if reason := livekit.missing():
        sys.exit(f"soak: {reason}")
    lab = livekit.Lab()
    try:
        with tempfile.TemporaryDirectory() as folder:
            samples, wrong = soak(lab, Path(folder), args)
    finally:
        lab.close()
    wrong += growth([s for s in samples if s.at >= warm_up])
    for text in wrong:
        print(f"WRONG: {text}")
    sys.exit(1 if wrong else 0)


def options(folder, *, long_flows):
    """Return the words that switch every output on, within bounds that a soak reaches."""
    values = {
        "unix-command.enabled": "yes", "unix-command.filename": f"{folder}/command.socket",
        "outputs.pcap-log.enabled": "yes", "outputs.pcap-log.limit": "1mb", "outputs.pcap-log.max-files": "4",
        "outputs.unix-socket.enabled": "yes", "outputs.unix-socket.filename": f"{folder}/nobody.sock",
        "outputs.spool.limit": "4mb", "outputs.eve-log.rotate-size": "8mb", "outputs.retention.max-size": "16mb",
        "outputs.retention.alert-max-size": "16mb", "flood.burst": "0",
    }  # fmt: skip
    if not long_flows:
        values |= {f"flow-timeouts.{name}": str(seconds) for name, seconds in TIMEOUTS.items()}
    return ["--metrics", "127.0.0.1:9199", *(f"--set={name}={value}" for name, value in values.items())]


def soak(lab, folder, args):
    """Return what was sampled, and what does not add up."""
    samples = []
    types = "[alert,flow,http,dns,stats]"
    words = (*options(folder, long_flows=args.long_flows), "--workers", str(args.workers))
    with livekit.Sensor(lab, folder, *words, types=types) as sensor:
        pid = sensor.process.pid
        with Load(lab, conversations(args.flows, args.alerting), args.rate) as load:
            start = time.monotonic()
            while (at := time.monotonic() - start) < args.seconds:
                counters = ask(f"{folder}/command.socket", "dump-counters", {})["message"]
                scrape(lab)
                figures = (sum(map(of, family(pid))) for of in (private_bytes, descriptors, cpu_seconds))
                samples.append(Sample(at, *figures, counters))
                if len(samples) % max(1, args.seconds // 60) == 0:
                    print(samples[-1].line(), flush=True)
                time.sleep(max(0.0, len(samples) - (time.monotonic() - start)))
        last = sensor.stop()
        log = sensor.log
    print(json.dumps({"sent": load.sent, "capture": last["capture"], "outputs": last["outputs"]}))
    return samples, unbalanced(load.sent, last) + livekit.unhappy(log.replace("No such file", ""))


def scrape(lab):
    """Read the metrics, as Prometheus does."""
    with livekit.inside(lab.monitor), urllib.request.urlopen("http://127.0.0.1:9199/metrics") as answer:
        answer.read()


def unbalanced(sent, last):
    """Return what does not add up in the last statistics."""
    capture, eve = last["capture"], last["outputs"]["eve.json"]
    found = []
    if capture["kernel_packets"] != sent:
        found.append(f"{sent} frames were sent, {capture['kernel_packets']} arrived")
    if last["decoder"]["pkts"] + capture["kernel_drops"] != capture["kernel_packets"]:
        found.append("packets inspected and dropped are not those that arrived")
    if eve["lost"] or eve["waiting"]:
        found.append(f"eve.json lost {eve['lost']} alerts, {eve['waiting']} bytes wait")
    return found


def growth(samples):
    """Return what has grown between the first and the last third of samples, and print it."""
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    before, after = (statistics.median(s.memory for s in part) for part in (first, last))
    # The fewest: clearing files away and answering commands opens some for a moment, what is forgotten stays open.
    files = min(s.files for s in first), min(s.files for s in last)
    grown = after / before - 1
    print(f"memory    {before / MIB:.1f} -> {after / MIB:.1f} MiB ({100 * grown:+.2f} %)")
    print(f"files     {files[0]} -> {files[1]}")
    found = []
    if grown > GROWTH:
        found.append(f"memory has grown by {100 * grown:.2f} %")
    if files[1] > files[0]:
        found.append(f"open files have grown from {files[0]} to {files[1]}")
    return found


if __name__ == "__main__":
    main()
