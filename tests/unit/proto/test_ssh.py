import pytest
from handshakes import CLIENT_LISTS, SERVER_LISTS, TO_CLIENT, TO_SERVER, drive, kexinit, ssh, ssh_packet

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ssh import parse, stream, transaction
from sensor.proto.ssh.fields import SPEC
from sensor.proto.ssh.state import SshParser

CLIENT_STRING = b"curve25519-sha256,dh14;aes-c;mac-c;none,zlib"
SERVER_STRING = b"dh14;a2;m2;c2"


def run(conversation):
    parser = SshParser()
    stages = drive(parser, conversation)
    return parser, stages, stages[-1].tx


def test_stages_and_buffers():
    parser, stages, tx = run(ssh())
    assert [(SPEC.stages[s.stage].name, s.side) for s in stages] == [
        ("server_banner", TO_CLIENT),
        ("client_banner", TO_SERVER),
        ("client_kex", TO_SERVER),
        ("server_kex", TO_CLIENT),
        ("established", TO_CLIENT),
    ]
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.SSH_INVALID_BANNER, TO_CLIENT)]  # the line before the banner
    assert tx.buffer("ssh.proto") == (b"2.0",)
    assert tx.buffer("ssh.software") == (b"PuTTY_0.80",)
    assert tx.buffer("ssh.software@to_client") == (b"OpenSSH_9.6p1",)
    assert tx.buffer("ssh.hassh.string") == (CLIENT_STRING,)
    assert tx.buffer("ssh.hassh.server.string") == (SERVER_STRING,)
    assert tx.buffer("ssh.hassh") == (b"f277563886875017792fac1f9cf691d0",)
    assert tx.banners[TO_CLIENT].comments == b"Debian-1"
    assert tx.buffer("no.such.buffer") == ()


def test_declared_buffers_are_those_that_exist():
    _, _, tx = run(ssh())
    assert [b.name for b in SPEC.buffers if not tx.buffer(b.name)] == []
    assert set(transaction._BUFFERS) == {b.name for b in SPEC.buffers}


def test_eve():
    _, _, tx = run(ssh())
    eve = tx.eve()
    assert eve["client"] == {
        "proto_version": "2.0",
        "software_version": "PuTTY_0.80",
        "hassh": {"hash": "f277563886875017792fac1f9cf691d0", "string": CLIENT_STRING.decode()},
    }
    assert eve["server"]["hassh"]["string"] == SERVER_STRING.decode()


def test_kex_of_the_server_first():
    start = [(TO_SERVER, b"SSH-2.0-a\n"), (TO_CLIENT, b"SSH-2.0-b\n" + kexinit(*SERVER_LISTS))]
    _, stages, _ = run([*start, (TO_SERVER, kexinit(*CLIENT_LISTS))])
    assert [s.stage for s in stages] == [0, 1, 3, 2, 4]


def test_kexinit_in_the_bannerless_direction_of_a_one_way_capture():
    parser, stages, tx = run([(TO_SERVER, b"SSH-2.0-a\r\n" + kexinit(*CLIENT_LISTS) + b"\xff" * 100)])
    assert [s.stage for s in stages] == [0, 2, 4]
    assert set(tx.eve()) == {"client"}
    assert parser.anomalies() == []


@pytest.mark.parametrize("proto", [b"1.5", b"1.3"])
def test_version_1_ends_after_the_banners(proto):
    parser = SshParser()
    parser.feed(TO_CLIENT, b"SSH-" + proto + b"-OldServer\n\0\0\1\x0b", 0)
    assert not parser.done
    parser.feed(TO_SERVER, b"SSH-" + proto + b"-OldClient\n", 0)
    assert parser.done
    assert parser.anomalies() == []


def test_version_1_99_is_version_2():
    parser = SshParser()
    stages = parser.feed(TO_CLIENT, b"SSH-1.99-Cisco-1.25\n" + kexinit(*SERVER_LISTS), 0)
    assert [s.stage for s in stages] == [1, 3]
    assert stages[0].tx.buffer("ssh.software@to_client") == (b"Cisco-1.25",)


