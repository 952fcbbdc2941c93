"""Packets that are logged from an alert on; the numbers are those of Suricata 7 for the same packets and rules."""

import base64

import pytest
from enginekit import difference, rules_of, run
from forgekit import Flow, ether, ipv4

from sensor.engine.records import tagging

START = 1_700_000_000 * 10**9
A, B, C = b"\x0a\0\0\1", b"\x0a\0\0\2", b"\x0a\0\0\3"
SYN = "match: [{tcp.flags: S}]"


def udp(src, dst, sport=1000):
    return ether(ipv4(src, dst, 17, sport.to_bytes(2, "big") + b"\0\x35\0\x0c\0\0data"))


def traffic():
    """A connection between A and B (1-3, 5, 6, 8), and datagrams between A and C (4), C and B (7, 9)."""
    talk = [frame for _, frame in Flow().open().send(0, b"hello").send(1, b"hello").frames()]
    others = {4: udp(A, C), 7: udp(C, B), 9: udp(C, B)}
    found = []
    while talk or others.keys() - set(range(1, len(found) + 1)):
        found.append(others.get(len(found) + 1) or talk.pop(0))
    return [(START + n * 10**8, frame) for n, frame in enumerate(found)]


def logged(tmp_path, *rules, frames=None, **more):
    """Return ((alerts), (packets)): numbers of packets; the same with triage and without, in any blocks."""
    lines = "".join(f"- {{id: {n}, title: t, {rule}}}\n" for n, rule in enumerate(rules, 1))
    made, frames = rules_of(lines, tmp_path), frames or traffic()
    outcome = run(frames, made, types=("alert", "packet"), **more)
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(frames, made, types=("alert", "packet"), **other, **more))
    for event in outcome.of("packet"):
        assert base64.b64decode(event["packet"]) == frames[event["pcap_cnt"] - 1][1]
        assert event["packet_info"] == {"linktype": 1}
    return tuple([e["pcap_cnt"] for e in outcome.of(kind)] for kind in ("alert", "packet"))


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("{of: session}", [2, 3, 5, 6, 8, 10]),
        ("{of: session, count: 3}", [2, 3]),
        ("{of: session, count: 1}", []),
        ("{of: session, count: 0}", []),
        ("{of: session, count: 170, unit: bytes}", [2, 3]),
        ("{of: session, count: 0, unit: seconds}", [2, 3, 5, 6, 8, 10]),
        ("{of: host, end: src}", [2, 3, 4, 5, 6, 8, 10]),
        ("{of: host, end: src, count: 4}", [2, 3, 4]),
        ("{of: host, end: dst}", [2, 3, 5, 6, 7, 8, 9, 10]),
    ],
)
def test_what_a_tag_asks_for_is_logged(tmp_path, tag, expected):
    assert logged(tmp_path, f"protocol: tcp, {SYN}, tag: {tag}") == ([1], expected)


@pytest.mark.parametrize(
    ("threshold", "tag", "expected"),
    [
        ("limit, track: by_src, count: 1", "count: 2, unit: seconds", ([1], list(range(2, 13)))),
        ("threshold, track: by_src, count: 4", "count: 3", ([4, 8, 12], [5, 6, 9, 10])),
        ("detection_filter, track: by_src, count: 4", "count: 30", (list(range(5, 13)), list(range(6, 13)))),
    ],
)
def test_a_match_beyond_a_limit_counts_anew_and_one_that_is_not_yet_enough_does_nothing(
    tmp_path, threshold, tag, expected
):
    frames = [(START + n * 4 * 10**8, udp(A, B)) for n in range(12)]
    rule = f"protocol: udp, match: [{{udp.len: 12}}], threshold: {{type: {threshold}, seconds: 60}}"
    assert logged(tmp_path, f"{rule}, tag: {{of: session, {tag}}}", frames=frames) == expected


def test_seconds_are_whole_ones(tmp_path):
    frames = [(START + n * 4 * 10**8, udp(A, B, 1000 + bool(n))) for n in range(12)]
    rule = "protocol: udp, source-port: 1000, tag: {of: host, end: src, count: 2, unit: seconds}"
    assert logged(tmp_path, rule, frames=frames) == ([1], list(range(2, 9)))


def test_a_packet_is_logged_once_behind_its_alerts(tmp_path):
    both = f"protocol: tcp, {SYN}, tag: [{{of: host, end: src, count: 3}}, {{of: host, end: dst, count: 4}}]"
    assert logged(tmp_path, both, "protocol: tcp, match: [{tcp.flags: SA}], tag: {of: session, count: 2}") == (
        [1, 2], [2, 3, 5],
    )  # fmt: skip


def test_a_rule_that_alerts_again_counts_anew_ten_times_at_most(tmp_path):
    frames = [(START + n * 10**6, udp(A, B)) for n in range(20)]
    alerts, packets = logged(tmp_path, "protocol: udp, match: [{udp.len: 12}], tag: {of: session, count: 3}",
                             frames=frames)  # fmt: skip
    assert alerts == list(range(1, 21))
    # The tenth alert counts anew for the last time: its packet and two more are logged. The one that ends the tag
    # comes too late to begin another; the next does.
    assert packets == [*range(2, 13), *range(15, 21)]


def test_a_stream_rule_tags_from_its_packet_on(tmp_path):
    assert logged(tmp_path, "protocol: tcp, match: [{content: hello}], tag: {of: session, count: 2}") == (
        [5, 8], [6, 8, 10],
    )  # fmt: skip


def test_tags_are_capped(tmp_path, monkeypatch):
    monkeypatch.setattr(tagging, "MAX_SUBJECTS", 2)
    frames = [(START + n * 10**6, udp(bytes([10, 0, 1, n % 3]), B)) for n in range(6)]
    rules = rules_of("- {id: 1, title: t, protocol: udp, tag: {of: host, end: src}}\n", tmp_path)
    outcome = run(frames, rules, types=("alert", "packet"))
    assert [e["pcap_cnt"] for e in outcome.of("packet")] == [5, 6]
