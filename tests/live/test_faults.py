"""What operators and machines do to a running sensor under load: what was promised is kept, all else is counted."""

import itertools
import time
from pathlib import Path

import pytest
from livekit import RULES, Sensor
from loadgen import Load, conversations

from sensor.cli.ctl import ask

pytestmark = pytest.mark.live

RATE = 3000
MINUTE = 60
SAY = b"this is a live-needle for you"


def commanded(folder):
    return ("--set", "unix-command.enabled=yes", "--set", f"unix-command.filename={folder}/command.socket")


def tell(folder, command, **arguments):
    return ask(f"{folder}/command.socket", command, arguments)


def packets(folder):
    return tell(folder, "dump-counters")["message"]["decoder"]["pkts"]


def open_files(sensor):
    return sum(1 for _ in Path(f"/proc/{sensor.process.pid}/fd").iterdir())


def balanced(last):
    return last["decoder"]["pkts"] + last["capture"]["kernel_drops"] == last["capture"]["kernel_packets"]


def test_an_interface_comes_and_goes_under_load(own, tmp_path):
    with Sensor(own, tmp_path, *commanded(tmp_path)) as sensor, Load(own, conversations(30, 0), RATE):
        before = open_files(sensor)
        for times in (1, 2):
            seen = packets(tmp_path)
            sensor._until(lambda seen=seen: packets(tmp_path) > seen, 10, "packets of the load")
            own.unplug()
            sensor._until(lambda n=times: sensor.log.count("eth1: disappeared") == n, 10, "the interface to be missed")
            own.plug_monitor()
            sensor._until(lambda n=times: sensor.log.count("eth1: is back") == n, 10, "the interface to be back")
        own.say(SAY)
        sensor.wait_alerts(1)
        assert open_files(sensor) == before
        last = sensor.stop()
    assert sensor.sids() == [1]
    assert balanced(last)
    assert (last["capture"]["interface_losses"], last["capture"]["interface_returns"]) == (2, 2)


@pytest.mark.slow
def test_good_and_bad_rules_are_reloaded_each_second_for_a_minute_and_no_packet_is_lost(lab, tmp_path):
    rules, good = tmp_path / "rules.yaml", RULES.read_text()
    rules.write_text(good)
    broken = good + "  - {id: 8, title: broken, protocol: tcp, match: [{content: }]}"
    texts = itertools.cycle([broken, "rules: [", good])
    with Sensor(lab, tmp_path, *commanded(tmp_path), "--set", "flood.burst=0", rules=rules) as sensor:
        with Load(lab, conversations(30, 3), RATE) as load:
            start = time.monotonic()
            for second, text in zip(range(MINUTE), texts, strict=False):
                rules.write_text(text)
                answer = tell(tmp_path, "reload-rules")
                assert answer["return"] == ("OK" if text == good else "NOK"), answer
                seen = packets(tmp_path)
                sensor._until(lambda seen=seen: packets(tmp_path) > seen, 10, "packets of the load")
                sensor._until(lambda n=second: time.monotonic() >= start + n + 1, 2, "the second to be over")
        lab.say(SAY)
        sensor._until(lambda: sensor.sids()[-1:] == [1], 10, "the alert after the load")
        last = sensor.stop()
    assert balanced(last)
    assert last["capture"]["kernel_drops"] == 0
    assert last["capture"]["kernel_packets"] >= load.sent
    assert last["detect"]["alert"] == len(sensor.sids()) >= 3 * (load.rounds - 1)
    assert sensor.log.count("rules reloaded") == MINUTE // 3
    assert sensor.log.count("reload failed, the rules in force stay") == MINUTE - MINUTE // 3


def test_a_log_folder_that_becomes_read_only_loses_no_alert(lab, public):
    with Sensor(lab, public, "--user", "nobody", "--set", "outputs.eve-log.rotate-size=4kb") as sensor:
        lab.say(SAY)
        sensor.wait_alerts(1)
        public.chmod(0o555)
        said = 1
        while "cannot be rotated" not in sensor.log:
            lab.say(SAY)
            said += 1
            assert said < 40, sensor.log
            sensor.wait_alerts(said)
        public.chmod(0o777)
        sensor._until(lambda: list(public.glob("eve-*.json")), 15, "the file to be rotated after all")
        lab.say(SAY)
        sensor.wait_alerts(1)
        last = sensor.stop()
    everything = [sid for path in sorted(public.glob("eve*.json")) for sid in sensor.sids(eve=path)]
    assert everything == [1] * (said + 1)
    assert last["outputs"]["eve.json"]["lost"] == 0
    assert last["outputs"]["eve.json"]["errors"] == 1


def test_a_flood_that_ends_gets_its_summary_without_another_alert(lab, tmp_path):
    with Sensor(lab, tmp_path, "--set", "flood.burst=1", "--set", "flood.window=2") as sensor:
        for _ in range(3):
            lab.say(SAY)

        def stand_for():
            return sum(alert.get("xen", {}).get("flood_alerts", 1) for alert in sensor.events())

        sensor._until(lambda: stand_for() == 3, 15, "a summary")
        assert any("flood_alerts" in alert.get("xen", {}) for alert in sensor.events())
        sensor.stop()
        assert stand_for() == 3
