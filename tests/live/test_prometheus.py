"""A real Prometheus scrapes the daemon, by the configuration and with the alerting rules that are shipped."""

import json
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from livekit import ROOT, RULES, Sensor, inside

pytestmark = pytest.mark.live
SHIPPED = ROOT / "deploy" / "prometheus"
SENSOR, SERVER = "127.0.0.1:9179", "127.0.0.1:9190"


class Server:
    """Prometheus in the monitor's namespace, asking each second."""

    def __init__(self, lab, folder):
        self._namespace = lab.monitor
        text = (SHIPPED / "prometheus.yml").read_text().replace("192.0.2.10:9177", SENSOR)
        (folder / "prometheus.yml").write_text(text.replace("interval: 15s", "interval: 1s"))
        shutil.copy(SHIPPED / "xensor.rules.yml", folder)
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["ip", "netns", "exec", lab.monitor, "prometheus", f"--config.file={folder}/prometheus.yml",
                 f"--storage.tsdb.path={folder}/data", f"--web.listen-address={SERVER}"], stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, path, **words):
        url = f"http://{SERVER}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        with inside(self._namespace), urllib.request.urlopen(url, timeout=5) as answer:
            return json.loads(answer.read())["data"]

    def value(self, query):
        """Return the sum of a query's values, None: there are none."""
        found = self.ask("query", query=query)["result"]
        return sum(float(series["value"][1]) for series in found) if found else None

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.ask("alerts")["alerts"] if alert["state"] == "firing"}

    def wait(self, true, seconds=30):
        end = time.monotonic() + seconds
        while True:
            try:
                if true():
                    return
            except OSError:  # it does not listen yet
                pass
            assert time.monotonic() < end, self._log.read_text()[-2000:]
            time.sleep(0.2)

    def close(self):
        self._process.terminate()
        self._process.wait()


@pytest.fixture
def server(lab, tmp_path_factory):
    if shutil.which("prometheus") is None:
        pytest.skip("there is no prometheus: install it")
    made = Server(lab, tmp_path_factory.mktemp("prometheus"))
    yield made
    made.close()


def test_prometheus_agrees_with_the_eve_file_and_fires_on_a_fault(lab, tmp_path, server):
    rules = tmp_path / "rules.yaml"
    rules.write_text(Path(RULES).read_text())
    with Sensor(lab, tmp_path, "--metrics", SENSOR, rules=rules) as sensor:
        server.wait(lambda: server.value("xensor_rules_loaded") == 7)
        assert server.value('up{job="xensor"}') == 1
        assert server.firing() == set()
        for _ in range(3):
            lab.say(b"this is a live-needle for you")
        sensor.wait_alerts(3)
        server.wait(lambda: server.value("xensor_alerts_total") == 3)
        assert server.value('xensor_events_total{type="alert"}') == len(sensor.events()) == 3
        server.wait(lambda: "XensorAlerts" in server.firing())
        rules.write_text("rules: [{id: 1, title: broken, protocol: tcp, match: [{content: }]}]")
        sensor.signal(signal.SIGUSR2)
        server.wait(lambda: "XensorReloadFailed" in server.firing())
        assert server.value("xensor_rules_loaded") == 7
        packets = server.value("xensor_capture_packets_total")
        last = sensor.stop()
        assert last["capture"]["kernel_packets"] >= packets > 20
        server.wait(lambda: server.value('up{job="xensor"}') == 0)
