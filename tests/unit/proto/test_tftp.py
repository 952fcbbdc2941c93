import numpy as np
import pytest

from sensor.proto.ids import TFTP
from sensor.proto.probe import APP_UNKNOWN, probe_datagrams
from sensor.proto.tftp.fields import SPEC

READ = b"\0\1boot/pxelinux.0\0OCTET\0tsize\0000\0"


def one(data):
    parser = SPEC.new_parser()
    return parser.feed(0, data, 0), [event.event for event, _ in parser.anomalies()]


def probe(data, port):
    buf = np.frombuffer(data, np.uint8)
    return probe_datagrams(buf, np.array([0]), np.array([len(data)]), np.array([40000]), np.array([port]))[0]


def test_request():
    ((stage,), odd) = one(READ)
    assert odd == []
    assert stage.tx.buffer("tftp.file") == (b"boot/pxelinux.0",)
    assert stage.tx.buffer("tftp.mode") == (b"octet",)
    assert stage.tx.numbers("tftp.opcode") == (1,)
    assert stage.tx.eve() == {"packet": "read", "file": "boot/pxelinux.0", "mode": "octet"}


@pytest.mark.parametrize(("data", "word"), [(b"\0\3\0\1abc", "data"), (b"\0\4\0\1", "ack"), (b"\0\5\0\1no\0", "error")])
def test_other_packets(data, word):
    ((stage,), _) = one(data)
    assert stage.tx.eve() == {"packet": word}
    assert stage.tx.buffer("tftp.file") == ()


@pytest.mark.parametrize(
    "data", [b"", b"\0\1a", b"\0\7abcd", b"\0\1\0octet\0", b"\0\1name\0octet", b"\1\1name\0octet\0"]
)
def test_malformed(data):
    assert one(data) == ([], ["tftp.malformed"])


@pytest.mark.parametrize(
    ("data", "port", "app"),
    [
        (READ, 69, TFTP),
        (READ, 9999, TFTP),
        (b"\0\2x\0netascii\0", 9999, TFTP),
        (b"\0\2x\0mail\0", 9999, TFTP),
        (b"\0\2x\0maim", 9999, APP_UNKNOWN),
        (b"\0\2\xff\0octet\0", 9999, APP_UNKNOWN),
        (b"\0\1" + b"x" * 2000, 69, TFTP),
        (b"\0\1" + b"x" * 2000, 9999, APP_UNKNOWN),
        (b"\0\3\0\1data", 69, TFTP),
        (b"\0\3\0\1data", 9999, APP_UNKNOWN),
        (b"\0\4\0\1", 69, TFTP),
        (b"\0\7\0\1", 69, APP_UNKNOWN),
    ],
)
def test_detection(data, port, app):
    assert probe(data, port) == app
