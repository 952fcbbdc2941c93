"""The inventory from dom0's xenstore into the sensor: what `xensor-mirror publish` writes is what the sensor reads."""

import json
import os
import socket
import struct
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from sensor.xen.guestlist import GuestListSource
from sensor.xen.inventory import Guest, parse
from sensor.xen.report import ReportError
from sensor.xen.sources import open_inventory
from sensor.xen.xenbus import Xenbus

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "deploy" / "dom0"))

from xensor_mirror import guests, xenstore

HEADER = struct.Struct("=IIII")
VIF = "/local/domain/0/backend/vif"
PROGRAM = """#!{python} -IS
import os, sys
store, words = {store!r}, sys.argv[1:]
name = sys.argv[0].rpartition("xenstore-")[2]
flat = lambda path: path.strip("/").replace("/", "|")
place = lambda path: store + "/" + flat(path)
def text(path):
    with open(path) as file: return file.read()
with open(store + "/log", "a") as log: print(name, *words, file=log)
if name == "write":
    with open(place(words[0]), "w") as file: file.write(words[1])
elif name == "read":
    if not all(os.path.exists(place(path)) for path in words): sys.exit("couldn't read path")
    print(*(text(place(path)) for path in words), sep="\\n")
elif name == "ls":
    for path in sorted(path for path in os.listdir(store) if path.startswith(flat(words[-1]) + "|")):
        print("/" + path.replace("|", "/"), "=", '"' + text(store + "/" + path) + '"')
"""
"""Started two hundred times: it loads nothing that it could do without."""


class Store:
    """Files for xenstore's nodes, and its programs, which touch nothing else."""

    def __init__(self, folder):
        self.folder = folder

    def put(self, path, value):
        (self.folder / path.strip("/").replace("/", "|")).write_text(value)

    def drop(self, path):
        (self.folder / path.strip("/").replace("/", "|")).unlink()

    def get(self, path):
        found = self.folder / path.replace("/", "|")
        return found.read_bytes() if found.exists() else None

    def guest(self, domid, name, **vif):
        self.put(f"/local/domain/{domid}/name", name)
        self.put(f"/local/domain/{domid}/vm", f"/vm/6a1c3f0e-52a4-4c0e-9b6e-{domid:012d}")
        for key, value in ({"mac": f"00:16:3E:00:{domid >> 8:02X}:{domid & 255:02X}"} | vif).items():
            self.put(f"{VIF}/{domid}/0/{key}", value)

    def count(self, word):
        return sum(line.startswith(word) for line in (self.folder / "log").read_text().splitlines())


@pytest.fixture
def store(tmp_path, monkeypatch):
    folder, programs = tmp_path / "store", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    for name in ("read", "write", "chmod", "ls"):
        program = programs / f"xenstore-{name}"
        program.write_text(PROGRAM.format(python=sys.executable, store=str(folder)))
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    return Store(folder)


class Answering:
    """The sensor's side of xenstore: a socket stands for the device, and the nodes are those of a domain."""

    def __init__(self, store, domid=9):
        here, self._there = socket.socketpair()
        self.source = GuestListSource(Xenbus(os.dup(here.fileno())))
        here.close()
        self._there.setblocking(False)
        self._store, self._domid = store, domid
        self.asked = []

    def answer(self):
        """Answer what has been asked; False: nothing was."""
        try:
            _, number, _, length = HEADER.unpack(self._there.recv(16))
        except BlockingIOError:
            return False
        path = self._there.recv(length).rstrip(b"\0").decode()
        self.asked.append(path)
        value = self._store.get(f"local/domain/{self._domid}/{path}")
        kind, body = (2, value) if value is not None else (16, b"ENOENT\0")
        self._there.send(HEADER.pack(kind, number, 0, len(body)) + body)
        return True

    def read(self):
        """Poll until nothing more is asked."""
        while True:
            found = self.source.poll()
            if found is not None or not self.answer():
                return found

    def close(self):
        self.source.close()
        self._there.close()


@pytest.fixture
def sensor(store):
    made = Answering(store)
    yield made
    made.close()


def publish(tmp_path):
    assert guests.publish({9}, ["lo", "none"], tmp_path / "guests.json") == []


def test_what_dom0_publishes_is_what_the_sensor_reads(store, sensor, tmp_path):
    store.guest(5, "web-01", ip="10.0.0.5 fd00::5 10.9.0.0/24", bridge="xenbr0")
    store.guest(7, "db-01", vifname="database")
    store.guest(9, "xensor")
    publish(tmp_path)
    found = parse(sensor.read())
    assert found.guests[0] == Guest("web-01", "6a1c3f0e-52a4-4c0e-9b6e-000000000005", 5)
    addresses = ip_address("10.0.0.5").packed, ip_address("fd00::5").packed
    assert [(v.guest.name, v.mac, v.name, v.bridge, v.addresses) for v in found.vifs] == [
        ("web-01", "00:16:3e:00:00:05", "vif5.0", "xenbr0", addresses),
        ("db-01", "00:16:3e:00:00:07", "database", "", ()),
        ("xensor", "00:16:3e:00:00:09", "vif9.0", "", ()),
    ]  # fmt: skip
    assert found.host == socket.gethostname()
    assert parse((tmp_path / "guests.json").read_text()) == found


