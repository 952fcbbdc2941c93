"""TCP payload that is in no stream: contents are searched in it as in a packet."""

import pytest
from enginekit import difference, rules_of, run, settings_of
from forgekit import Flow

from sensor.flow.limits import FlowLimits
from sensor.rules.load import load_rules
from sensor.rules.ruleset import build

RULES = """
- {id: 1, title: either, protocol: tcp, match: [{content: secret}]}
- {id: 2, title: only streams, protocol: tcp-stream, match: [{content: secret}]}
- {id: 3, title: two contents, protocol: tcp, match: [{payload_or_stream: [{content: secret}, {content: word, distance: 1}]}]}
- {id: 4, title: not this one, protocol: tcp, match: [{payload_or_stream: [{content: secret}, {content: sword, not: true}]}]}
- {id: 5, title: another direction, protocol: tcp, flow: to_client, match: [{content: secret}]}
"""  # noqa: E501 - a rule a line


def alerts(tmp_path, flow, **limits):
    """Return (rule, packet), the same with triage and without, in any blocks."""
    settings = settings_of(flow=FlowLimits(**limits))
    rules, frames = rules_of(RULES, tmp_path), flow.frames()
    outcome = run(frames, rules, types=("alert",), settings=settings)
    for other in ({"triage": False}, {"block": 1}):
        assert not difference(outcome, run(frames, rules, types=("alert",), settings=settings, **other))
    return sorted((event["alert"]["signature_id"], event["pcap_cnt"]) for event in outcome.of("alert"))


def test_a_connection_whose_start_is_missing_has_no_stream(tmp_path):
    flow = Flow().send(0, b"a secret word").send(0, b"the secret ").send(0, b"word")
    assert alerts(tmp_path, flow, midstream=False) == [(1, 1), (1, 3), (3, 1), (4, 1), (4, 3)]


def test_with_a_stream_contents_are_searched_there_only(tmp_path):
    flow = Flow().open().send(0, b"a sec").send(0, b"ret word").send(0, b"?")
    assert alerts(tmp_path, flow, midstream=False) == [(1, 6), (2, 6), (3, 6), (4, 6)]


OTHERS = (
    'alert tcp any any -> any any (msg:"short"; content:"ab"; sid:1;)',
    'alert tcp any any -> any any (msg:"regex"; pcre:"/[0-9]{3}/"; sid:2;)',
    'alert tcp any any -> any any (msg:"not there"; content:!"ab"; sid:3;)',
    'alert tcp-stream any any -> any any (msg:"streams"; content:"secret"; sid:4;)',
    'alert tcp-stream any any -> any 81 (msg:"other port"; content:"secret"; sid:5;)',
    'alert tcp any any -> any any (msg:"only streams"; content:"secret"; flow:only_stream; sid:6;)',
    'alert tcp any any -> any any (msg:"number"; byte_test:1,=,0x61,0; sid:7;)',
)


def test_rules_without_a_literal_that_is_searched_are_judged_there_too(tmp_path):
    (tmp_path / "r.rules").write_text("\n".join(OTHERS))
    rules, settings = build(load_rules([tmp_path / "r.rules"]).rules)[0], settings_of(flow=FlowLimits(midstream=False))
    frames = Flow().send(0, b"ab secret").send(0, b"123").send(1, b"ab").send(0, b"").frames()
    outcome = run(frames, rules, types=("alert",), settings=settings)
    assert not difference(outcome, run(frames, rules, types=("alert",), settings=settings, triage=False))
    found = sorted((event["alert"]["signature_id"], event["pcap_cnt"]) for event in outcome.of("alert"))
    assert found == [(1, 1), (1, 5), (2, 3), (3, 3), (4, 1), (7, 1), (7, 5)]


@pytest.mark.parametrize("midstream", [False, True])
def test_what_stream_rules_ask_of_packets_is_asked_of_the_last_one(tmp_path, midstream):
    text = """
- id: 1
  title: flags
  protocol: tcp-stream
  match: [{payload_or_stream: [{regex: "/[0-9]{3}/"}]}, {tcp.flags: {all: A}}]
- {id: 2, title: size, protocol: tcp-stream, match: [{payload_or_stream: [{content: ab}]}, {payload.size: "<9"}]}
"""
    settings, rules = settings_of(flow=FlowLimits(midstream=midstream)), rules_of(text, tmp_path)
    frames = Flow().send(0, b"ab 123").send(0, b"").frames()
    outcome = run(frames, rules, types=("alert",), settings=settings)
    assert not difference(outcome, run(frames, rules, types=("alert",), settings=settings, triage=False))
    assert sorted(event["alert"]["signature_id"] for event in outcome.of("alert")) == [1, 2]


@pytest.mark.parametrize("depth", [4_000, 0])
def test_behind_the_depth_there_are_packets_only(tmp_path, depth):
    flow = Flow().open().send(0, b"x" * 4_000).send(0, b"a secret word")
    last = len(flow.packets) - 1
    found = alerts(tmp_path, flow, depth=depth)
    assert found == [(n, last) for n in ((1, 3, 4) if depth else (1, 2, 3, 4))]


def test_what_comes_again_is_not_judged_again(tmp_path):
    flow = Flow().open().send(0, b"a secret word").segment(0, 24, b"a secret word", seq=-13)
    assert alerts(tmp_path, flow, midstream=False) == [(1, 4), (2, 4), (3, 4), (4, 4)]
