"""The table of metrics, its documentation, and what Prometheus gets."""

import re
import urllib.request
from pathlib import Path

import pytest

from sensor.errors import UsageError
from sensor.metrics.http import MetricsServer, parse_address
from sensor.metrics.names import BY_NAME, COUNTER, METRICS, document

DOCS = Path(__file__).resolve().parents[3] / "docs/metrics.md"


def test_documentation_is_current():
    assert DOCS.read_text() == document(), "run: python -m sensor.metrics.names > docs/metrics.md"


def test_names_follow_the_conventions():
    assert len(BY_NAME) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"xensor_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind == COUNTER)
        assert metric.help.endswith(".")
        assert all(re.fullmatch(r"[a-z]+", label) for label in metric.labels)


def scrape(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.read().decode().splitlines()


def test_a_snapshot_is_served():
    latest = [{"xensor_alerts_total": {("1",): 3, ("2",): 4}, "xensor_flows_active": {(): 5}}]
    server = MetricsServer("127.0.0.1:0", lambda: latest[0])
    try:
        lines = scrape(server.port)
        assert 'xensor_alerts_total{severity="1"} 3.0' in lines
        assert 'xensor_alerts_total{severity="2"} 4.0' in lines
        assert "xensor_flows_active 5.0" in lines
        assert "# TYPE xensor_alerts_total counter" in lines
        latest[0] = {"xensor_flows_active": {(): 6}}
        assert "xensor_flows_active 6.0" in scrape(server.port)
    finally:
        server.close()


def test_an_address_that_is_taken():
    server = MetricsServer("127.0.0.1:0", dict)
    try:
        with pytest.raises(UsageError, match="in use"):
            MetricsServer(f"127.0.0.1:{server.port}", dict)
    finally:
        server.close()


def test_ipv6_and_other_paths():
    server = MetricsServer("[::1]:0", dict)
    try:
        with urllib.request.urlopen(f"http://[::1]:{server.port}/metrics") as answer:
            assert answer.status == 200
    finally:
        server.close()


def test_addresses():
    assert parse_address("0.0.0.0:9177") == ("0.0.0.0", 9177)  # noqa: S104 - text
    assert parse_address("[::1]:9177") == ("::1", 9177)
    assert parse_address("9177") == ("127.0.0.1", 9177)
    for wrong in ("", "host", "host:", "host:99999", "host:-1"):
        with pytest.raises(UsageError):
            parse_address(wrong)
