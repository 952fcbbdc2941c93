"""The inventory in the running sensor, and alerts by guest."""

import json
from pathlib import Path

import pytest
from enginekit import load, run

from sensor.engine.counts.guestalerts import GUESTS_MAX, OTHER, GuestAlerts
from sensor.engine.live.guests import GuestWatch
from sensor.xen.directory import Directory
from sensor.xen.inventory import Guest, Inventory, parse
from sensor.xen.report import ReportError

PCAPS = Path(__file__).resolve().parents[3] / "pcaps"


class Texts:
    """A source that is told what to give."""

    def __init__(self):
        self.next = None

    def poll(self):
        found, self.next = self.next, None
        if isinstance(found, Exception):
            raise found
        return found

    def close(self):
        self.next = "closed"


def text(*names):
    return json.dumps({"guests": [{"name": name} for name in names]})


@pytest.fixture
def watch():
    source, log, used = Texts(), [], []
    return GuestWatch(source, log.append, used.append), source, log, used


def test_a_new_inventory_is_used_and_one_that_says_the_same_is_not(watch):
    found, source, log, used = watch
    found.look(1.0, 10)
    assert (used, log) == ([], [])
    source.next = text("a", "b")
    found.look(2.0, 20)
    source.next = text("a", "b")
    found.look(9.0, 90)
    assert [guest.name for guest in used[0].guests] == ["a", "b"]
    assert (len(used), log) == (1, ["2 guests are known"])
    assert found.snapshot(10.0)["xensor_guests_known"] == {(): 2}
    assert found.snapshot(10.0)["xensor_inventory_age_seconds"] == {(): 1.0}


def test_one_that_cannot_be_read_leaves_the_last_and_is_told_once(watch):
    found, source, log, used = watch
    source.next = text("a")
    found.look(1.0, 1)
    for n in range(3):
        source.next = "nonsense"
        found.look(2.0 + n, 2)
    source.next = ReportError("gone")
    found.look(9.0, 9)
    assert log[1:] == [
        "the inventory of guests cannot be read: an inventory must be a mapping",
        "the inventory of guests cannot be read: gone",
    ]
    assert found.snapshot(9.0)["xensor_inventory_errors_total"] == {(): 2}
    assert [guest.name for guest in found.directory.guests] == ["a"]
    assert len(used) == 1


def test_a_vif_is_told_with_its_guest(watch):
    found, source, _, _ = watch
    source.next = json.dumps({"guests": [{"name": "a", "vifs": [{"mac": "00:16:3e:00:00:01", "name": "vif3.0"}]}]})
    found.look(1.0, 1)
    assert (found.named("vif3.0"), found.named("vif4.0")) == ("vif3.0 of a", "vif4.0")


def directory(*names):
    return Directory().renewed(Inventory(tuple(map(Guest, names))), 0)


def test_alerts_by_guest_are_bounded_and_never_go_back():
    counts = GuestAlerts()
    counts.learn(directory("a", "b"))
    counts.count({"a", "b"})
    counts.count({"a"})
    counts.count({"stranger"})
    counts.count(set())
    counts.learn(directory("c"))
    counts.count({"a"})
    assert counts.snapshot()["xensor_alerts_by_guest_total"] == {
        (OTHER,): 2, ("a",): 3, ("b",): 1, ("c",): 0,
    }  # fmt: skip
    for n in range(1000):
        counts.learn(directory(f"g{n}"))
        counts.count({f"g{n}"})
    series = counts.snapshot()["xensor_alerts_by_guest_total"]
    assert len(series) == GUESTS_MAX
    assert sum(series.values()) == 1006


NAMES = {11: "file-01", 12: "file-02", 21: "web-01", 66: "attacker"}
"""Guests of `pcaps/lateral.pcap` by the number that their addresses end with; .13 is left out."""


def test_events_of_a_capture_name_both_ends():
    guests = [{"name": name, "vifs": [{"mac": f"00:16:3e:20:00:{n:02x}"}]} for n, name in NAMES.items()]
    known = Directory().renewed(parse(json.dumps({"guests": guests})), 0)
    done = run(PCAPS / "lateral.pcap", load(PCAPS.parent / "rules"), directory=known)
    for event in done.events:
        ends = {f"{end}_guest": NAMES.get(int(event[f"{end}_ip"].rpartition(".")[2])) for end in ("src", "dest")}
        named = {name: event.get("xen", {}).get(name) for name in ends}
        assert named == ends
    assert {event["event_type"] for event in done.events} >= {"alert", "flow"}
    alerts = done.of("alert")
    counts = done.writer.by_guest.snapshot()["xensor_alerts_by_guest_total"]
    for name in NAMES.values():
        mine = [alert for alert in alerts if name in {alert["xen"].get("src_guest"), alert["xen"].get("dest_guest")}]
        assert counts[name,] == len(mine)
    assert counts["attacker",] > 5
    assert counts["file-01",] < counts["attacker",]
