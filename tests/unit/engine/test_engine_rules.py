"""What the engine must not get wrong again, one small conversation each."""

import forgekit as forge
import pytest
from enginekit import BLOCK, difference, oracle_variants, rules_of, run, settings_of
from forgekit import ACK, PSH, SYN, Flow, stamp


def cold():
    return oracle_variants()["lazy"]


def one_rule(tmp_path, text):
    return rules_of(f"- {{id: 1, title: t, severity: low, {text}}}\n", tmp_path)


def sids(frames, rules, **options):
    """Return the alerts, the same with triage and without, in any blocks."""
    outcome = run(frames, rules, types=("alert",), **options)
    for other in ({"triage": False}, {"block": 1}, {"block": 3}):
        assert not difference(outcome, run(frames, rules, types=("alert",), **{**options, **other}))
    return outcome.sids


@pytest.mark.parametrize(("word", "hits"), [("tcp", 2), ("udp", 1), ("icmp", 1), ("ip", 4), ("pkthdr", 4), ("arp", 0)])
def test_the_protocol_word_counts(tmp_path, word, hits):
    rules = one_rule(tmp_path, f"protocol: {word}, match: [{{payload.size: 8}}]")
    flows = Flow().open().send(0, b"12345678").send(1, b"12345678"), Flow().datagram(0, b"12345678"), Flow().ping(0)
    assert len(sids([f for flow in flows for f in flow.frames()], rules)) == hits


def test_arp_rules_see_arp_only(tmp_path):
    rules = one_rule(tmp_path, "protocol: arp")
    frames = [forge.arp(1, forge.MACS[0], b"\x0a\0\0\1", b"\x0a\0\0\2"), Flow().ping(0).frames()[0][1]]
    assert sids(stamp(frames), rules) == [1]


def test_rules_on_ip_headers_see_fragments_and_no_payload_of_them(tmp_path):
    whole = Flow(dport=5000).datagram(0, b"a" * 64 + b"needle" + b"b" * 64).packets[0][1]
    frames = stamp([forge.ether(part) for part in forge.fragments(whole, [96])])
    assert sids(frames, one_rule(tmp_path, "protocol: ip, match: [{ip.fragbits: {any: M}}]")) == [1]
    assert sids(frames, one_rule(tmp_path, "protocol: ip, match: [{payload: needle}]")) == [1]


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        ("protocol: udp, match: [{ip.ttl: 64}]", 3),
        ("protocol: udp, match: [{ip.fragoffset: '>0'}]", 1),
        ("protocol: udp, flow: to_server, match: [{ip.ttl: 64}]", 3),
        ("protocol: udp, flow: to_client, match: [{ip.ttl: 64}]", 0),
        ("protocol: udp, destination-port: 5000, match: [{ip.ttl: 64}]", 1),
        ("protocol: udp, destination-port: '!80', match: [{ip.ttl: 64}]", 1),
        ("protocol: udp, match: [{payload.size: 0}]", 2),
        ("protocol: udp, match: [{not: [{payload: needle}]}, {ip.ttl: 64}]", 2),
        ("protocol: udp, match: [{flow.age: '>=0'}]", 1),
        ("protocol: tcp, match: [{ip.ttl: 64}]", 0),
        ("protocol: ip, destination-port: '!80', match: [{ip.ttl: 64}]", 1),
    ],
)
def test_rules_without_ports_are_judged_on_fragments(tmp_path, rule, hits):
    whole = Flow(dport=5000).datagram(0, b"a" * 64 + b"needle" + b"b" * 64).packets[0][1]
    frames = stamp([forge.ether(part) for part in forge.fragments(whole, [96])])
    assert sids(frames, one_rule(tmp_path, rule)) == [1] * hits


def test_overlapping_fragments_raise_the_documented_rule(tmp_path):
    whole = Flow(dport=5000).datagram(0, b"a" * 200).packets[0][1]
    parts = forge.fragments(whole, [64, 128])
    frames = stamp([forge.ether(p) for p in (parts[0], parts[1], parts[1][:-8] + b"evil-new", parts[2])])
    rule = "protocol: pkthdr, match: [{decode.event: decoder.ipv4.frag_overlap_diff_data}]"
    assert sids(frames, one_rule(tmp_path, rule)) == [1]


