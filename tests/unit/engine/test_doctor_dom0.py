"""What `xensor doctor` says about dom0's report."""

import json

import pytest

from sensor.engine.doctor import dom0
from sensor.xen.report import ReportError

BRIDGE = {
    "bridge": "xenbr0", "ports": 3, "missing": 0, "copied": 9, "failed": 0, "mtu": 1500, "missing_names": [],
    "error": "",
}  # fmt: skip
VIF = {"name": "vif9.1", "mtu": 1500, "dropped": 0}


class Answers:
    """A source that answers late, as xenstore does."""

    def __init__(self, *answers):
        self._answers = list(answers)

    def poll(self):
        answer = self._answers.pop(0) if self._answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        pass


def report(bridge=None, vif=None):
    whole = {"version": 1, "generation": 1, "time": 1000, "repaired": 0}
    return json.dumps(whole | {"bridges": [BRIDGE | (bridge or {})], "vifs": [VIF | (vif or {})]})


@pytest.mark.parametrize(("answers", "now", "found"), [
    ((None, None, report()), 1010, [("good", "it mirrors all 3 ports of guests, and has lost no frame")]),
    ((report(),), 1100, [("warning", "its report about the mirror is 100 s old")]),
    ((report({"missing": 1, "missing_names": ["vif2.0"]}),), 1010,
     [("error", "guests are not mirrored: xenbr0: 1 of 3 ports (vif2.0)")]),
    ((report(vif={"dropped": 7}),), 1010,
     [("warning", "7 frames were lost on their way to this guest since its vif was made")]),
    (("nonsense",), 1010, [("warning", "its report about the mirror cannot be read: no JSON")]),
    ((ReportError("xenstore: data/ids/mirror: ENOENT"),), 1010,
     [("warning", "its report about the mirror cannot be read: xenstore: data/ids/mirror: ENOENT")]),
])  # fmt: skip
def test_findings(answers, now, found):
    assert [(f.state, f.text) for f in dom0.check(Answers(*answers), 60.0, lambda: now)] == found


def test_a_silent_store_is_not_waited_for_without_end(monkeypatch):
    monkeypatch.setattr(dom0, "_PATIENCE", 0.2)
    (found,) = dom0.check(Answers(), 60.0)
    assert (found.state, found.text) == ("warning", "it does not tell about the mirror")


def guests(*macs):
    return json.dumps({"guests": [{"name": f"g{n}", "vifs": [{"mac": mac}]} for n, mac in enumerate(macs)]})


@pytest.mark.parametrize(("answers", "found"), [
    ((None, guests("00:16:3e:00:00:01", "00:16:3e:00:00:02")), ("good", "2 are known, with 2 vifs")),
    ((guests("00:16:3e:00:00:01", "00:16:3e:00:00:01"),),
     ("warning", "several have the MAC address 00:16:3e:00:00:01: neither of them will be named")),
    ((guests(),), ("warning", "none are known: events name no guests")),
    (("[]",), ("warning", "the inventory cannot be read: an inventory must be a mapping")),
    ((ReportError("gone"),), ("warning", "the inventory cannot be read: gone")),
])  # fmt: skip
def test_the_inventory(answers, found):
    told = dom0.inventory(Answers(*answers))
    assert (told.subject, told.state, told.text) == ("guests", *found)
