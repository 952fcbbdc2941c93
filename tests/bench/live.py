"""`make bench-live`: a capture at top speed through a real mirrored bridge, the sensor on the other core.

Guests, bridge and mirror are network namespaces (`tests/live/livekit.py`); tcpreplay sends on one core, what receives
runs on the other, where its kernel part is the sender's to pay for all alike. Where a Suricata is found (on PATH, or
in the folder SURICATA_ROOT for chroot), it gets the same traffic with the same rules. Prints figures and their ratio;
nothing passes or fails. The highest rate without loss is measured apart, from memory: no sender is in its way.

BENCH_CAPTURE names another capture than ../shared/captures/bench.pcap.zst.
"""

import argparse
import dataclasses
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cost
import enginekit
import livekit
from procfs import cpu_seconds, pin

from sensor.capture.files import open_source
from sensor.cli.ctl import ask
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline

CAPTURE = Path(os.environ.get("BENCH_CAPTURE", cost.CAPTURE))
PEER_ROOT = Path(os.environ.get("SURICATA_ROOT", "/var/tmp/suricata-peer"))  # noqa: S108  where the peer tool puts it
SENDER_CORE, SENSOR_CORE = 0, 1
MTU = 65_535


@dataclass(frozen=True)
class Result:
    """What a receiver made of the traffic. cpu: seconds of its own process."""

    offered: int
    seen: int
    dropped: int
    cpu: float

    @property
    def each(self):
        """CPU microseconds per packet seen."""
        return self.cpu / max(1, self.seen) * 1e6

    def line(self, name):
        return (
            f"{name:9} offered {self.offered:9,}  seen {self.seen:9,}  dropped {self.dropped:8,}"
            f" ({100 * self.dropped / max(1, self.offered):.2f} %)  CPU {self.each:6.2f} us a packet"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=5, help="times the capture is sent")
    parser.add_argument("--rules", type=int, default=10_000, help="random literal rules")
    parser.add_argument("--pps", type=int, default=0, help="packets a second (default: as many as go)")
    args = parser.parse_args()
    for reason in (livekit.missing(), "" if CAPTURE.exists() else f"{CAPTURE} is not there",
                   "" if shutil.which("tcpreplay") else "tcpreplay is not installed"):  # fmt: skip
        if reason:
            sys.exit(f"bench-live: {reason}")
    capture = unpacked()
    name = f"live{args.rules}"
    cost.write(name, cost.randoms(random.Random(20261123), args.rules))
    print(f"== {capture.name} {args.loops} times through the mirror, {args.rules} random literal rules", flush=True)
    lab = livekit.Lab()
    try:
        widen(lab)
        mine = through_sensor(lab, capture, cost.WORK / f"{name}.yaml", args)
        theirs = through_suricata(lab, capture, cost.WORK / f"{name}.rules", args)
    finally:
        lab.close()
    if theirs is None:
        print(f"suricata  not compared: neither on PATH nor in {PEER_ROOT} (SURICATA_ROOT)")
    else:
        print(f"CPU of Suricata over ours, per packet seen: {theirs.each / mine.each:.2f}", flush=True)
    print("== the same from memory: blocks of 1 MiB, one core, nothing lost by its nature", flush=True)
    from_memory(capture, cost.WORK / f"{name}.yaml")


def unpacked():
    """Return the capture as a file that tcpreplay reads."""
    cost.WORK.mkdir(parents=True, exist_ok=True)
    if CAPTURE.suffix != ".zst":
        return CAPTURE
    made = cost.WORK / CAPTURE.stem
    if not made.exists():
        subprocess.run(["zstd", "-q", "-d", "-f", str(CAPTURE), "-o", str(made)], check=True)
    return made


def widen(lab):
    """Let super-segments of the capture pass every link of the way."""
    for namespace, links in ((lab.host, ("xenbr0", "vif1.0", "vif2.0", "vif9.1", "xenmon0")),
                             (lab.guests["g1"], ("eth0",)), (lab.monitor, ("eth1",))):  # fmt: skip
        for link in links:
            livekit.command(f"ip -n {namespace} link set {link} mtu {MTU}")


def send(lab, capture, args):
    """Send the capture from g1; return (packets, seconds)."""
    speed = [f"--pps={args.pps}"] if args.pps else ["--topspeed"]
    words = ["taskset", "-c", str(SENDER_CORE), "ip", "netns", "exec", lab.guests["g1"], "tcpreplay", "-K", "-q",
             "-i", "eth0", "--no-flow-stats", "--unique-ip", f"--loop={args.loops}", *speed, str(capture)]  # fmt: skip
    before = lab.frames_sent()
    shown = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    seconds = float(re.search(r"in ([0-9.]+) seconds", shown)[1])
    sent = lab.frames_sent() - before
    print(f"sent      {sent:,} packets in {seconds:.2f} s: {sent / seconds:,.0f} a second", flush=True)
    return sent


