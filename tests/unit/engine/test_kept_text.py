"""Text that regexes keep for a flow or a packet, from rule to rule and into alerts."""

from enginekit import difference, rules_of, run
from forgekit import Flow, request, response

RULES = """
- {id: 1, title: a, protocol: tcp, flow: to_server, match: [{flowvar: {name: user, content: ob}}, {content: RETR}]}
- {id: 2, title: b, protocol: tcp, flow: to_server, no-alert: true,
   match: [{content: USER}, {regex: '/USER (?P<flow_user>\\w+)/'}]}
- {id: 3, title: c, protocol: tcp, match: [{content: RETR}, {regex: '/RETR (\\S+)/', captures: pkt:file}]}
- {id: 4, title: d, protocol: tcp, match: [{content: RETR}, {pktvar: {name: file, content: etc}}]}
- {id: 5, title: e, protocol: http, no-alert: true,
   match: [{http.uri: {regex: '/^\\/(?P<flow_path>\\w+)/'}}, {flowint: {name: seen, action: +, value: 1}}]}
- {id: 6, title: f, protocol: http, flow: to_client,
   match: [{http.stat_code: "200"}, {flowvar: {name: path, content: login}}]}
"""


def alerts(frames, tmp_path):
    rules = rules_of(RULES, tmp_path)
    outcome = run(frames, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(frames, rules, types=("alert",), **other))
    return [(event["alert"]["signature_id"], event.get("metadata")) for event in outcome.of("alert")]


def test_text_of_a_flow_and_of_a_packet(tmp_path):
    flow = Flow(dport=2121).open().send(0, b"USER bob\r\n").send(1, b"331\r\n").send(0, b"RETR etc\xff/\r\n")
    other = Flow(dport=2121, sport=40009).open().send(0, b"USER eve\r\n").send(0, b"RETR none\r\n")
    kept = {"flowvars": [{"user": "bob"}], "pktvars": [{"file": "etc./"}]}
    assert alerts(flow.frames(), tmp_path) == [(3, kept), (1, kept), (4, kept)]
    assert alerts(other.frames(), tmp_path) == [(3, {"flowvars": [{"user": "eve"}], "pktvars": [{"file": "none"}]})]


def test_text_of_transactions(tmp_path):
    flow = Flow().open().send(0, request("/login")).send(1, response()).send(0, request("/else")).send(1, response())
    assert alerts(flow.frames(), tmp_path) == [(6, {"flowints": {"seen": 1}, "flowvars": [{"path": "login"}]})]


def test_rules_on_packets_read_what_streams_keep_there(tmp_path):
    text = """
- {id: 1, title: a, protocol: tcp, match: [{flowvar: {name: word, content: login}}, {payload.size: ">0"}]}
- {id: 2, title: b, protocol: tcp, no-alert: true, match: [{regex: '/GET \\/(?P<flow_word>\\w+)/'}]}
- {id: 3, title: c, protocol: tcp, match: [{flowvar: {name: path, content: login}}, {payload.size: ">0"}]}
- {id: 4, title: d, protocol: http, no-alert: true, match: [{http.uri: {regex: '/^\\/(?P<flow_path>\\w+)/'}}]}
- {id: 5, title: e, protocol: udp, match: [{pktvar: {name: q, content: ab}}]}
- {id: 6, title: f, protocol: dns, no-alert: true, match: [{dns.query: {regex: '/^(?P<pkt_q>\\w+)/'}}]}
"""
    question = bytes.fromhex("000101000001000000000000") + b"\3abc\0\0\1\0\1"
    flow = Flow().open().send(0, request("/login")).send(1, response())
    frames = [*flow.frames(), *Flow(dport=53, sport=40001).datagram(0, question).frames()]
    rules = rules_of(text, tmp_path)
    outcome = run(frames, rules, types=("alert",))
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(frames, rules, types=("alert",), **other))
    found = [(event["alert"]["signature_id"], event["pcap_cnt"]) for event in outcome.of("alert")]
    request_at, response_at = 4, 6
    assert found == [(1, request_at), (1, response_at), (3, response_at)]
