import pytest
from suricatakit import refused, rule

from sensor.rules.nodes import Any, BufferMatch, ByteTest, HeaderTest


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("3", HeaderTest("nfs.procedure", "=", 3)),
        (">3", HeaderTest("nfs.procedure", ">", 3)),
        ("2<>4", HeaderTest("nfs.procedure", "<>", 1, 5)),
        ("0<>4", HeaderTest("nfs.procedure", "<=", 4, 5)),
    ],
)
def test_procedure(text, node):
    assert rule(f"nfs_procedure:{text};", "alert nfs any any -> any any").body == node


def test_version():
    assert rule("nfs_version:<4;", "alert nfs any any -> any any").body == HeaderTest("nfs.version", "<", 4)


def test_a_range_of_versions_has_its_ends():
    body = rule("nfs.version:2<>3;", "alert nfs any any -> any any").body
    assert body == HeaderTest("nfs.version", "<>", 1, 4)


def calls(shift, *wanted):
    return BufferMatch("payload", tuple(ByteTest(4, "=", value, at + shift) for at, value in wanted))


def test_calls():
    program = ((4, 0), (8, 2), (12, 100000))
    assert rule("rpc:100000,*,*;", "alert udp any any -> any any").body == calls(0, *program)
    assert rule("rpc:100000, 2, 3;").body == calls(4, *program, (16, 2), (20, 3))
    assert rule("rpc:100000;", "alert ip any any -> any any").body == Any((calls(0, *program), calls(4, *program)))


@pytest.mark.parametrize("option", ["rpc:,1", "rpc:1,2,3,4", "rpc:x"])
def test_refused(option):
    assert len(refused(f"{option};")) == 1
