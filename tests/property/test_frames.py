"""Frames of HTTP/1: what the kernel cuts out is what the parser reads, and rules tried on it lose no alert."""

import gzip
from itertools import pairwise

import forgekit
import numpy as np
import pytest
from effort import effort
from enginekit import difference, load, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_prop_http1 import SPICE, conversations

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.frames import ABSENT, ALTERED, BLURRED, CODED, CONTINUED, ODD, OPEN, UNKNOWN
from sensor.model.rows import FLOW
from sensor.model.units import UNIT, UNIT_STREAM
from sensor.proto.http1 import parts as p
from sensor.proto.http1.fields import SPEC
from sensor.proto.http1.framing import HttpFramer, head_of, whole_of
from sensor.proto.http1.state import HttpParser

SLOW = settings(max_examples=effort(60, 12), deadline=None, suppress_health_check=[HealthCheck.too_slow])
SIDES = {buffer.name: SPEC.stages[buffer.stage].side for buffer in SPEC.buffers}

METHODS = [b"GET", b"POST", b"PUT", b"get", b"HEAD", b"OPTIONS"]
TARGETS = [b"/", b"/a.php?id=1", b"/a%41", b"/x//y", b"/a/../b", b"/a#f", b"/%25%41", b"http://h/x", b"*", b"/a b"]
FIELDS = [
    b"Host: example.com", b"Host: 10.0.0.1:8080", b"Host: [::1]:80", b"Host: a b", b"User-Agent: ld", b"User-Agent:x",
    b"User-Agent:  two ", b"Cookie: a=b", b"Cookie: c=d", b"Accept: */*", b"accept: */*", b"Referer: http://r/",
    b"Content-Type: text/html", b"Content-Type: multipart/form-data; boundary=b", b"X-A: 1", b"X-A: 2", b"X-Empty: ",
    b"X-None:", b" folded", b"no colon", b"Bad : x", b"Authorization: Basic eHg=", b"Authorization: CBAuth x",
    b"Upgrade: h2c", b"Server: s", b"Set-Cookie: a", b"Set-Cookie: b", b"Location: /x", b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: gzip, chunked", b"Connection: close", b"X\0Y: z", b"Content-Encoding: gzip",
    b"Content-Length: 4 ", b"Content-Length: 3, 4",
]  # fmt: skip
BODIES = [
    b"", b"FWSx", b"a=b&c=d", b"3\r\nabc\r\n0\r\n\r\n", b"4;x\r\nabcd\r\n0\r\n\r\n", gzip.compress(b"PK" * 9, mtime=0),
]  # fmt: skip


@st.composite
def messages(draw, side):
    """One message, mostly plain: with the length that its body has, unless that is drawn otherwise."""
    if side == TO_SERVER:
        method, target = draw(st.sampled_from(METHODS)), draw(st.sampled_from(TARGETS))
        line = b"%s %s HTTP/1.%d" % (method, target, draw(st.integers(0, 1)))
    else:
        line = b"HTTP/1.1 %s" % draw(st.sampled_from([b"200 OK", b"404", b"204 No", b"304 x", b"100 Go on", b"20 x"]))
    fields = draw(st.lists(st.sampled_from(FIELDS), max_size=6))
    body = draw(st.sampled_from(BODIES))
    if draw(st.integers(0, 5)):
        fields.append(b"Content-Length: %d" % len(body))
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * draw(st.sampled_from([0, 0, 0, 1, 2])) if side == TO_CLIENT else b""
    return interim + b"\r\n".join([line, *fields, b"", body])


@st.composite
def streams(draw, side):
    octets = b"".join(draw(st.lists(messages(side), min_size=1, max_size=3)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(octets)))
        octets = octets[:at] + draw(st.sampled_from([b"", *SPICE])) + octets[at + draw(st.integers(0, 3)) :]
    return octets


def framed(framer, octets, side, pos=0, carried=0):
    """Return what a framer makes of the bytes of one side of flow 0."""
    units, flows = np.zeros(1, UNIT), np.zeros(1, FLOW)
    units["end"], units["fresh"], units["pos"] = len(octets), carried, pos
    units["side"], units["kind"] = side, UNIT_STREAM
    data = np.frombuffer(octets + bytes(8), np.uint8).copy()
    return framer.frame(data, units, np.ones(1, np.bool_), flows)