def through_sensor(lab, capture, rules, args):
    """Measure the sensor."""
    with tempfile.TemporaryDirectory() as folder:
        command = Path(folder) / "command.socket"
        options = ("--set", "unix-command.enabled=yes", "--set", f"unix-command.filename={command}")
        with livekit.Sensor(lab, folder, *options, rules=rules, types="[alert,stats]") as sensor:
            pid = sensor.process.pid
            pin(pid, SENSOR_CORE)
            before, cpu = counters(command), cpu_seconds(pid)
            sent = send(lab, capture, args)
            used = settled(lambda: round(cpu_seconds(pid), 1)) - cpu
            after = counters(command)
            sensor.stop()
    seen, dropped = (now - then for now, then in zip(after, before, strict=True))
    result = Result(sent, seen, dropped, used)
    print(result.line("xensor"), flush=True)
    return result


def counters(command):
    """Return (packets inspected, packets dropped by the kernel)."""
    told = ask(str(command), "dump-counters", {})["message"]
    return told["decoder"]["pkts"], told["capture"]["kernel_drops"]


def settled(read):
    """Return what is read once it has stopped to change for a second (the kernel's counters are taken each second).

    CPU is what is looked at: to be asked for counters ten times a second would cost a receiver a sixth of its CPU.
    """
    last, since = read(), time.monotonic()
    while time.monotonic() - since < 1.2:
        time.sleep(0.1)
        if (now := read()) != last:
            last, since = now, time.monotonic()
    return last


def suricata():
    """Return (words that start a Suricata, folder that it sees as /); None: there is none."""
    if (PEER_ROOT / "usr/bin/suricata").exists():
        return ["chroot", str(PEER_ROOT), "suricata", "-c", "/etc/suricata/alert-only.yaml"], PEER_ROOT
    if shutil.which("suricata"):
        return ["suricata"], Path("/")
    return None


def through_suricata(lab, capture, rules, args):
    """Measure Suricata with one worker on AF_PACKET; None: there is none."""
    peer = suricata()
    if peer is None:
        return None
    words, root = peer
    with tempfile.TemporaryDirectory(dir=root / "tmp", prefix="bench-live-") as folder:
        inside = Path("/") / Path(folder).relative_to(root)
        shutil.copy(rules, f"{folder}/bench.rules")
        line = ["ip", "netns", "exec", lab.monitor, *words, "--af-packet=eth1", "--runmode", "single", "-k", "none",
                "-S", f"{inside}/bench.rules", "-l", str(inside)]  # fmt: skip
        process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        for text in process.stdout:
            if "Engine started" in text:
                break
        pin(process.pid, SENSOR_CORE)
        cpu = cpu_seconds(process.pid)
        sent = send(lab, capture, args)
        used = settled(lambda: round(cpu_seconds(process.pid), 1)) - cpu
        process.terminate()
        log, _ = process.communicate(timeout=60)
    found = re.search(r"packets: (\d+), drops: (\d+)", log)
    if found is None:
        print(f"suricata  not compared, it told no packets:\n{log[-800:]}")
        return None
    packets, dropped = map(int, found.groups())
    result = Result(sent, packets - dropped, dropped, used)
    print(result.line("suricata"), flush=True)
    return result


def from_memory(capture, rules):
    """Print what one core inspects in a second when the packets are in memory already."""
    source = open_source([str(capture)])
    blocks = [dataclasses.replace(block, buf=block.buf.copy()) for block in source.blocks()]
    source.close()
    loaded, settings = enginekit.load(rules), enginekit.settings_of(("alert",))
    packets, size = sum(b.n for b in blocks), sum(int(b.caplen.sum()) for b in blocks)
    times = []
    for _ in range(4):
        pipeline = Pipeline(loaded, EngineOptions(settings), lambda _record: None, seed=1)
        start = time.process_time()
        for block in blocks:
            pipeline.process(block)
        times.append(time.process_time() - start)
    best = min(times)
    print(f"xensor    {packets / best:,.0f} packets a second, {8 * size / best / 1e9:.2f} Gbit/s"
          f" ({best / packets * 1e6:.2f} us a packet)")  # fmt: skip


if __name__ == "__main__":
    main()
