"""Examples of rules, and the frames forged for them."""

import dpkt
import pytest

from sensor.config.settings import Settings
from sensor.engine.offline import examples
from sensor.engine.offline.forge import Conversation, checksum
from sensor.rules.load import load_rules
from sensor.rules.ruleset import build

START = 1_700_000_000 * 10**9
V4 = (bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]))
V6 = (bytes(15) + b"\1", bytes(15) + b"\2")


@pytest.mark.parametrize("ends", [V4, V6])
def test_tcp_conversation(ends):
    talk = Conversation(*ends, 40000, 80, START)
    talk.tcp(0, b"x" * 3000)
    packets = [dpkt.ethernet.Ethernet(frame).data for _, frame in talk.frames]
    flags = [p.data.flags for p in packets]
    assert flags[:3] == [2, 18, 16]
    assert flags[-3:] == [17, 17, 16]
    assert b"".join(p.data.data for p in packets) == b"x" * 3000
    assert [ns for ns, _ in talk.frames] == sorted({ns for ns, _ in talk.frames})
    upcoming = {packets[0].src: None, packets[1].src: None}
    for p in packets:
        expected = upcoming[p.src]
        assert expected is None or p.data.seq == expected
        upcoming[p.src] = p.data.seq + len(p.data.data) + bool(p.data.flags & 3)


@pytest.mark.parametrize("ends", [V4, V6])
def test_checksums_are_right(ends):
    talk = Conversation(*ends, 40000, 53, START)
    talk.udp(1, b"odd")
    talk.tcp(1, b"answer")
    for _, frame in talk.frames:
        p = dpkt.ethernet.Ethernet(frame).data
        if p.v == 4:
            assert checksum(frame[14:34]) == 0
        body = bytes(p.data)
        assert checksum(p.src + p.dst + len(body).to_bytes(4, "big") + bytes([0, 0, 0, p.p]) + body) == 0


def test_udp_checksum_of_zero_is_sent_as_ones():
    for n in range(70_000):
        talk = Conversation(*V4, 40000, 53, START)
        talk.udp(0, n.to_bytes(3, "big"))
        if talk.frames[0][1][40:42] == b"\xff\xff":
            return
        assert talk.frames[0][1][40:42] != b"\0\0"
    pytest.fail("no payload has the checksum 0")


def rules(tmp_path, text):
    (tmp_path / "r.yaml").write_text(text)
    found = load_rules([tmp_path / "r.yaml"])
    assert not found.errors, found.errors
    return build(found.rules)[0]


def outcomes(tmp_path, text, **more):
    return list(examples.run(rules(tmp_path, text), tmp_path, Settings(), **more))


RULE = (
    "- id: {id}\n  title: t\n  severity: low\n  protocol: {proto}\n  match: [{{content: {word}}}]\n"
    "  examples:\n{examples}"
)


def rule(number=1, word="abcd", proto="tcp", examples="    - {match: true, payload: abcd}\n"):
    return RULE.format(id=number, word=word, proto=proto, examples=examples)


def test_good_and_bad(tmp_path):
    text = rule(
        examples="    - {match: true, payload: xabcdx}\n    - {match: true, payload: x}\n"
        "    - {match: false, payload: abcd}\n    - {match: true, payload: abcd, count: 2}\n"
    )
    found = outcomes(tmp_path, text)
    assert [o.good for o in found] == [True, False, False, False]
    assert [o.reason for o in found[1:]] == [
        "expected at least 1 alerts, got 0", "expected no alert, got 1", "expected 2 alerts, got 1",
    ]  # fmt: skip


def test_udp_and_answers(tmp_path):
    text = rule(proto="udp", examples="    - {match: true, payload: abcd, side: to_client}\n")
    assert [o.good for o in outcomes(tmp_path, text)] == [True]


def test_rules_run_beside_those_that_set_their_bits(tmp_path):
    text = (
        "- id: 1\n  title: s\n  severity: low\n  no-alert: true\n  protocol: tcp\n"
        "  match: [{content: first}, {flowbits: {set: a.b}}]\n"
        "- id: 2\n  title: r\n  severity: low\n  protocol: tcp\n"
        "  match: [{content: second}, {flowbits: {isset: a.b}}]\n"
        "  examples: [{match: true, payload: first second}, {match: false, payload: second}]\n"
    )
    assert [o.good for o in outcomes(tmp_path, text)] == [True, True]


def test_a_capture_is_replayed_once_for_all_rules(tmp_path, monkeypatch):
    import struct  # noqa: PLC0415 - used here only

    talk = Conversation(*V4, 40000, 80, START)
    talk.tcp(0, b"abcd efgh")
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    for ns, frame in talk.frames:
        data += struct.pack("<IIII", ns // 10**9, ns % 10**9 // 1000, len(frame), len(frame)) + frame
    (tmp_path / "a.pcap").write_bytes(data)
    opened = []
    real = examples.open_source
    monkeypatch.setattr(examples, "open_source", lambda paths: opened.append(paths) or real(paths))
    wanted = "    - {match: true, pcap: a.pcap, count: 1}\n"
    text = rule(1, "abcd", examples=wanted) + rule(2, "efgh", examples=wanted) + rule(3, "ijkl", examples=wanted)
    assert [o.good for o in outcomes(tmp_path, text)] == [True, True, False]
    assert len(opened) == 1


def test_captures_that_cannot_be_read_fail_with_the_reason(tmp_path):
    text = rule(examples="    - {match: false, pcap: none.pcap}\n")
    [outcome] = outcomes(tmp_path, text)
    assert not outcome.good
    assert "No such file" in outcome.reason


def test_selection(tmp_path):
    text = rule(1) + rule(2)
    chosen = [rules(tmp_path, text).get(2)]
    assert [o.rule.sid for o in outcomes(tmp_path, text, selected=chosen)] == [2]
