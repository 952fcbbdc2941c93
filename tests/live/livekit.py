"""Guests, a bridge and its mirror, made of network namespaces; and the sensor as a process of its own.

    g1 eth0 ── vif1.0 ┐                          ┌ vif9.1 ── eth1 monitor
                      ├ xenbr0  (mirror) xenmon0 ┤
    g2 eth0 ── vif2.0 ┘                          └

All of it lives in namespaces whose names carry the process id of the test run. `xensor-mirror` sets the mirror up.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import re
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MIRROR = ROOT / "deploy" / "dom0" / "xensor-mirror"
RULES = Path(__file__).resolve().parent / "rules.yaml"
MACS = {"g1": "00:16:3e:00:00:01", "g2": "00:16:3e:00:00:02"}
ADDRESSES = {"g1": "10.99.0.1", "g2": "10.99.0.2"}
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """Return why live tests cannot run here, empty: they can."""
    if os.geteuid() != 0:
        return "live tests make network namespaces: run them as root"
    for program in ("ip", "tc"):
        if shutil.which(program) is None:
            return f"live tests need `{program}`: install iproute2"
    name = f"xs-{os.getpid()}-try"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode:
        return "live tests need network namespaces, which this machine does not allow"
    try:
        match = "protocol all u32 match u32 0 0"
        mirror = f"tc -n {{n}} filter add dev v0 ingress {match} action mirred egress mirror dev br0"
        links = "ip -n {n} link add br0 type bridge", "ip -n {n} link add v0 type veth peer name v1"
        tries = (*links, "tc -n {n} qdisc add dev v0 clsact", mirror)
        for one in tries:
            found = subprocess.run(one.format(n=name).split(), capture_output=True, text=True, check=False)
            if found.returncode:
                return f"live tests need this to work: {one.format(n='NAMESPACE')} ({found.stderr.strip()})"
    finally:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return ""


def command(line):
    found = subprocess.run(line.split(), capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"{line}: {found.stderr}"
    return found.stdout


PATIENCE = 4
"""A machine that has other things to do gets so many times the seconds in which an event comes at last."""


def scrape(namespace, port):
    """Return the metrics that a sensor in a namespace serves: name and labels → value."""
    with inside(namespace), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


@contextlib.contextmanager
def inside(namespace):
    """Whatever this thread opens stays in the namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        assert _libc.setns(there, _CLONE_NEWNET) == 0
        yield
    finally:
        assert _libc.setns(home, _CLONE_NEWNET) == 0
        os.close(home)
        os.close(there)