def test_nothing_is_written_or_read_again_while_nothing_changes(store, sensor, tmp_path):
    store.guest(5, "web-01")
    publish(tmp_path)
    assert sensor.read() is not None
    written = store.count("write")
    publish(tmp_path)
    assert store.count("write") == written
    sensor.asked.clear()
    assert sensor.read() is None
    assert sensor.asked == ["data/ids/guests"]
    store.guest(6, "web-02")
    publish(tmp_path)
    assert [guest.name for guest in parse(sensor.read()).guests] == ["web-01", "web-02"]


def test_hundreds_of_guests_come_in_parts(store, sensor, tmp_path):
    for domid in range(1, 301):
        store.guest(domid, f"a-guest-with-a-rather-long-name-{domid}", ip="10.0.0.1", bridge="xenbr0")
    publish(tmp_path)
    found = parse(sensor.read())
    assert len(found.guests) == len(found.vifs) == 300
    assert len(set(sensor.asked)) > 10
    for path in sensor.asked:
        value = store.get(f"local/domain/9/{path}")
        assert len(value) + len(path) + len("/local/domain/32751/") <= xenstore.PAYLOAD


def test_an_inventory_that_is_being_written_is_read_again(store, sensor, tmp_path):
    for domid in range(1, 101):
        store.guest(domid, f"guest-{domid}")
    publish(tmp_path)
    source = sensor.source
    while "data/ids/guests/1" not in sensor.asked:
        assert source.poll() is None
        sensor.answer()
    store.guest(101, "late")
    publish(tmp_path)
    assert sensor.read() is None  # what was under way is given up
    assert len(parse(sensor.read()).guests) == 101


def test_the_host_is_a_guest_by_the_addresses_of_its_bridges(tmp_path, monkeypatch):
    for name, mac in (("xenbr0", "FE:FF:FF:FF:FF:01\n"), ("xenbr1", "nonsense")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "address").write_text(mac)
    monkeypatch.setattr(guests, "interface", lambda name: tmp_path / name)
    assert guests.host_itself(["xenbr0", "xenbr1", "xenbr2"]) == [
        {"name": "Domain-0", "domid": 0, "vifs": [{"mac": "fe:ff:ff:ff:ff:01", "name": "xenbr0", "bridge": "xenbr0"}]}
    ]
    assert guests.host_itself(["xenbr1"]) == []


def test_a_guest_that_goes_while_it_is_looked_at_costs_no_other(store, tmp_path):
    store.guest(5, "web-01")
    store.guest(6, "gone")
    store.drop("/local/domain/6/name")
    assert [guest["name"] for guest in guests.guests()] == ["web-01"]


def test_a_guest_too_long_for_one_value_loses_its_addresses_first():
    cards = [{"mac": f"00:16:3e:00:00:{n:02x}", "name": f"vif1.{n}", "addresses": ["fd00::1"] * 64} for n in range(16)]
    made = guests.values([{"name": "big", "uuid": "", "domid": 1, "vifs": cards}], "host")
    assert max(len(value) for value in made.values()) <= xenstore.PAYLOAD - 128
    (guest,) = json.loads(made["guests/0"])["guests"]
    assert [card["mac"] for card in guest["vifs"]] == [card["mac"] for card in cards]


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (b"nonsense", "no JSON"),
        (b"[]", "not one"),
        (b'{"version": 2}', "not of version 1"),
        (b'{"version": 1, "parts": 1000}', "1000 parts"),
        (b'{"version": 1, "parts": "x"}', "x parts"),
        (b'{"version": 1, "parts": 1, "generation": "g"}', "ENOENT"),
    ],
)
def test_what_is_no_inventory_is_told(store, sensor, head, why):
    assert sensor.source.poll() is None
    sensor.answer()
    with pytest.raises(ReportError, match="ENOENT"):
        sensor.read()
    store.put("local/domain/9/data/ids/guests", head.decode())
    with pytest.raises(ReportError, match=why):
        sensor.read()


def test_settings(tmp_path, monkeypatch):
    monkeypatch.setattr("sensor.xen.sources.DEVICE", str(tmp_path / "none"))
    assert open_inventory("no") is open_inventory("auto") is None
    with pytest.raises(ReportError, match="No such file"):
        open_inventory("xenstore")
    path = tmp_path / "guests.json"
    path.write_text("x" * 200_000)
    assert len(open_inventory(str(path)).poll()) == 200_000
    (tmp_path / "none").touch()
    found = open_inventory("auto")
    assert isinstance(found, GuestListSource)
    found.close()