def test_a_packet_that_only_carries_another_has_no_payload(tmp_path):
    inner = Flow(dport=5000).datagram(0, b"inner-needle").packets[0][1]
    outer = forge.ipv4(b"\xac\x10\0\1", b"\xac\x10\0\2", 4, inner)
    assert sids(stamp([forge.ether(outer)]), one_rule(tmp_path, "protocol: ip, match: [{payload: inner-needle}]")) == [
        1
    ]


def test_damaged_packets_are_searched_for_literals(tmp_path):
    rules = one_rule(tmp_path, "protocol: pkthdr, match: [{payload: ping-needle}]")
    assert sids(Flow().ping(0, data=b"ping-needle").frames(), rules) == [1]


def test_a_syn_says_nothing_of_the_other_sides_stream(tmp_path):
    rules = one_rule(tmp_path, 'protocol: tcp, match: [{stream.size.to_client: ">5"}, {tcp.flags: S}]')
    flow = Flow(seqs=[1, 0x90000000]).open().send(1, b"hello")
    assert sids(flow.frames(), rules) == []


def test_pass_rules_raise_nothing_and_keep_others_from_the_same_event(tmp_path):
    rules = rules_of(
        "- {id: 1, title: all, severity: low, protocol: udp, match: [{payload: word}]}\n"
        "- {id: 2, title: not these, severity: low, action: pass, protocol: udp, match: [{payload: harmless}]}\n",
        tmp_path,
    )
    flow = Flow(dport=5000).datagram(0, b"word").datagram(0, b"harmless word")
    assert sids(flow.frames(), rules) == [1]


@pytest.mark.parametrize("port", [53, 137, 5000])
def test_encoded_names_are_found_on_any_port(tmp_path, port):
    rules = one_rule(tmp_path, "protocol: dns, match: [{dns.query: HIDDENNAME}]")
    message = forge.dns("EIEJEEEEEFEOEOEBENEFCACACACACAAA")
    assert sids(Flow(dport=port).datagram(0, message).frames(), rules) == [1]


def test_encoded_names_are_found_in_streams(tmp_path):
    rules = one_rule(tmp_path, "protocol: dns, match: [{dns.query: HIDDENNAME}]")
    message = forge.dns("EIEJEEEEEFEOEOEBENEFCACACACACAAA")
    stream = Flow(dport=53).open().send(0, len(message).to_bytes(2, "big") + message, cuts=(2, 17, 20, 33))
    assert sids(stream.frames(), rules) == [1]


def test_a_dns_message_in_a_flow_of_another_protocol_is_found(tmp_path):
    rules = one_rule(tmp_path, "protocol: dns, match: [{dns.query: bad.domain}]")
    flow = Flow(sport=53, dport=67).datagram(0, forge.dhcp()).datagram(0, forge.dns("bad.domain"))
    assert sids(flow.frames(), rules) == [1]


@pytest.mark.parametrize("side", [0, 1])
def test_names_cut_by_a_record_header_are_found(tmp_path, side):
    rules = one_rule(
        tmp_path, f"protocol: tls, flow: {('to_server', 'to_client')[side]}, match: [{{tls.alpn: alpn-needle}}]"
    )
    hello, answer = forge.client_hello(alpn=("alpn-needle",)), forge.server_hello("alpn-needle")
    cut = (hello, answer)[side].index(b"alpn-needle") + 4
    messages = [forge.records(m, [cut] if n == side else ()) for n, m in enumerate((hello, answer))]
    flow = Flow(dport=443).open().send(0, messages[0]).send(1, messages[1])
    assert sids(flow.frames(), rules) == [1]


def test_bytes_lost_before_the_protocol_was_known_count_as_a_gap():
    """The request's head is there but for a part; only the answer tells that it is HTTP."""
    flow = (
        Flow().open().send(0, b"GE").lose(0, 4).segment(1).send(0, b"X-Attack: yes\r\n\r\n").send(1, forge.response())
    )
    for block in (1, 2, BLOCK):
        frames = flow.frames()
        assert not difference(
            run(frames, cold(), types=("alert",), block=block),
            run(frames, cold(), types=("alert",), triage=False),
        )


def test_events_before_the_protocol_was_known_do_not_depend_on_blocks():
    banner = b"hello\r\nSSH-2.0-OpenSSH_9.0\r\n"
    flow = Flow(dport=22).open().send(1, banner, cuts=range(len(banner))).send(0, b"SSH-2.0-x\r\n", cuts=(3,)).close()
    whole = run(flow.frames())
    assert whole.of("ssh")
    assert "invalid_banner" in {event["anomaly"]["event"] for event in whole.of("anomaly")}
    for block in (1, 5):
        assert not difference(whole, run(flow.frames(), block=block))


