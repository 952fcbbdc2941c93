"""The machine's clock is set while the sensor runs: its time, and that of packets, moves by hours.

The real clock belongs to the whole machine, so it is the sensor's view of it that is moved: what it asks, and what the
kernel has stamped.
"""

import time

import pytest
from livekit import Sensor

pytestmark = pytest.mark.live

HOUR = 3600

MOVED = """
import os, time, sensor.capture.ring as ring
real, take = time.time_ns, ring.Ring.take
def ahead():
    return {step} * 10**9 if os.path.exists({flag!r}) else 0
def stamped(self, *args):
    block = take(self, *args)
    block.ts += ahead()
    return block
time.time_ns, ring.Ring.take = lambda: real() + ahead(), stamped
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_an_attack_across_a_step_is_found_and_written_at_once(lab, tmp_path, workers, step):
    flag = tmp_path / "set"
    with Sensor(lab, tmp_path, "--workers", str(workers), types="[alert,flow,stats]",
                before=MOVED.format(step=step, flag=str(flag))) as sensor:  # fmt: skip
        with lab.server("g2", 7000) as listening, lab.client("g1", "g2", 7000) as asking:
            answering, _ = listening.accept()
            with answering:
                asking.sendall(b"this is a live-")
                sensor._until(lambda: answering.recv(100), 5, "the first half")
                time.sleep(0.3)  # the sensor has seen it when the clock is set
                flag.touch()
                sensor.wait_log(f"the clock was set {'forward' if step > 0 else 'back'} by 3600.0 s", 5)
                asking.sendall(b"needle for you")
                sensor.wait_alerts(1, 3)
        lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(2, 3)
        last = sensor.stop()
    assert sensor.log.count("the clock was set") == 1
    assert sensor.sids() == [1, 1]
    flows = [event["flow"] for event in sensor.events("flow")]
    assert len(flows) == 2
    assert all(flow["alerted"] for flow in flows)
    assert "timeout" not in {flow["reason"] for flow in flows}
    assert last["flow"]["clock_steps"] == 1
    assert last["decoder"]["pkts"] == last["capture"]["kernel_packets"]
