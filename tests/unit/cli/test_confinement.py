"""What a running sensor is left with follows from its settings."""

import ctypes
import errno
from pathlib import Path

import pytest

from sensor.cli.common import cache_dir
from sensor.cli.confinement import confine, connect, listen, writable
from sensor.config.make import make


def settings(**values):
    return make({name.replace("__", ".").replace("_", "-"): value for name, value in values.items()}).settings


def test_without_anything_only_the_cache_is_written():
    found = settings()
    assert set(writable(found, None)) == {cache_dir().parent, Path("/dev/null")}
    assert list(listen(found)) == list(connect(found)) == []


def test_what_is_named_is_left():
    found = settings(
        default_log_dir="/var/log/x", outputs__eve_log__filename="sub/eve.json",
        outputs__pcap_log__filename="/p/a.pcap", unix_command__enabled="yes",
        unix_command__filename="/run/x/c.socket", metrics__address="[::1]:9177",
        security__landlock__directories__write=["/more"], outputs__syslog__enabled="yes",
        outputs__syslog__server="tls://log.example.org", outputs__file_store__dir="/files",
        datasets__directory="/sets",
    )  # fmt: skip
    assert set(map(str, writable(found, "pid"))) == {
        "/var/log/x", "/var/log/x/sub", "/files", "/sets", "/p", "/run/x", str(Path.cwd()), str(cache_dir().parent),
        "/dev/null", "/more",
    }  # fmt: skip
    assert list(listen(found)) == [9177]
    assert set(connect(found)) == {53, 6514}


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setattr("sensor.engine.live.landlock.confine", lambda *_: False)
    monkeypatch.setattr("sensor.engine.live.landlock.missing", lambda: "there is none")
    log = []
    confine(settings(security__landlock__enabled="no"), None, log.append)
    assert log == []
    confine(settings(), None, log.append)
    assert log == ["there is none: going on without"]


@pytest.mark.parametrize(("number", "why"), [
    (errno.ENOSYS, "this kernel has no Landlock"),
    (errno.EOPNOTSUPP, "switched off"),
    (errno.EPERM, "SystemCallFilter"),
])  # fmt: skip
def test_why_there_is_none_is_told(monkeypatch, number, why):
    def refused(*_):
        ctypes.set_errno(number)
        return -1

    monkeypatch.setattr("sensor.engine.live.landlock._call", refused)
    log = []
    confine(settings(), None, log.append)
    assert why in log[0]
    assert log[0].endswith(": going on without")
