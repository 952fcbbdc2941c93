"""Faults of the mirror begin once and end once, and losses add up."""

import json

from sensor.engine.live.mirror import GID, HOLD, MirrorWatch, alert

BRIDGE = {
    "bridge": "xenbr0", "ports": 3, "missing": 0, "copied": 100, "failed": 0, "mtu": 1500, "missing_names": [],
    "error": "",
}  # fmt: skip


class Reports:
    """A source that is told what to give."""

    def __init__(self):
        self.text = None

    def give(self, dropped=0, **bridge):
        vif = {"name": "vif9.1", "mtu": 1500, "dropped": dropped}
        whole = {"version": 1, "generation": 1, "time": 0, "repaired": 0, "bridges": [BRIDGE | bridge], "vifs": [vif]}
        self.text = json.dumps(whole)

    def poll(self):
        text, self.text = self.text, None
        return text

    def close(self):
        pass


def watch():
    source = Reports()
    return source, MirrorWatch(source, 60.0, 0.0)


def told(changes):
    return [(change.event, change.begun) for change in changes]


def test_a_standing_fault_is_told_when_it_begins_and_when_it_ends():
    source, found = watch()
    source.give(missing=1, missing_names=["vif2.0"])
    (change,) = found.look(1.0)
    assert str(change) == "mirror.not_copied: guests are not mirrored: xenbr0: 1 of 3 ports (vif2.0)"
    source.give(missing=2, missing_names=["vif1.0", "vif2.0"])
    assert found.look(2.0) == []
    assert found.snapshot(2.0)["xensor_mirror_fault"]["mirror.not_copied",] == 1
    assert found.snapshot(2.0)["xensor_mirror_ports_missing"] == {("xenbr0",): 2}
    source.give()
    assert told(found.look(3.0)) == [("mirror.not_copied", False)]
    assert set(found.snapshot(3.0)["xensor_mirror_fault"].values()) == {0}


def test_ports_are_told_with_their_guests():
    source = Reports()
    found = MirrorWatch(source, 60.0, 0.0)
    found.named = lambda vif: f"{vif} of web-01" if vif == "vif2.0" else vif
    source.give(missing=2, missing_names=["vif2.0", "vif3.0"])
    (change,) = found.look(1.0)
    assert change.text == "guests are not mirrored: xenbr0: 2 of 3 ports (vif2.0 of web-01, vif3.0)"


def test_a_stretch_of_losses_is_one_fault_and_its_frames_add_up():
    source, found = watch()
    source.give(dropped=1000)
    assert found.look(1.0) == []
    source.give(dropped=1010)
    assert told(found.look(10.0)) == [("mirror.frames_lost", True)]
    source.give(dropped=1030)
    assert found.look(20.0) == []
    source.give(dropped=1030)
    assert found.look(30.0) == []
    assert told(found.look(20.0 + HOLD)) == [("mirror.frames_lost", False)]
    assert found.snapshot(90.0)["xensor_mirror_frames_lost_total"] == {("to_sensor",): 30, ("to_hub",): 0}


def test_silence_is_a_fault_and_so_is_nonsense():
    source, found = watch()
    assert found.look(60.0) == []
    source.text = "nonsense"
    (change,) = found.look(61.0)
    assert str(change) == "mirror.report_missing: dom0 has not told about the mirror for 61 s (no JSON)"
    source.give()
    assert told(found.look(62.0)) == [("mirror.report_missing", False)]
    assert found.snapshot(65.0)["xensor_mirror_report_age_seconds"] == {(): 3.0}


def test_the_alert():
    source, found = watch()
    source.give(error="there is no bridge xenbr0")
    (change,) = found.look(1.0)
    event = alert(change, 1_700_000_000 * 10**9)
    assert event.kind == event.fields["event_type"] == "alert"
    assert event.fields["timestamp"].startswith("2023-11-14T22:13:20")
    about = event.fields["alert"]
    assert (about["gid"], about["signature_id"], about["severity"]) == (GID, 5, 1)
    assert about["signature"] == "XENSOR mirror.bridge_error: xenbr0: there is no bridge xenbr0"
