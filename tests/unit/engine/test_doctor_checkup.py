"""What the doctor says about machines and about what came from a mirror."""

import os
from pathlib import Path

import numpy as np
import pytest

from sensor.capture.memory import MemorySource
from sensor.engine.doctor import checkup
from sensor.engine.doctor.listening import Heard, judge, one_way
from sensor.engine.offline.forge import Conversation
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.model.finding import ERROR, GOOD, WARNING, Finding, worst
from sensor.model.rows import FLOW
from sensor.outputs.limits import DiskOptions, KeepOptions
from sensor.rules.ruleset import RuleSet

LITTLE = KeepOptions(max_bytes=1, alert_bytes=1)


def states(findings):
    return [f.state for f in findings]


def test_disk(tmp_path, monkeypatch):
    assert states(checkup.disk(tmp_path / "not/yet", DiskOptions(min_free=1), LITTLE)) == [GOOD]
    (low,) = checkup.disk(tmp_path, DiskOptions(min_free=0), KeepOptions(max_bytes=1 << 49))
    assert (low.state, "what is to be kept" in low.text) == (WARNING, True)
    found = checkup.disk(tmp_path, DiskOptions(min_free=1 << 40), LITTLE)
    assert "less than outputs.disk.min-free" in found[0].text
    (tmp_path / "file").write_text("")
    assert "is not a folder" in checkup.disk(tmp_path / "file/logs", DiskOptions(), LITTLE)[0].text
    monkeypatch.setattr(os, "access", lambda *_: False)
    (denied,) = checkup.disk(tmp_path, DiskOptions(), LITTLE)
    assert (denied.state, "no permission" in denied.text) == (ERROR, True)


def test_clock():
    assert checkup.clock_of(0x40).state == WARNING
    assert checkup.clock_of(0x2001).state == GOOD
    assert checkup.clock().subject == "clock"


def test_memory():
    text = "MemTotal: {} kB\nMemFree: 7 kB\nMemAvailable: {} kB\n"
    assert states(checkup.memory(32 << 20, text.format(500_000, 400_000))) == [GOOD]
    assert states(checkup.memory(256 << 20, text.format(500_000, 400_000))) == [WARNING]
    assert states(checkup.memory(32 << 20, text.format(250_000, 100_000))) == [WARNING, WARNING]
    assert checkup.memory(0)[0].subject == "memory"


@pytest.mark.parametrize(
    ("release", "state"), [("6.1.0-18-amd64", WARNING), ("6.3", GOOD), ("6.18.44-fc-v595", GOOD), ("odd", WARNING)]
)
def test_kernel(release, state):
    assert checkup.kernel(release).state == state


def test_tshark(tmp_path):
    assert states(checkup.programs(str(tmp_path))) == [WARNING]
    (tmp_path / "tshark").write_text("")
    (tmp_path / "tshark").chmod(0o755)
    assert states(checkup.programs(str(tmp_path))) == [GOOD]


def test_an_interface_that_is_not_there():
    (found,) = checkup.interface("xs-none0")
    assert found.state == ERROR
    assert str(found).startswith("xs-none0: there is no such interface (mend: ")


def test_worst():
    good, warning, error = (Finding("x", state, "") for state in (GOOD, WARNING, ERROR))
    assert worst([]) == worst([good]) == GOOD
    assert worst([good, warning]) == WARNING
    assert worst([warning, error, good]) == ERROR


@pytest.mark.parametrize(
    ("heard", "state", "text"),
    [
        (Heard(5), ERROR, "nothing arrived in 5 s"),
        (Heard(5, packets=9), ERROR, "none from guest to guest"),
        (Heard(5, packets=99, unicast=90, flows=3), GOOD, "99 frames in 5 s, 3 TCP connections from both sides"),
        (Heard(5, packets=99, unicast=90, flows=10, one_way=3), WARNING, "3 of 10 TCP connections"),
        (Heard(5, packets=99, unicast=90, flows=10, one_way=2), GOOD, "8 TCP connections"),
        (Heard(5, packets=99, unicast=90, flows=2, one_way=2), GOOD, "99 frames"),
        (Heard(5, packets=100, unicast=90, duplicates=6), WARNING, "6 of 100 frames came twice"),
        (Heard(5, packets=100, unicast=90, duplicates=5), GOOD, "100 frames"),
        (Heard(5, packets=100, unicast=90, truncated=1), WARNING, "1 frames are cut"),
        (Heard(5, packets=100, unicast=90, drops=1), WARNING, "1 frames were dropped"),
        (Heard(5, packets=100, unicast=90, losses=1), WARNING, "went down"),
    ],
)
def test_what_came(heard, state, text):
    (found,) = judge(heard)
    assert (found.state, text in found.text) == (state, True), found


def test_one_way_flows_of_real_packets():
    talk = Conversation(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 40_000, 80, 10**18)
    talk.tcp(0, b"hello")
    half = Conversation(bytes([10, 0, 0, 3]), bytes([10, 0, 0, 4]), 40_000, 80, 10**18)
    half.tcp(0, b"hello")
    from_client = [frame for frame in half.frames if frame[1][26:30] == bytes([10, 0, 0, 3])]
    pipeline = Pipeline(RuleSet(), EngineOptions(), lambda _record: None)
    for block in MemorySource([*talk.frames, *from_client]).blocks():
        pipeline.process(block)
    assert one_way(pipeline.table.flows) == (2, 1)
    assert one_way(np.zeros(4, FLOW)) == (0, 0)


def test_this_machine_s_files_are_where_they_are_looked_for():
    assert Path("/proc/meminfo").exists()
    assert checkup.permission().subject == "permission"


def test_confinement(monkeypatch):
    for version, state in ((6, "good"), (0, "warning")):
        monkeypatch.setattr("sensor.engine.live.landlock.abi", lambda version=version: version)
        assert checkup.confinement().state == state
