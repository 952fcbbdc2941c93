from handshakes import drive
from test_probe import APP_UNDECIDED, stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import HTTP, TELNET
from sensor.proto.telnet.state import CONTROL, LINE, STAGE_CLIENT, STAGE_SERVER, TelnetParser

WILL = b"\xff\xfb\x18"
TALK = [
    (1, b"\xff\xfd\x18" + b"\xff\xfd\x20login: "),
    (0, WILL + b"\xff\xfa\x18\0xterm\xff\xf0" + b"jo\xff\xffe\r\0\nrm\0 -rf /\r\n\xff\xf4"),
    (1, b"Password: "),
    (0, b"secret"),
]


def pieces(stages, name):
    return [one for s in stages for one in s.tx.buffer(name)]


def run(talk):
    parser = TelnetParser()
    return parser, drive(parser, talk)


def test_pieces():
    parser, stages = run(TALK)
    assert parser.anomalies() == []
    assert pieces(stages, "frame.telnet.data@to_client") == [b"login: ", b"Password: "]
    assert pieces(stages, "frame.telnet.ctl@to_client") == [b"\xff\xfd\x18", b"\xff\xfd\x20"]
    assert pieces(stages, "frame.telnet.data") == [b"jo\xffe\r\n", b"rm -rf /\r\n", b"secret"]
    assert pieces(stages, "frame.telnet.ctl") == [WILL, b"\xff\xfa\x18\0xterm\xff\xf0", b"\xff\xf4"]
    assert len(pieces(stages, "frame.telnet.pdu")) == 6
    assert [s.tx.id for s in stages] == list(range(len(stages)))
    assert all((s.stage, s.side) in {(STAGE_CLIENT, 0), (STAGE_SERVER, 1)} for s in stages)
    assert stages[0].tx.eve() == {"control": "fffd18"}
    assert stages[2].tx.eve() == {"data": "login: "}


def test_lines_and_control_sequences_are_bounded():
    parser = TelnetParser()
    stages = parser.feed(0, b"x" * 20000, 0)
    assert [len(one) for one in pieces(stages, "frame.telnet.data")] == [LINE] * 4
    stages = parser.feed(0, b"\xff\xfa" + b"y" * 3000, 0)
    assert len(pieces(stages, "frame.telnet.ctl")[0]) == CONTROL


def test_gap_ends_the_line():
    parser = TelnetParser()
    parser.feed(0, b"half", 0)
    assert pieces(parser.gap(0, 5, 0), "frame.telnet.data") == [b"half"]
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, 0)]


def test_a_prompt_on_its_port_is_enough():
    assert stream(b"root\r\n", b"login: ", port=23) == stream(b"", b"\r\nWelcome\r\n", port=23) == TELNET
    assert stream(b"root\r\n", b"login: ") != TELNET
    assert stream(b"", b"login: ", port=23) == APP_UNDECIDED
    assert stream(b"GET / HTTP/1.1\r\n", port=23) == HTTP
