"""Words to the service manager, heard by a socket in its place."""

import socket

import pytest

from sensor.engine.live.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_words(tmp_path, abstract):
    name = f"@xensor-test-{tmp_path.name}-{id(tmp_path)}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name[1:] if abstract else name)
        notifier = Notifier({"NOTIFY_SOCKET": name})
        notifier.ready("up")
        notifier.alive("5 packets")
        notifier.stopping()
        heard = [manager.recv(4096) for _ in range(3)]
        notifier.close()
    assert heard == [b"READY=1\nSTATUS=up", b"WATCHDOG=1\nSTATUS=5 packets", b"STOPPING=1"]


def test_nobody_listens(tmp_path):
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        notifier = Notifier(environ)
        notifier.ready("up")
        notifier.close()