class Lab:
    """The namespaces. `close` removes them, and with them every interface."""

    bridge = "xenbr0"

    def __init__(self):
        self._prefix = f"xs-{os.getpid()}-{secrets.token_hex(2)}"
        self.host, self.monitor = f"{self._prefix}-dom0", f"{self._prefix}-mon"
        self.guests = {guest: f"{self._prefix}-{guest}" for guest in MACS}
        self._namespaces = [self.host, self.monitor, *self.guests.values()]
        self.state = Path(tempfile.mkdtemp(prefix="xensor-mirror-"))
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        for name in self._namespaces:
            command(f"ip netns add {name}")
            command(f"ip -n {name} link set lo up")
            for scope in ("all", "default"):
                with inside(name):
                    Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
        self._make_bridge()
        for number, guest in enumerate(MACS, 1):
            self.plug(f"vif{number}.0", self.bridge, self.guests[guest], "eth0")
            command(f"ip -n {self.guests[guest]} link set eth0 address {MACS[guest]}")
            command(f"ip -n {self.guests[guest]} address add {ADDRESSES[guest]}/24 dev eth0")
        self.control("add", self.bridge)
        self.plug_monitor()

    def _make_bridge(self):
        command(f"ip -n {self.host} link add xenbr0 type bridge mcast_snooping 0")
        command(f"ip -n {self.host} link set xenbr0 mtu 9000 up")

    def plug(self, vif, bridge, namespace, name):
        command(f"ip -n {self.host} link add {vif} type veth peer name {name} netns {namespace}")
        command(f"ip -n {self.host} link set {vif} mtu 9000 {f'master {bridge}' if bridge else ''} up")
        command(f"ip -n {namespace} link set {name} up")

    def control(self, *words, status=0):
        """Run `xensor-mirror` in dom0; return what it printed."""
        line = ["ip", "netns", "exec", self.host, sys.executable, str(MIRROR), "--state", str(self.state), *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def status(self, status=0):
        """Return the report of `xensor-mirror status`; it exits with `status`."""
        return json.loads(self.control("status", "--json", status=status))

    def mirror(self, vif, dest):
        """Let the filter of a port copy to somewhere else than the hub."""
        command(f"tc -n {self.host} filter del dev {vif} ingress pref 1")
        command(f"tc -n {self.host} filter add dev {vif} ingress pref 1 protocol all "
                f"u32 match u32 0 0 action mirred egress mirror dev {dest}")  # fmt: skip

    def plug_monitor(self, name="eth1"):
        self.plug("vif9.1", "xenmon0", self.monitor, name)
        command(f"ip -n {self.monitor} link set {name} mtu 9000 arp off")

    def unplug(self, vif="vif9.1"):
        command(f"ip -n {self.host} link del {vif}")

    def frames_sent(self):
        """Return the frames that the guests have sent (super-segments count once)."""
        total = 0
        for namespace in self.guests.values():
            shown = json.loads(command(f"ip -n {namespace} -j -s link show dev eth0"))
            total += shown[0]["stats64"]["tx"]["packets"]
        return total

    def close(self):
        for name in self._namespaces:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        shutil.rmtree(self.state)

    # ---- guests

    def server(self, guest, port, kind=socket.SOCK_STREAM):
        """Return a bound socket of a guest (listening, for TCP)."""
        with inside(self.guests[guest]):
            sock = socket.socket(socket.AF_INET, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.settimeout(10)
        sock.bind((ADDRESSES[guest], port))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        return sock

    def client(self, guest, peer, port, kind=socket.SOCK_STREAM):
        """Return a connected socket of a guest."""
        with inside(self.guests[guest]):
            sock = socket.socket(socket.AF_INET, kind)
        sock.settimeout(10)
        sock.connect((ADDRESSES[peer], port))
        return sock

    def say(self, text, port=7000, reply=b"fine"):
        """Let g1 say something to a server on g2 over a connection, and be answered."""
        with self.server("g2", port) as listening, self.client("g1", "g2", port) as asking:
            answering, _ = listening.accept()
            with answering:
                sending = threading.Thread(target=asking.sendall, args=(text,))
                sending.start()
                got = 0
                while got < len(text):
                    got += len(answering.recv(1 << 20))
                sending.join()
                answering.sendall(reply)
                assert asking.recv(100) == reply

    def raw(self, guest):
        """Return a packet socket on a guest's interface: frames as they are."""
        with inside(self.guests[guest]):
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            sock.bind(("eth0", 0))
        return sock


class SwitchLab(Lab):
    """The same with a real Open vSwitch, its datapath in user space: this kernel need not have one."""

    bridge = "ovsbr0"

    def _make_bridge(self):
        self._daemons = []
        self._folder = {f"OVS_{name}": str(self.state) for name in ("RUNDIR", "LOGDIR", "DBDIR", "SYSCONFDIR")}
        command(f"ovsdb-tool create {self.state}/conf.db /usr/share/openvswitch/vswitch.ovsschema")
        self._start("ovsdb-server", f"--remote=punix:{self.state}/db.sock", f"{self.state}/conf.db")
        self.vsctl("--no-wait", "init")
        self._start("ovs-vswitchd", f"unix:{self.state}/db.sock")
        self.vsctl("add-br", "ovsbr0", "--", "set", "bridge", "ovsbr0", "datapath_type=netdev")

    def _start(self, program, *words):
        control = self.state / f"{program}.ctl"
        line = ["ip", "netns", "exec", self.host, program, f"--unixctl={control}", *words]
        with (self.state / f"{program}.log").open("wb") as log:
            self._daemons.append(subprocess.Popen(line, stdout=log, stderr=log, env=os.environ | self._folder))
        end = time.monotonic() + 20
        while not control.exists():
            assert time.monotonic() < end, (self.state / f"{program}.log").read_text()
            time.sleep(0.02)

    def vsctl(self, *words):
        line = ["ip", "netns", "exec", self.host, "ovs-vsctl", "--timeout=10", *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=os.environ | self._folder)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def control(self, *words, status=0):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._folder.items():
                patch.setenv(name, value)
            return super().control(*words, status=status)

    def plug(self, vif, bridge, namespace, name):
        super().plug(vif, "" if bridge == self.bridge else bridge, namespace, name)
        if bridge == self.bridge:
            # Without a kernel's datapath nobody fills in checksums or cuts super-segments.
            plain_frames(namespace, name)
            command(f"ip -n {namespace} link set {name} mtu 1500")
            self.vsctl("add-port", self.bridge, vif)

    def close(self):
        for daemon in reversed(self._daemons):
            daemon.terminate()
            daemon.wait()
        super().close()


STSO, SGSO, SSG, STXCSUM, SGRO = 0x1F, 0x24, 0x19, 0x17, 0x2C
"""linux/ethtool.h: ETHTOOL_S*"""


def plain_frames(namespace, name, orders=(STSO, SGSO, STXCSUM)):
    """Switch offloads of an interface off; by default it sends frames as on a wire then."""
    with inside(namespace), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for order in orders:
            off = ctypes.create_string_buffer(struct.pack("II", order, 0))
            request = struct.pack("16sP16x", name.encode(), ctypes.addressof(off))
            fcntl.ioctl(sock, 0x8946, request)  # SIOCETHTOOL


class Sensor:
    """`xensor run` in the monitor's namespace."""

    def __init__(self, lab, folder, *options, interfaces=("eth1",), rules=RULES, types="[alert,stats]", env=None,
                 before=""):  # fmt: skip
        """before: Python that runs in the sensor's process first."""
        self.folder = Path(folder)
        self.eve = self.folder / "eve.json"
        self._errors = self.folder / "stderr"
        named = [word for name in interfaces for word in ("-i", name)]
        words = [sys.executable, "-c", f"{before}\nfrom sensor.cli.main import entry; entry()", "run", *named,
                 "-S", str(rules), "-l", str(folder), "--set", f"outputs.eve-log.types={types}",
                 "--set", f"workers={os.environ.get('XENSOR_TEST_WORKERS', '1')}", *options]  # fmt: skip
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", lab.monitor, *words], cwd=ROOT, stderr=errors, stdout=subprocess.DEVNULL,
                env=os.environ | (env or {}),
            )  # fmt: skip
        # Where the kernels are not compiled yet, this takes a minute of a processor's time.
        self.wait_log("engine started", 240)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    @property
    def log(self):
        return self._errors.read_text()

    def wait_log(self, text, seconds=60):
        """Wait for a line of the log (the first start compiles the kernels)."""
        self._until(lambda: text in self.log, seconds, text)

    def wait_alerts(self, n, seconds=5):
        self._until(lambda: len(self.sids()) >= n, seconds, f"{n} alerts, not {self.sids()}")

    def _until(self, true, seconds, what):
        end = time.monotonic() + PATIENCE * seconds
        while not true():
            assert self.process.poll() is None, f"the sensor has ended: {self.log}"
            assert time.monotonic() < end, f"waited in vain for {what}; {self.log}"
            time.sleep(0.02)

    def events(self, kind="alert", eve=None):
        path = eve or self.eve
        if not path.exists():
            return []
        # Half of a write may be seen: what follows the last line end is still to come.
        lines = path.read_text().rpartition("\n")[0].splitlines()
        return [e for e in map(json.loads, lines) if e["event_type"] == kind]

    def sids(self, eve=None):
        return [e["alert"]["signature_id"] for e in self.events(eve=eve)]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; return the last `stats` event."""
        self.signal(signal.SIGTERM)
        assert self.process.wait(20) == 0, self.log
        found = self.events("stats")
        return found[-1]["stats"] if found else {}


def write_pcap(path, frames):
    """Write (ns, frame) pairs as a capture (microseconds)."""
    records = [struct.pack("<4I", ts // 10**9, ts % 10**9 // 1000, len(f), len(f)) + f for ts, f in frames]
    path.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1) + b"".join(records))


def unhappy(log):
    """Return the lines of a log that nobody expects."""
    return [line for line in log.splitlines() if re.search(r"Traceback|Error|cannot|failed", line)]