@pytest.mark.parametrize(
    ("side", "data", "anomaly"),
    [
        (TO_SERVER, b"GET / HTTP/1.1\r\n", AppAnomaly.SSH_INVALID_BANNER),
        (TO_SERVER, b"SSH-\r\n", AppAnomaly.SSH_INVALID_BANNER),
        (TO_CLIENT, b"SSH-2.0\r\n", AppAnomaly.SSH_INVALID_BANNER),
        (TO_SERVER, b"x" * 300, AppAnomaly.SSH_INVALID_BANNER),
        (TO_CLIENT, b"hi\n" * (stream.MAX_PRELUDE_LINES + 1), AppAnomaly.SSH_INVALID_BANNER),
    ],
)
def test_hopeless(side, data, anomaly):
    parser = SshParser()
    parser.feed(side, data, 0)
    assert parser.done
    assert parser.anomalies() == [(anomaly, side)]


@pytest.mark.parametrize("size", [0, 1])
def test_a_packet_that_has_no_room_for_its_header(size):
    parser = SshParser()
    parser.feed(TO_SERVER, b"SSH-2.0-a\r\n\0\0\0" + bytes([size]) + b"\0\x14", 0)
    assert [what for what, _ in parser.anomalies()] == [AppAnomaly.SSH_INVALID_RECORD, AppAnomaly.SSH_INVALID_KEXINIT]
    assert parser.done


@pytest.mark.parametrize("packets", [b"\xff\xff\xff\xff\0\x14", b"\0\0\0\2\4\x14", ssh_packet(b"\2") * 17])
def test_what_is_no_packet_ends_that_side_only(packets):
    parser = SshParser()
    parser.feed(TO_SERVER, b"SSH-2.0-a\r\n" + packets, 0)
    assert parser.anomalies() == [(AppAnomaly.SSH_INVALID_KEXINIT, TO_SERVER)]
    stages = parser.feed(TO_CLIENT, b"SSH-2.0-b\r\n" + kexinit(*SERVER_LISTS), 0)
    assert [s.stage for s in stages] == [1, 3, 4]
    assert parser.done


def test_malformed_kexinit_ends_that_side_only():
    parser = SshParser()
    parser.feed(TO_SERVER, b"SSH-2.0-a\r\n" + ssh_packet(b"\x14" + b"K" * 16 + b"\xff" * 8), 0)
    assert parser.anomalies() == [(AppAnomaly.SSH_INVALID_KEXINIT, TO_SERVER)]
    assert not parser.done
    parser.feed(TO_CLIENT, b"SSH-2.0-b\r\n" + kexinit(*SERVER_LISTS), 0)
    assert parser.done


@pytest.mark.parametrize(("length", "too_long"), [(254, False), (255, False), (256, True), (2000, True)])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_banner_limit(length, too_long, end):
    """255 bytes without what ends it, as Suricata counts; the name of the software is whole all the same."""
    parser = SshParser()
    line = b"SSH-2.0-" + b"x" * (length - 8)
    stages = parser.feed(TO_SERVER, line + end + kexinit(*CLIENT_LISTS), 0)
    assert [s.stage for s in stages] == [0, 2]
    assert stages[0].tx.buffer("ssh.software") == (line[8:],)
    assert ((AppAnomaly.SSH_BANNER_TOO_LONG, TO_SERVER) in parser.anomalies()) is too_long


def test_a_banner_is_too_long_before_it_ends():
    parser = SshParser()
    assert parser.feed(TO_CLIENT, b"SSH-2.0-" + b"x" * 300, 0) == []
    assert parser.anomalies() == [(AppAnomaly.SSH_BANNER_TOO_LONG, TO_CLIENT)]


def test_endless_line_ends():
    parser = SshParser()
    parser.feed(TO_CLIENT, b"SSH-2.0-" + b"x" * 2 * stream.MAX_PRELUDE, 0)
    assert parser.done


def test_gap():
    parser = SshParser()
    parser.feed(TO_SERVER, b"SSH-2.0-a\r\n" + kexinit(*CLIENT_LISTS), 0)
    assert parser.gap(TO_SERVER, 10, 0) == []  # this side's offer is complete
    assert not parser.done
    assert [s.stage for s in parser.gap(TO_CLIENT, 10, 0)] == [4]
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_CLIENT)]
    assert parser.feed(TO_CLIENT, b"SSH-2.0-b\r\n", 0) == parser.finish(0) == []


def test_nothing_seen_gives_no_transaction():
    assert SshParser().finish(0) == []


def test_banner_forms():
    assert parse.banner(b"SSH-2.0-x y z") == parse.Banner(b"2.0", b"x", b"y z")
    assert parse.banner(b"SSH-2.0-") == parse.Banner(b"2.0", b"", b"")
    assert parse.banner(b"SSH--x") is None