def parsed(octets, side):
    parser = HttpParser()
    stages = parser.feed(side, octets, 0) + parser.finish(0)
    return list({stage.tx.id: stage.tx for stage in stages}.values()), parser.anomalies()


def part_of(frame, part, octets, text):
    at, to = int(frame["at"][part]), int(frame["to"][part])
    return bytes((text if part in p.FRAMING.text else octets)[at:to])


def assert_alike(frame, tx, octets, text):
    side = int(frame["side"])
    for name, part in p.PARTS_OF.items():
        at = int(frame["at"][part])
        if SIDES[name] != side or at == UNKNOWN:
            continue
        if part in p.FRAMING.without_cookie and frame["at"][p.COOKIE] != ABSENT:
            continue
        found = list(tx.buffer(name))
        if at == ABSENT:
            assert not found or part >= p.BODY, (name, found)
        else:
            want = part_of(frame, part, octets, text)
            want = want.lower() if name == "http.host" else want
            assert found == [want] or (part >= p.BODY and not want), (name, found, want)


def assert_as_parsed(octets, side):
    """Frames are what the parser reads. Return how many buffers of bodies that are coded were compared."""
    compared = 0
    made = framed(HttpFramer(), octets, side)
    if made.refused.size:
        assert not made.frames.size
        return compared
    transactions, anomalies = parsed(octets, side)
    assert len(transactions) == made.frames.size
    for frame, tx in zip(made.frames, transactions, strict=True):
        assert_alike(frame, tx, octets, made.text.tobytes())
        head = head_of(octets[int(frame["first"]) : int(frame["head"])], side)
        for name in [buffer.name for buffer in SPEC.buffers if buffer.stage == p.FRAMING.heads[side]]:
            assert list(head.buffer(name)) == list(tx.buffer(name)), name
        if frame["flags"] & CODED:
            whole = whole_of(octets[int(frame["first"]) : int(frame["last"])], side)
            for name in p.FRAMING.otherwise[CODED][side] if whole is not None else ():
                assert list(whole.buffer(name)) == list(tx.buffer(name)), name
                compared += 1
    told = [what for what, _ in anomalies if what in p.FRAMING.tells]
    flags = int(np.bitwise_or.reduce(made.frames["flags"], initial=0))
    assert not told or flags & (ODD | CODED), told
    assert flags & CODED or p.FRAMING.marked.issuperset(told), told
    return compared


@settings(max_examples=effort(400, 60), deadline=None)
@given(st.data(), st.sampled_from([TO_SERVER, TO_CLIENT]))
def test_a_frame_is_what_the_parser_reads(data, side):
    assert_as_parsed(data.draw(streams(side)), side)


@pytest.mark.parametrize(("field", "body"), [
    (b"Transfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n"),
    (b"Content-Encoding: gzip\r\nContent-Length: %d" % len(BODIES[-1]), BODIES[-1]),
])  # fmt: skip
@pytest.mark.parametrize(("side", "line"), [(TO_SERVER, b"POST / HTTP/1.1"), (TO_CLIENT, b"HTTP/1.1 200 OK")])
def test_a_body_that_is_coded_is_what_the_parser_reads(side, line, field, body):
    """What is drawn above is hardly ever coded and sound."""
    assert assert_as_parsed(b"\r\n".join([line, b"Host: h", field, b"", body]), side)


PLAIN = [
    b"GET /a?b HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: 10.0.0.1:80\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /%41 HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX: 1\r\nX: 2\r\nAuthorization: Basic x\r\n\r\n",
]


def test_what_is_usual_is_framed():
    framer = HttpFramer()
    made = framed(framer, b"".join(PLAIN), TO_SERVER)
    assert not made.refused.size
    assert made.frames["flags"].tolist() == [0, 0, ALTERED | CODED, BLURRED]
    assert framer.follows(0, 0)
    assert part_of(made.frames[1], p.BODY, b"".join(PLAIN), b"") == b"abc"


