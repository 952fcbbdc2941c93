"""Commands to a running sensor."""

import json
import signal

import pytest
from livekit import RULES, Sensor

from sensor.cli.ctl import ask, main

pytestmark = pytest.mark.live

SAY = b"this is a live-needle for you"


@pytest.fixture
def sensor(lab, tmp_path):
    (tmp_path / "rules.yaml").write_text(RULES.read_text())
    options = ("--set", "unix-command.enabled=yes", "--set", f"unix-command.filename={tmp_path}/command.socket")
    with Sensor(lab, tmp_path, *options, rules=tmp_path / "rules.yaml") as made:
        yield made


def tell(sensor, command, **arguments):
    return ask(f"{sensor.folder}/command.socket", command, arguments)


def message(sensor, command, **arguments):
    answer = tell(sensor, command, **arguments)
    assert answer["return"] == "OK", answer
    return answer["message"]


def test_questions(lab, sensor, capsys):
    lab.say(SAY)
    sensor.wait_alerts(1)
    commands = message(sensor, "command-list")
    assert commands["count"] == len(commands["commands"])
    assert {"reload-rules", "dump-counters", "iface-stat", "shutdown"} < set(commands["commands"])
    assert message(sensor, "iface-list") == {"count": 1, "ifaces": ["eth1"]}
    counters = message(sensor, "dump-counters")
    assert counters["detect"]["alert"] == 1
    seen = message(sensor, "iface-stat", iface="eth1")
    assert seen["pkts"] == counters["decoder"]["pkts"] > 0
    assert seen["drop"] == 0
    assert message(sensor, "ruleset-stats") == [{"id": 0, "rules_loaded": 7, "rules_failed": 0, "rules_skipped": 0}]
    assert message(sensor, "ruleset-failed-rules") == []
    assert message(sensor, "conf-get", variable="default-log-dir") == str(sensor.folder)
    assert message(sensor, "memcap-show", config="defrag") == {"value": "33554432"}
    assert [m["name"] for m in message(sensor, "memcap-list")] == ["stream-reassembly", "defrag", "journal"]
    flow = sensor.events()[0]["flow_id"]
    assert message(sensor, "get-flow-stats-by-id", flow_id=flow)["pkts_toserver"] >= 4
    (output,) = message(sensor, "output-stats")
    assert (output["output"], output["lost"], output["failing"]) == ("eve.json", 0, "")
    assert 0 <= message(sensor, "uptime") < 100
    assert main(["-s", f"{sensor.folder}/command.socket", "version"]) == 0
    assert capsys.readouterr().out.endswith(" xensor\n")
    for command, arguments in (
        ("iface-stat", {"iface": "x"}), ("iface-stat", {}), ("conf-get", {"variable": "x"}),
        ("get-flow-stats-by-id", {"flow_id": 1}), ("memcap-show", {"config": "x"}), ("x", {}),
    ):  # fmt: skip
        assert tell(sensor, command, **arguments)["return"] == "NOK", command


def test_rules_are_reloaded_and_nonsense_is_not(lab, sensor):
    rules = sensor.folder / "rules.yaml"
    good = RULES.read_text()
    rules.write_text(good.replace("live-never-said", "new-needle"))
    before = message(sensor, "ruleset-reload-time")[0]["last_reload"]
    assert message(sensor, "reload-rules") == "done"
    assert message(sensor, "ruleset-reload-time")[0]["last_reload"] >= before
    rules.write_text(good + "  - {id: 8, title: broken, protocol: tcp, match: [{content: }]}")
    answer = tell(sensor, "reload-rules")
    assert answer["return"] == "NOK"
    assert "rules" in answer["message"]
    rules.write_text("\n".join(good.splitlines()[:6]) + "\n")
    sensor.signal(signal.SIGUSR2)
    sensor.wait_log("only 1 of 7 rules are left")
    assert message(sensor, "ruleset-stats")[0]["rules_loaded"] == 7
    lab.say(b"this is a new-needle for you")
    sensor.wait_alerts(1)
    assert message(sensor, "reload-rules", force=True) == "done"
    assert message(sensor, "ruleset-stats")[0]["rules_loaded"] == 1
    lab.say(b"this is a new-needle for you")
    lab.say(SAY)
    sensor.wait_alerts(2)
    assert sensor.sids() == [6, 1]


def test_reopen_and_shutdown(lab, sensor):
    lab.say(SAY)
    sensor.wait_alerts(1)
    sensor.eve.rename(sensor.folder / "eve.json.1")
    assert message(sensor, "reopen-log-files") == "done"
    lab.say(SAY)
    sensor.wait_alerts(1)
    assert message(sensor, "shutdown") == "Closing"
    assert sensor.process.wait(20) == 0
    assert not (sensor.folder / "command.socket").exists()
    assert sensor.sids() == [1]
    assert json.loads((sensor.folder / "eve.json.1").read_text().splitlines()[0])["event_type"] == "alert"
