"""Alerts as read from files of events."""

import json

import pytest

from sensor.analyst import alerts
from sensor.errors import UsageError

EVENT = {
    "timestamp": "2025-06-15T15:08:10.000943+0000", "event_type": "alert", "pcap_cnt": 442, "src_ip": "10.0.0.1",
    "src_port": 1025, "dest_ip": "fe80:0000:0000:0000:0000:0000:0000:0001", "dest_port": 80, "proto": "TCP",
    "pcap_filename": "x.pcap", "alert": {"gid": 1, "signature_id": 7, "signature": "a word"},
}  # fmt: skip


def read(path, text, wanted=lambda _: True):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    bad = []
    return list(alerts.read(str(path), wanted, bad.append)), bad


def test_fields():
    alert = alerts.alert_of(EVENT)
    assert (alert.sid, alert.message, alert.number, alert.pcap_filename) == (7, "a word", 442, "x.pcap")
    assert (alert.src_port, alert.dest_port, alert.capture_file) == (1025, 80, "")
    assert alert.micros == 1_750_000_090_000_943
    assert alert.addresses == (bytes([10, 0, 0, 1]), bytes.fromhex("fe80" + "00" * 13 + "01"))


@pytest.mark.parametrize("stamp", ["", "yesterday", "2025-06-15T15:08:10.000943"])
def test_times_that_are_none(stamp):
    assert alerts.alert_of(EVENT | {"timestamp": stamp}).micros is None


def test_values_of_other_kinds_are_left_out():
    alert = alerts.alert_of(EVENT | {"src_ip": 7, "src_port": "x", "pcap_cnt": -1, "alert": {"signature": []}})
    assert (alert.src_ip, alert.src_port, alert.number, alert.sid, alert.message) == ("", None, 0, 0, "")
    assert alerts.alert_of(EVENT | {"src_ip": "nowhere"}).addresses == ()


@pytest.mark.parametrize("event", [None, [], 7, {}, {"event_type": "http", "alert": {}}, EVENT | {"alert": "x"}])
def test_what_is_no_alert(event):
    assert alerts.alert_of(event) is None


def test_lines(tmp_path):
    other = {"event_type": "dns", "dns": {"rrname": "alert"}}
    text = "\n".join(map(json.dumps, [EVENT, other, EVENT | {"alert": {"signature_id": 8}}]))
    found, bad = read(tmp_path / "eve.json", text + '\n{"event_type":"alert",\n')
    assert ([alert.sid for alert in found], bad) == ([7, 8], [4])
    found, _ = read(tmp_path / "eve.json", text, lambda alert: alert.sid == 8)
    assert [alert.sid for alert in found] == [8]


def test_bytes_that_are_no_text(tmp_path):
    assert read(tmp_path / "eve.json", b'{"event_type":"alert","alert":{"signature":"\xff"}}\n') == ([], [1])


@pytest.mark.parametrize("name", ["none.json", ".", "a\0b"])
def test_files_that_cannot_be_read(tmp_path, name):
    with pytest.raises(UsageError, match=r": "):
        list(alerts.read(f"{tmp_path}/{name}", lambda _: True, lambda _: None))