def test_the_usual_interim_response_is_part_of_none():
    answer, interim = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"HTTP/1.1 100 Continue\r\n\r\n"
    made = framed(HttpFramer(), (interim + answer) * 2, TO_CLIENT)
    assert not made.refused.size
    assert made.frames["first"].tolist() == [len(interim), 2 * len(interim) + len(answer)]
    for octets in (interim, interim * 2 + answer, answer + interim):
        assert framed(HttpFramer(), octets, TO_CLIENT).refused.size


def test_a_body_goes_on_in_the_next_block():
    framer, head = HttpFramer(), b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\n"
    first = framed(framer, head + b"abc", TO_SERVER)
    assert first.frames["flags"].tolist() == [OPEN]
    second = framed(framer, b"bc" + b"defGET / HTTP/1.1\r\nHost: h\r\n\r\n", TO_SERVER, len(head) + 3, 2)
    assert second.frames["flags"].tolist() == [CONTINUED, 0]
    assert second.frames["last"][0] == 5


def test_once_refused_a_flow_is_not_framed_again():
    framer = HttpFramer()
    assert framed(framer, b"GET / HTTP/1.1\r\nHost", TO_SERVER).refused.size
    assert framed(framer, PLAIN[0], TO_SERVER, 20).refused.size
    assert not framer.follows(0, 0)


