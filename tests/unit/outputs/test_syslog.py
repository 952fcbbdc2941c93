"""Syslog messages, and addresses of receivers."""

import json

import pytest
from test_lines import ALERT

from sensor.model.records import Event
from sensor.outputs.limits_remote import Address, SyslogOptions, parse_address
from sensor.outputs.syslog import SyslogEncoder


def message(event, host="sensor", **options):
    return SyslogEncoder(SyslogOptions(**options), host, 77).encode(event).decode()


def test_an_alert():
    head, _, body = message(Event("alert", ALERT)).partition(" - ")
    assert head == "<172>1 2023-11-14T22:13:20.003000Z sensor xensor 77 alert"
    assert json.loads(body) == ALERT


def test_fast_line():
    text = message(Event("alert", ALERT), content="fast")
    assert text.endswith(" alert - 11/14/2023-22:13:20.003000  [**] [1:7:2] Found it [**] [Classification: Misc] "
                         "[Priority: 3] {TCP} 10.0.0.1:40000 -> 10.0.0.2:80")  # fmt: skip


@pytest.mark.parametrize(("severity", "level"), [(1, 2), (2, 3), (3, 4), (4, 5), (0, 5), (255, 5)])
def test_level_of_an_alert_is_that_of_its_severity(severity, level):
    event = Event("alert", ALERT | {"alert": ALERT["alert"] | {"severity": severity}})
    assert message(event).startswith(f"<{21 * 8 + level}>1 ")
    assert message(event, level="info", facility="daemon").startswith("<30>1 ")


def test_other_events_inform():
    assert message(Event("stats", {"timestamp": ALERT["timestamp"]})).startswith("<174>1 ")


def test_names_are_printable_and_short():
    head = message(Event("stats", {"timestamp": ALERT["timestamp"]}), host="höst name" + "x" * 300, identity="")
    assert head.split()[2] == ("h_st_name" + "x" * 300)[:255]
    assert head.split()[3] == "-"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("udp://10.0.0.1", Address("udp", "10.0.0.1", 514)),
        ("tcp://log.example:1514", Address("tcp", "log.example", 1514)),
        ("tls://[fd00::1]:6514", Address("tls", "fd00::1", 6514)), ("tls://[fd00::1]", Address("tls", "fd00::1", 6514)),
        ("unix:///dev/log", Address("unix", "/dev/log")),
    ],
)  # fmt: skip
def test_addresses(text, want):
    assert parse_address(text) == want
    assert parse_address(str(want)) == want


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1", "http://a", "udp://", "udp://a:0", "udp://a:70000", "tcp://a:b", "unix://x", "udp://:514"]
)
def test_what_is_no_address(text):
    with pytest.raises(ValueError, match="expected"):
        parse_address(text)
