"""Segments that wait behind a gap until the end of the capture: their packets are long gone by then."""

import pytest
from enginekit import difference, rules_of, run
from forgekit import ACK, PSH, Flow

RULES = """
- {id: 1, title: in a packet, protocol: tcp-pkt, match: [{content: a secret}]}
- {id: 2, title: in the stream, protocol: tcp-stream, match: [{content: a secret}]}
"""


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "open"])
def test_their_packets_are_judged_once_and_their_stream_at_its_end(tmp_path, closed):
    flow = Flow().open().segment(0, PSH | ACK, b"a secret word", seq=1000)
    if closed:
        flow.segment(1, ACK)
    rules, frames = rules_of(RULES, tmp_path), flow.frames()
    outcome = run(frames, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}):
        assert not difference(outcome, run(frames, rules, types=("alert",), **other))
    assert sorted((event["alert"]["signature_id"], event.get("pcap_cnt", 0)) for event in outcome.of("alert")) == [
        (1, 4), (2, 0),
    ]  # fmt: skip