RULES = [
    'http.user_agent; content:"ld"; depth:2; endswith;',
    'http.host; content:".com"; endswith;',
    'http.host; content:"10.0"; startswith; flowbits:set,numeric; noalert;',
    'flowbits:isset,numeric; http.uri; content:".php"; endswith; http.method; content:"GET";',
    'flowbits:isset,numeric; http.uri; content:"/a";',
    'http.method; content:"PUT";',
    'http.header_names; content:!"Accept"; content:"User-Agent"; nocase;',
    'http.header; content:"User-Agent|3a 20|ld"; content:!"Referer";',
    'http.header; content:"|0d 0a|Accept|3a 20|*/*"; http.uri; content:"id=1";',
    'http.header.raw; content:"Host|3a 20|example.com|0d 0a|";',
    'http.uri; content:"/bin/sh";',
    'http.uri; bsize:1; content:"/";',
    'http.uri; content:"/aA"; pcre:"/^.aA$/";',
    'http.request_body; content:"FWS"; startswith;',
    'http.request_body; content:"a=b";',
    'http.method; content:"POST"; http.request_body; content:"c="; content:"d"; distance:0;',
    'http.cookie; content:"a=b"; http.uri; content:!"php";',
    'http.start; content:"HTTP/1.1|0d 0a|Host|3a 20|example.com|0d 0a|";',
    'http.uri; content:"x"; nocase; content:"payload in any place";',
    'content:"example.com"; http.method; content:"GET";',
    'http.request_line; content:"GET / HTTP/1.1";',
    "http.content_len; byte_test:0,=,4,0,string,dec;",
    'file.data; content:"PKPK";',
    'http.referer; content:"http|3a 2f 2f|r"; http.connection; content:"close";',
    r'http.uri; pcre:"/^\/a\.php\?id=\d$/";',
    r'http.uri; content:"/A"; nocase; pcre:"/^\.php\?id=\d+$/R";',
    r'http.uri; content:"a"; pcre:"/^A$/R"; http.method; content:"GET";',
    r'http.host; content:"e"; pcre:"/^(?:EXAMPLE|10)\.[a-z0-9.]+$/i";',
    r'http.header; content:"User-Agent|3a 20|"; pcre:"/^ld\r\n(?:Acc|Ref)/R";',
    r'http.header; content:"Referer|3a|"; pcre:"/^Accept\x3a\x20\*\/\*\r?$/m";',
    'http.header; content:"ld|0d 0a|Accept|3a 20|";',
    'http.header.raw; content:"|0d 0a|"; content:!"X-A"; pcre:"/^Cookie\\x3a[^=]+=(.)\\r\\nCookie/m";',
]
BITS = [
    'http.uri; content:"/a"; flowbits:isset,put|late; flowbits:set,chained;',
    'http.method; content:"PUT"; flowbits:set,put;',
    'http.method; content:"GET"; flowbits:isset,chained;',
    'http.method; content:"GET"; flowbits:isset,by.packet;',
    'http.method; content:"POST"; flowbits:isset,nobody;',
]
"""Who needs flowbits, and who sets them."""
ANSWERS = [
    'http.stat_code; content:"404";',
    'http.stat_code; content:"200"; file.data; content:"FWS"; within:3;',
    'file.data; content:"PKPK";',
    'file.data; content:"$$$$";',
    'http.server; bsize:1; content:"s"; http.header; content:"Location|3a 20|/x";',
    'http.response_body; content:"abc"; startswith; http.content_type; content:"html";',
    'http.cookie; content:"a"; depth:1;',
    'http.location; content:"/x"; http.stat_msg; content:"OK"; flowbits:set,late;',
    'http.stat_code; content:"200"; file.data; content:"PK"; depth:2;',
    'http.stat_code; content:"200"; file.data; content:"PK"; offset:17;',
    r'http.stat_code; pcre:"/^4\d\d$/";',
]
OTHERS = [
    'alert tcp any any -> any any (msg:"p"; dsize:<60; content:"HTTP/1."; sid:900;)',
    'alert http any any -> any any (msg:"e"; app-layer-event:http.request_auth_unrecognized; sid:901;)',
    'alert http any any -> any any (msg:"h"; app-layer-event:http.missing_host_header; sid:902;)',
    'alert http any any -> any any (app-layer-event:http.missing_host_header; http.uri; content:"php"; sid:903;)',
    'alert tcp any any -> any any (msg:"b"; dsize:>70; content:"HTTP/1."; flowbits:set,by.packet; sid:904;)',
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    lines = [
        f'alert http any any -> any any (msg:"r"; flow:established,{side}; {body} sid:{sid};)'
        for first, side, bodies in ((100, "to_server", RULES), (150, "to_server", BITS), (200, "to_client", ANSWERS))
        for sid, body in enumerate(bodies, first)
    ]
    folder = tmp_path_factory.mktemp("frames")
    out = {}
    for name, members in {"quiet": lines, "all": lines + OTHERS}.items():
        path = folder / f"{name}.rules"
        path.write_text("\n".join(members))
        out[name] = load(path)
    return out


@st.composite
def talks(draw):
    if draw(st.booleans()):
        return draw(conversations())
    turns = []
    for _ in range(draw(st.integers(1, 3))):
        turns += [(TO_SERVER, draw(streams(TO_SERVER))), (TO_CLIENT, draw(streams(TO_CLIENT)))]
    return turns


def frames_of(turns, cuts):
    flow = forgekit.Flow(dport=80)
    flow.open()
    for side, octets in turns:
        if octets:
            flow.send(side, octets, tuple(sorted(cut for cut in set(cuts) if 0 < cut < len(octets))))
    flow.close()
    return flow.frames()


@SLOW
@given(
    talks(), st.lists(st.integers(1, 120), max_size=3), st.sampled_from(["quiet", "all"]), st.integers(1, 9),
    st.lists(st.integers(3, 24), max_size=2),
)  # fmt: skip
def test_no_alert_is_lost(rules, turns, cuts, which, block, lost):
    frames = [frame for n, frame in enumerate(frames_of(turns, cuts)) if n not in lost]
    wanted = run(frames, rules[which], types=("alert",), triage=False)
    for size in (16_384, block, 1):
        found = run(frames, rules[which], types=("alert",), block=size)
        assert found.pipeline.plan.frames
        assert not (wrong := difference(wanted, found)), f"blocks of {size}\n{wrong}"


def test_the_rules_match_something(rules):
    ways = [b"GET", b"POST", b"PUT"]
    found = set()
    for method in ways:
        for target in (b"/", b"/a.php?id=1", b"/a%41", b"/bin/sh", b"/a.php"):
            for body in (b"FWSx", b"a=b&c=d", b"PKPK"):
                head = (
                    b"%s %s HTTP/1.1\r\nHost: 10.0.0.1\r\nUser-Agent: ld\r\nCookie: a=b\r\nReferer: http://r/\r\n"
                    b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (method, target, len(body))
                )
                reply = b"HTTP/1.1 200 OK\r\nServer: s\r\nLocation: /x\r\nSet-Cookie: a\r\n\r\n" + body
                found |= set(run(frames_of([(0, head + body), (1, reply)], ()), rules["all"], types=("alert",)).sids)
    assert len(found) > 20, sorted(found)


def test_a_flow_that_no_rule_matches_is_not_parsed(rules):
    request = b"GET /q?b HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n"
    turns = [(TO_SERVER, request), (TO_CLIENT, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")]
    done = run(frames_of(turns, ()), rules["quiet"], types=("alert",))
    assert not done.sids
    assert done.pipeline.walk.apps.counters.flows == 0


def test_a_rule_that_needs_a_bit_has_a_flow_parsed_once_another_may_set_it(rules):
    """The bit that a rule on packets may set is not waited for."""
    get = b"%s /b HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\nAccept: */*\r\n\r\n"
    reply = TO_CLIENT, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
    asks, gets, chains = (TO_SERVER, get % b"PATCH"), (TO_SERVER, get % b"GET"), (TO_SERVER, get % b"OPTIONS")
    chains, sets = (TO_SERVER, chains[1].replace(b"/b", b"/a")), (TO_SERVER, get % b"PUT")
    cases = [
        ([asks, chains, chains], [], 0), ([chains, sets], [151], 1), ([sets, chains, asks], [151, 150], 1),
        ([sets, chains, gets], [151, 150, 152], 1), ([gets, sets, chains], [151, 150], 1),
    ]  # fmt: skip
    for requests, sids, parsed in cases:
        done = run(frames_of([turn for one in requests for turn in (one, reply)], ()), rules["quiet"], types=("alert",))
        found = [sid for sid in done.sids if 150 <= sid < 160]
        assert (found, done.pipeline.walk.apps.counters.flows) == (sids, parsed), requests
    turns = [(TO_SERVER, gets[1].replace(b"x\r\n", b"x" * 60 + b"\r\n")), reply]
    assert 153 in run(frames_of(turns, ()), rules["all"], types=("alert",)).sids


def exchange(request, reply, body=b""):
    head = request + (b"Content-Length: %d\r\n\r\n" % len(body) if body else b"\r\n")
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(reply)
    return [(TO_SERVER, head + body), (TO_CLIENT, answer + reply)]


ASKS = b"POST /q?b HTTP/1.1\r\nHost: h\r\nUser-Agent: x\r\nAccept: */*\r\n"


@pytest.mark.parametrize(
    "turns",
    [
        pytest.param(exchange(ASKS, b"hi", b"d c= x"), id="body in the wrong order"),
        pytest.param(exchange(ASKS + b"Authorization: Kerberos x\r\n", b"hi", b"d c= x"), id="odd in its head only"),
        pytest.param(exchange(ASKS.replace(b"POST", b"GET"), b"see example.com"), id="bytes of the other side"),
        pytest.param(exchange(ASKS, bytes(5000), b"x" * 5000) * 12, id="a dozen long bodies"),
    ],
)
def test_what_all_of_a_message_tells_keeps_its_flow_unparsed(rules, turns):
    done = run(frames_of(turns, ()), rules["quiet"], types=("alert",))
    assert not done.sids
    assert done.pipeline.walk.apps.counters.flows == 0


def lossy(turns, lost):
    """Return the frames of turns, in segments of 1,000 bytes, without those that begin at these offsets of a side."""
    flow = forgekit.Flow(dport=80)
    flow.open()
    first = list(flow.seqs)
    for side, octets in turns:
        flow.send(side, octets, mss=1000)
    flow.close()
    gone = {(side, first[side] + offset) for side, offset in lost}
    return [(ts, f) for ts, f in flow.frames() if len(f) == 54 or (f[35] == 80, int.from_bytes(f[38:42])) not in gone]


SENDS = ASKS.replace(b"POST", b"OPTIONS")
TWO = exchange(SENDS, b"x" * 5000, b"y" * 5000) + exchange(SENDS.replace(b"/q?b", b"/bin/sh"), b"z" * 50)


@pytest.mark.parametrize("lost", [[(1, 2000)], [(1, 3000), (1, 2000)], [(0, 1000)], [(0, 2000), (1, 4000)]])
def test_a_loss_within_a_body_does_not_have_its_flow_parsed(rules, lost):
    calm = [(side, octets.replace(b"/bin/sh", b"/bin/no")) for side, octets in TWO]
    done = run(lossy(calm, lost), rules["quiet"], types=("alert",))
    assert (done.sids, done.pipeline.walk.apps.counters.flows) == ([], 0)
    assert run(lossy(TWO, lost), rules["quiet"], types=("alert",)).sids == [110]


@pytest.mark.parametrize("lost", [[(0, 0)], [(1, 0)], [(1, 5000)], [(1, 2000), (1, 5000)]])
def test_a_loss_of_a_head_has_its_flow_parsed(rules, lost):
    assert run(lossy(TWO, lost), rules["quiet"], types=("alert",)).pipeline.walk.apps.counters.flows == 1


@pytest.mark.parametrize("chunked", [False, True])
def test_files_in_forms_are_files_of_their_own(rules, chunked):
    part = b'--b\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n'
    body = part % (b"one", b"nothing") + part % (b"two", b"PKPK") + b"--b--\r\n"
    head = ASKS + b"Content-Type: multipart/form-data; boundary=b\r\n"
    if chunked:
        body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        octets = head + b"Transfer-Encoding: chunked\r\n\r\n" + body
    else:
        octets = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
    assert run(frames_of([(TO_SERVER, octets)], ()), rules["quiet"], types=("alert",)).sids == [122]


def counted(turns, rules, block=16_384):
    return run(frames_of(turns, ()), rules["quiet"], types=("alert",), block=block).pipeline.frame_counters


def test_why_flows_are_parsed_is_counted(rules):
    plain, odd = exchange(ASKS, b"hi"), exchange(ASKS.replace(b"Accept:", b" folded\r\nAccept:"), b"hi")
    wanted = exchange(ASKS.replace(b"POST", b"PUT"), b"hi")
    for turns, matched, not_plain in ((plain, 0, 0), (wanted, 1, 0), (odd, 0, 1), (wanted + odd, 0, 1)):
        counters = counted(turns, rules)
        assert (counters.http_flows_matched, counters.http_flows_not_plain) == (matched, not_plain)
    assert counted(wanted * 3 + odd, rules, block=1).http_flows_matched == 1


def test_what_is_odd_is_parsed_where_somebody_asks_for_it(rules):
    frames = frames_of(exchange(b"GET /q?b HTTP/1.1\r\nUser-Agent: x\r\nAccept: */*\r\n", b"hi"), ())
    asking = (("quiet", ("alert",)), ("all", ("alert",)), ("quiet", ("alert", "anomaly")))
    done = [run(frames, rules[which], types=types) for which, types in asking]
    assert [one.pipeline.walk.apps.counters.flows for one in done] == [0, 1, 1]


def test_rules_may_ask_for_more_of_an_odd_message(tmp_path):
    path = tmp_path / "a.rules"
    line = 'alert http any any -> any any (app-layer-event:http.missing_host_header; http.uri; content:"{}"; sid:{};)'
    other = 'alert http any any -> any any (http.uri; content:"never"; sid:9;)'
    path.write_text("\n".join([*(line.format(word, sid) for sid, word in enumerate(("php", "asp"), 1)), other]))
    turns = exchange(b"GET /a.php HTTP/1.1\r\n", b"hi") + exchange(b"GET /a.asp HTTP/1.1\r\nHost: h\r\n", b"hi")
    for block in (16_384, 1):
        done = run(frames_of(turns, ()), load(path), types=("alert",), block=block)
        assert done.sids == [1]
    other = run(frames_of(exchange(b"GET /a HTTP/1.1\r\n", b"hi"), ()), load(path), types=("alert",))
    assert not other.sids
    assert other.pipeline.walk.apps.counters.flows == 0


def test_many_rules_whose_bytes_may_be_anywhere_have_a_flow_parsed(tmp_path):
    words = [f"word{n:02}" for n in range(40)]
    line = 'alert http any any -> any any (flow:to_server; content:"{}"; http.uri; content:"/never"; sid:{};)'
    path = tmp_path / "a.rules"
    path.write_text("\n".join(line.format(word, sid) for sid, word in enumerate(words, 1)))
    loaded = load(path)

    def parsed_with(count):
        turns = exchange(ASKS, b"hi", " ".join(words[:count]).encode())
        done = run(frames_of(turns, ()), loaded, types=("alert",))
        assert not done.sids
        return done.pipeline.walk.apps.counters.flows

    assert (parsed_with(4), parsed_with(40)) == (0, 1)


LONG = 250_000
LITTLE = b"HTTP/1.1 200 OK\r\nContent-Length: 3004\r\n\r\nPKPK" + bytes(3000)


def long_answer(marks, length=LONG):
    body = bytearray(b"x" * LONG)
    for at in marks:
        body[at : at + 4] = b"PKPK"
    head = b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: %d\r\n" % length if length else b"") + b"\r\n"
    return head + bytes(body)


@SLOW
@given(
    st.lists(st.sampled_from([0, 5000, 102_300, 102_398, 102_400, 200_000, LONG - 4]), max_size=2),
    st.sampled_from([LONG, LONG - 100_000, LONG + 5, 0]),
    st.lists(st.integers(0, LONG), max_size=4),
    st.integers(700, 9000),
    st.sampled_from([("alert",), ("alert", "http", "fileinfo")]),
    st.booleans(),
)
def test_segments_inside_bodies_change_nothing_that_is_seen(rules, marks, length, breaks, step, types, between):
    """Bodies longer than rules see, cut off, going on until the end, with requests that come in between or before."""
    answer, request = long_answer(marks, length), ASKS.replace(b"POST", b"PUT") + b"Content-Length: 4\r\n\r\nFWSx"
    flow = forgekit.Flow(dport=80)
    flow.open()
    flow.send(TO_SERVER, request * 5)
    flow.send(TO_CLIENT, LITTLE * 3, tuple(range(step, 9000, step)))
    places = [0, *sorted(breaks), len(answer)]
    for begin, end in pairwise(places):
        part = answer[begin:end]
        if part:
            flow.send(TO_CLIENT, part, tuple(range(step, len(part), step)))
            if between:
                flow.send(TO_SERVER, request, (30, len(request) - 2))
    flow.close()
    frames = flow.frames()
    wanted = run(frames, rules["quiet"], types=types, triage=False)
    for block in (16_384, 50):
        found = run(frames, rules["quiet"], types=types, block=block)
        assert not (wrong := difference(wanted, found)), f"blocks of {block}\n{wrong}"


def test_what_hides_the_literal_of_a_rule_hides_no_rule_that_another_literal_tells_more_of(tmp_path):
    path = tmp_path / "hidden.rules"
    path.write_text(
        'alert http any any -> any any (msg:"r"; flow:established,to_server; http.uri; content:"/evil.php"; '
        'fast_pattern; http.user_agent; content:"A longer literal"; sid:1;)'
    )
    found = load(path)
    for target, wanted in ((b"/%65vil.php", [1]), (b"/evil.php", [1]), (b"/%66vil.php", [])):
        request = b"GET " + target + b" HTTP/1.1\r\nHost: h\r\nUser-Agent: A longer literal\r\n\r\n"
        frames = frames_of([(TO_SERVER, request)], ())
        assert run(frames, found, types=("alert",), triage=False).sids == wanted
        assert run(frames, found, types=("alert",)).sids == wanted


def test_what_came_before_the_protocol_was_known_is_parsed_too(rules):
    odd = b"\x00GET /a.php?id=1 HTTP/1.1\r\nHost: example.com\r\nUser-Agent: t\r\n\r\n"
    frames = frames_of([(TO_SERVER, odd), (TO_CLIENT, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")], ())
    wanted = run(frames, rules["quiet"], types=("alert",), triage=False)
    assert 101 in wanted.sids
    for size in (16_384, 1):
        assert not difference(wanted, run(frames, rules["quiet"], types=("alert",), block=size))


def test_bodies_that_unpack_to_more_than_there_is_room_for_are_parsed(rules, monkeypatch):
    packed = gzip.compress(b"a" * 50_000 + b"PKPK", mtime=0)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    turns = []
    for n in range(6):
        turns += [(TO_SERVER, b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n), (TO_CLIENT, head + packed)]
    few = run(frames_of(turns, ()), rules["quiet"], types=("alert",))
    monkeypatch.setattr("sensor.engine.framing.frames._MOST_DECODED", 60_000)
    none = run(frames_of(turns, ()), rules["quiet"], types=("alert",))
    assert few.sids.count(202) == 6
    assert not difference(few, none)
    counts = [one.pipeline.frame_counters.http_flows_not_plain for one in (few, none)]
    assert counts == [0, 1]