def test_an_alert_shows_the_protocol_as_it_was_known_at_its_packet():
    events = run(Flow().open().send(0, forge.request("/evil/path")).frames(), types=("alert",)).events
    known = {event["alert"]["signature_id"]: event.get("app_proto", "") for event in events}
    assert known[1] == ""
    assert known[60] == "http"


def test_anomalies_of_parsers_are_logged_whatever_else_is():
    flow = Flow().open().send(0, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n").close()
    with_triage, without = (
        run(flow.frames(), cold(), types=("alert", "anomaly"), triage=triage) for triage in (True, False)
    )
    assert with_triage.of("anomaly")
    assert not difference(with_triage, without)


def test_logs_stand_in_packet_order():
    frames = stamp([
        forge.arp(2, forge.MACS[0], b"\x0a\0\0\1", b"\x0a\0\0\2"),
        *(frame for _, frame in Flow(dport=5000).datagram(0, b"needle-six").frames()),
        forge.arp(1, forge.MACS[0], b"\x0a\0\0\1", b"\x0a\0\0\2"),
    ])  # fmt: skip
    kinds = [(event["event_type"], event.get("pcap_cnt")) for event in run(frames).events]
    assert kinds == [("arp", 1), ("alert", 1), ("alert", 2), ("alert", 2), ("arp", 3), ("flow", None)]


def test_the_excerpt_of_a_stream_alert_does_not_depend_on_blocks():
    flow = Flow(dport=9999).open().send(0, b"x" * 500 + b"split-needle", cuts=(100, 300, 505))
    rules = oracle_variants()["single"]
    assert sids(flow.frames(), rules) == [20]


def test_bytes_of_tunnelled_packets_are_counted_alike_in_any_block():
    inner = Flow(dport=5000)
    for _ in range(6):
        inner.datagram(0, b"needle-six")
    frames = stamp([forge.vxlan(frame) for _, frame in inner.frames()])
    assert sids(frames, cold()).count(6) == 6  # the packets inside, not those around them
    assert run(frames, cold(), triage=False).sids.count(6) == 6


def test_the_journal_gives_back_what_no_parser_will_ask_for():
    flows = [Flow(sport=20_000 + k, dport=9999).open().send(0, b"no protocol that is known " * 3) for k in range(50)]
    outcome = run([f for flow in flows for f in flow.frames()], oracle_variants()["single"], types=("alert",), block=64)
    assert outcome.pipeline.journal.counters.pages == 0


def test_a_wide_inspection_window_is_kept_across_blocks(tmp_path):
    rules = one_rule(tmp_path, "protocol: tcp, match: [{content: first-part}, {content: last-part, distance: 0}]")
    flow = Flow(dport=9999).open().send(0, b"first-part" + b"." * 15_000 + b"last-part")
    wide = settings_of(("alert",), run={"inspect_window": 16_000})
    assert sids(flow.frames(), rules, settings=wide) == [1]


def test_the_place_of_a_gap_is_the_packet_that_proved_it():
    flow = Flow(dport=9999).open().send(0, b"before").lose(0, 100).segment(0, PSH | ACK, b"split-needle").segment(1)
    events = [event for event in run(flow.frames()).events if event["event_type"] in {"anomaly", "alert"}]
    gap = next(event for event in events if event.get("anomaly", {}).get("event") == "stream.reassembly_seq_gap")
    alert = next(event for event in events if event.get("alert", {}).get("signature_id") == 20)
    assert gap["src_ip"] == "10.0.0.2"
    assert alert["src_ip"] == "10.0.0.1"
    assert gap["pcap_cnt"] == alert["pcap_cnt"]


def test_ports_may_be_used_again_in_one_block():
    talks = []
    for k in range(4):
        flow = Flow(seqs=[1000 + k * 100_000, 9000 + k * 100_000]).open()
        talks += flow.send(0, forge.request("/evil/path")).send(1, forge.response()).close().frames()
    frames = stamp([frame for _, frame in talks])
    assert sids(frames, cold()).count(60) == 4
    assert len(run(frames).of("flow")) == 4


def test_icmp_answers_keep_type_and_code():
    events = run(Flow().ping(0).ping(1, 0).frames(), types=("alert", "flow")).events
    assert [(e["icmp_type"], e["icmp_code"]) for e in events if e["event_type"] == "alert"] == [(8, 0)]
    assert [(e["icmp_type"], e["icmp_code"]) for e in events if e["event_type"] == "flow"] == [(8, 0)]


@pytest.mark.parametrize(("flow", "state"), [
    (Flow().segment(0, SYN), "new"),
    (Flow().open(), "established"),
    (Flow().open().close(), "closed"),
    (Flow().datagram(0, b"x"), "new"),
    (Flow().datagram(0, b"x").datagram(1, b"y"), "established"),
])  # fmt: skip
def test_a_flow_record_says_in_which_state_the_flow_was(flow, state):
    assert [event["flow"]["state"] for event in run(flow.frames()).of("flow")] == [state]


def test_a_request_without_an_answer_is_logged_when_its_flow_ends():
    flow = Flow().open().send(0, forge.request("/a") + forge.request("/b")).send(1, forge.response()).close()
    outcome = run(flow.frames())
    assert [(event["tx_id"], event["http"]["url"]) for event in outcome.of("http")] == [(0, "/a"), (1, "/b")]
    assert not difference(outcome, run(flow.frames(), block=1))


def test_what_a_parser_finds_odd_raises_rules_about_it(tmp_path):
    frames = Flow(dport=80).open().send(0, b"GET /%2561 HTTP/1.1\r\nHost: a\r\n\r\n").close().frames()
    event = "match: [{app.event: http.double_encoded_uri}]"
    assert sids(frames, one_rule(tmp_path, f"protocol: http, {event}")) == [1, 1]  # seen from either side
    assert sids(frames, one_rule(tmp_path, f"protocol: http, flow: to_server, {event}")) == [1]
    assert sids(frames, one_rule(tmp_path, f"protocol: http, flow: to_client, {event}")) == [1]
    assert sids(frames, one_rule(tmp_path, "protocol: tls, match: [{app.event: http.double_encoded_uri}]")) == []
    both = "match: [{app.event: [http.invalid_chunk, http.double_encoded_uri]}]"
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, {both}")) == [1, 1]


def test_what_is_odd_in_a_connection_raises_rules_about_it(tmp_path):
    frames = Flow().send(0, b"needle").send(0, b"more").send(1, b"answer").frames()
    event = "stream.event: stream.midstream_pickup"
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, match: [{{{event}}}]")) == [1]
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, match: [{{{event}}}, {{content: needle}}]")) == [1]
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, match: [{{{event}}}, {{content: more}}]")) == []
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, flow: to_client, match: [{{{event}}}]")) == []
    assert sids(frames, one_rule(tmp_path, "protocol: tcp, match: [{stream.event: stream.port_reuse}]")) == []
    either = "match: [{stream.event: [stream.port_reuse, stream.midstream_pickup]}]"
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, {either}")) == [1]


def test_lost_bytes_are_an_event_of_the_packet_that_acknowledges_them(tmp_path):
    frames = Flow().open().send(0, b"first").lose(0, 10).send(0, b"later").frames()
    event = "match: [{stream.event: stream.reassembly_gap}]"
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, source-port: 80, {event}")) == [1]
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, flow: to_client, {event}")) == [1]
    assert sids(frames, one_rule(tmp_path, f"protocol: tcp, flow: to_server, {event}")) == []


@pytest.mark.parametrize(("segments", "expected"), [
    ([(0, forge.request("/a")), (1, forge.response()), (0, 10), (0, b"later")], [1]),  # of a known protocol
    ([(0, 10), (0, b"later"), (1, b"reply")], [1]),  # the first ones of a side
    ([(0, b"x" * 40), (1, b"y" * 40), (0, 10), (0, b"later"), (1, 10), (1, b"more")], []),
])  # fmt: skip
def test_lost_bytes_that_suricata_tells_of(tmp_path, segments, expected):
    flow = Flow(dport=8888).open()
    for side, data in segments:
        flow = flow.lose(side, data) if isinstance(data, int) else flow.send(side, data)
    every = one_rule(tmp_path, "protocol: tcp, match: [{stream.event: stream.reassembly_gap}]")
    some = one_rule(tmp_path, "protocol: tcp, match: [{stream.event: stream.reassembly_seq_gap}]")
    assert sids(flow.frames(), some) == expected
    assert sids(flow.frames(), every)


def test_what_a_flow_does_not_speak_is_a_condition_once_it_is_known(tmp_path):
    web = Flow(dport=80).open().send(0, forge.request("/a")).send(1, forge.response()).close().frames()
    other = Flow(dport=80).open().send(0, b"\x00" * 64).send(1, b"\x00" * 64).close().frames()
    not_web = one_rule(tmp_path, "protocol: tcp, match: [{app.protocol: '!=http'}]")
    assert sids(web, not_web) == []
    assert sids(other, not_web)
    assert sids(Flow(dport=80).open().frames(), not_web) == []
    assert sids(web, one_rule(tmp_path, "protocol: tcp, match: [{app.protocol: '!=dns'}]"))


def test_addresses_are_buffers(tmp_path):
    ends = ("0a000002", "0a000001")
    tests = "[{{ip.src: [{{content: '|{}|'}}, {{bsize: 4}}]}}, {{ip.dst: '|{}|'}}, {{payload: reply}}]"
    rule = f"protocol: tcp, match: {tests}"
    frames = Flow().open().send(0, b"ask").send(1, b"reply").frames()
    assert len(sids(frames, one_rule(tmp_path, rule.format(*ends)))) == 1
    assert sids(frames, one_rule(tmp_path, rule.format(*ends[::-1]))) == []


def test_addresses_beside_a_buffer_of_a_protocol(tmp_path):
    rule = "protocol: http, flow: to_server, match: [{http.uri: /page}, {ip.dst: '|0a000002|'}]"
    frames = Flow(dport=80).open().send(0, b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n").frames()
    assert sids(frames, one_rule(tmp_path, rule)) == [1]
    assert sids(frames, one_rule(tmp_path, rule.replace("02|", "03|"))) == []


def test_what_one_rule_adds_another_finds(tmp_path):
    rules = rules_of(
        "- {id: 1, title: new, severity: low, protocol: dns, flow: to_server, match: [{dns.query: [{content: good},"
        " {in_list: {name: seen, type: string, action: set}}]}]}\n"
        "- {id: 2, title: known, severity: low, protocol: tcp, match: [{payload: [{content: good},"
        " {in_list: {name: seen, type: string}}]}]}\n"
        "- {id: 3, title: who, severity: low, protocol: tcp, match: [{tcp.flags: S},"
        " {ip.src: {in_list: {name: hosts, type: ip, action: set}}}]}\n",
        tmp_path,
    )
    question = bytes.fromhex("000101000001000000000000") + b"\x04good\x00\x00\x01\x00\x01"
    asked = Flow(dport=53).datagram(0, question).datagram(0, question).frames()
    later = Flow().open().send(0, b"good").frames()
    assert sids(asked + later, rules) == [1, 3, 2]
    assert sids(later + asked + later, rules) == [3, 1, 2]


_ONE_SIDE = ["detect_protocol_only_one_direction"]
_SESSION = b"\x81\0\0\x44" + (b"\x20" + b"CA" * 16 + b"\0") * 2
"""A request of NetBIOS for a session (RFC 1002 section 4.3.2)."""
_SMB = b"\0\0\0\x2f\xffSMB\x72" + bytes(27) + b"\0\x0c\0\2NT LM 0.12\0"


@pytest.mark.parametrize(
    ("talk", "found"),
    [
        (((0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n")), []),
        (((0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, bytes(99))), _ONE_SIDE),
        (((0, b"SSH-2.0-x\r\n"), (1, bytes(99))), _ONE_SIDE),
        (((0, b"SUBSCRIBE /x HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n")), _ONE_SIDE),
        (((0, b"propfind /x HTTP/1.1\r\n\r\n"), (1, b"http/1.0 200 OK\r\n\r\n")), []),
        (((0, b"\r\nGET /x HTTP/1.1\r\nHost: www\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n")), _ONE_SIDE),
        (((0, b"GET /x HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.2 200 OK\r\n\r\n")), _ONE_SIDE),
        (((0, b"GET /x HTTP/1.1\r\n\r\n"), (1, b"HTTP/1.10 200 OK\r\n\r\n")), []),
        (((0, b"EHLO me\r\n"), (1, b"250 you\r\n")), _ONE_SIDE),
        (((0, _SESSION), (1, b"\x82\0\0\0"), (0, _SMB), (1, _SMB)), _ONE_SIDE),
        (((0, _SESSION), (1, b"\x83\0\0\1\x82")), []),
        (((0, b"\x85\0\0\0"), (0, _SMB), (1, _SMB)), []),
        (((1, b"SSH-2.0-x\r\n"), (0, b"SSH-2.0-y\r\n")), []),
        (((1, b"\x16\3\1\0\5\2\0\0\1\3"), (0, b"\x16\3\1\0\5\1\0\0\1\3")), ["wrong_direction_first_data"]),
        (((0, bytes(99)), (1, bytes(99))), []),
    ],
)
def test_sides_that_do_not_speak_as_they_should(tmp_path, talk, found):
    flow = Flow().open()
    for side, data in talk:
        flow = flow.send(side, data)
    frames = flow.close().frames()
    for name in ("detect_protocol_only_one_direction", "wrong_direction_first_data"):
        rules = one_rule(tmp_path, f"protocol: tcp, match: [{{app.event: applayer.{name}}}]")
        assert sids(frames, rules) == [1] * found.count(name)
        assert sids(frames, rules, triage=False) == [1] * found.count(name)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize(("first", "size", "found"), [
    (b"", 99_000, 0), (b"", 101_000, 1), (b"\x7fZQ34", 101_000, 1), (bytes(99), 101_000, 0),
])  # fmt: skip
def test_much_of_nothing_known_on_one_side(tmp_path, side, first, size, found):
    flow = Flow().open()
    if first:
        flow = flow.send(1 - side, first)
    for part in (45_000, 45_000, *(1000 for _ in range(90_000, size, 1000))):
        flow = flow.send(side, b"\x7f" * part, mss=part)
    frames = flow.close().frames()
    rules = one_rule(tmp_path, "protocol: tcp, match: [{app.event: applayer.proto_detection_skipped}]")
    assert sids(frames, rules) == [1] * found
    assert sids(frames, rules, triage=False) == [1] * found


@pytest.mark.parametrize(("port", "command"), [(21, b"USER bob\r\n"), (25, b"EHLO me\r\n")])
def test_greetings_are_no_protocol(tmp_path, port, command):
    rules = one_rule(tmp_path, "protocol: tcp, match: [{app.event: applayer.detect_protocol_only_one_direction}]")
    for server, found in ((b"220 ready\r\n", [1]), (b"", [])):
        flow = Flow(dport=port).open()
        frames = (flow.send(1, server) if server else flow).send(0, command).close().frames()
        assert sids(frames, rules) == sids(frames, rules, triage=False) == found


GET, BANNER, HELLO = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"


@pytest.mark.parametrize(
    ("client", "server", "alerts"),
    [
        (GET, BANNER, 1),
        (BANNER, GET, 1),
        (HELLO, b"HTTP/1.1 400 Bad Request\r\n\r\n", 1),
        (GET, b"HTTP/1.1 200 OK\r\n\r\n", 0),
        (BANNER, BANNER, 0),
        (GET, b"nothing that is known, and long enough to tell", 0),
        (GET, b"", 0),
    ],
)
def test_sides_that_speak_two_protocols_are_noticed_once(tmp_path, client, server, alerts):
    rules = one_rule(tmp_path, "protocol: ip, match: [{app.event: applayer.protocol_mismatch}]")
    talk = Flow().open()
    for side, data in ((0, client), (1, server), (0, client), (1, server)):
        for part in (data[:4], data[4:]):
            talk = talk.send(side, part) if part else talk
    frames = talk.close().frames()
    assert sids(frames, rules) == [1] * alerts
    outcome = run(frames, rules, types=("anomaly",))
    named = [event["anomaly"]["event"] for event in outcome.of("anomaly")]
    assert named.count("APPLAYER_MISMATCH_PROTOCOL_BOTH_DIRECTIONS") == alerts


def test_what_a_rule_looks_for_in_the_stream_may_have_come_before_what_completes_the_transaction(tmp_path):
    rules = one_rule(
        tmp_path,
        "protocol: http, flow: to_server, match: [{stream: {content: odd-agent}}, {http.request_body: {content: end}}]",
    )
    head = b"POST / HTTP/1.1\r\nHost: a\r\nUser-Agent: odd-agent\r\nContent-Length: 6\r\n\r\n"
    assert sids(Flow(dport=80).open().send(0, head).send(0, b"to").send(0, b"-end").frames(), rules) == [1]
    assert sids(Flow(dport=80).open().send(0, head + b"to-end").frames(), rules) == [1]
    assert sids(Flow(dport=80).open().send(0, head.replace(b"odd", b"old")).send(0, b"to-end").frames(), rules) == []
    far = head + b"x" * 6 + head.replace(b"odd", b"old").replace(b"6", b"9003") + b"y" * 9000
    assert sids(Flow(dport=80).open().send(0, far).send(0, b"end").frames(), rules) == []
