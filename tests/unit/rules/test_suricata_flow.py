import msgspec
import pytest
from suricatakit import conditions, matches, refused, rule

from sensor.rules import fields
from sensor.rules.flowwide import once
from sensor.rules.nodes import (
    All,
    Any,
    FlowBits,
    FlowInt,
    FlowVar,
    HeaderTest,
    HostBit,
    Not,
    PacketVar,
    Reputation,
    Tag,
    Threshold,
)


@pytest.mark.parametrize(
    ("words", "established", "direction", "proto"),
    [
        ("established,to_server", True, "to_server", "tcp"),
        ("from_server", None, "to_client", "tcp"),
        ("not_established", False, "", "tcp"),
        ("stateless", None, "", "tcp"),
        ("to_client, only_stream", None, "to_client", "tcp-stream"),
        ("no_stream", None, "", "tcp-pkt"),
    ],
)
def test_flow(words, established, direction, proto):
    made = rule(f'flow:{words}; content:"x";')
    assert (made.established, made.direction, made.proto) == (established, direction, proto)


@pytest.mark.parametrize("options", ["", "stream_size:client,>,1;"])
def test_only_stream_without_anything_to_look_for_never_holds(options):
    assert rule(f"flow:only_stream; {options}").unmatchable
    assert not rule(f'flow:only_stream; content:"b"; {options}').unmatchable
    assert not rule('flow:only_stream; http.uri; content:"b";').unmatchable


def test_no_stream_without_content_is_about_any_packet():
    assert rule("flow:no_stream;").proto == "tcp"
    assert rule('flow:no_stream; content:"x";').proto == "tcp-pkt"


@pytest.mark.parametrize(
    ("head", "options", "expected"),
    [
        ("alert ip 10.0.0.1 any -> any any", "", True),
        ("alert ip 10.0.0.1 any -> any any", "flow:stateless;", False),
        ("alert udp any any -> any any", "flow:no_stream;", False),
        ("alert ip any any -> any any", "sameip;", False),
        ("alert ip !10.0.0.1 any -> any any", "", False),
        ("alert ip [10.0.0.0/8,!10.0.0.1] any -> any any", "", False),
        ("alert tcp any any -> [10.0.0.1,!192.168.0.0/16] any", "", False),
        ("alert ipv4 any any -> any any", "", True),
    ],
)
def test_rules_judged_once_for_each_side_of_a_flow(head, options, expected):
    assert once(rule(options, head)) is expected


def test_rules_on_reputation_are_judged_once_for_each_side():
    for test in (Reputation("src", "Bad", ">", 9), Any((Not(Reputation("src", "Bad", ">", 9)),))):
        made = rule("", "alert ip any any -> any any")
        assert once(msgspec.structs.replace(made, body=All((test,))))
    assert not once(msgspec.structs.replace(made, body=Not(HeaderTest("ip.ttl", "=", 1))))


@pytest.mark.parametrize(
    ("word", "buffer"), [("only_stream", "stream"), ("no_stream", "payload"), ("established", "payload_or_stream")]
)
def test_flow_decides_what_a_content_without_buffer_means(word, buffer):
    (match,) = matches(rule(f'content:"x"; flow:{word};', "alert http any any -> any any"))
    assert match.buffer == buffer


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("flowbits:set,a;", FlowBits("set", ("a",))),
        ("flowbits: isset, a|b ;", FlowBits("isset", ("a", "b"))),
        ("flowbits:isnotset,a.b;", FlowBits("isnotset", ("a.b",))),
        ("flowbits:unset,a;", FlowBits("unset", ("a",))),
        ("flowbits:toggle,a;", FlowBits("toggle", ("a",))),
        ("flowint:n,+,1;", FlowInt("n", "+", 1)),
        ("flowint: n , >= , other;", FlowInt("n", ">=", "other")),
        ("flowint:n,isnotset;", FlowInt("n", "notset")),
        ("flowint:n,notset;", FlowInt("n", "notset")),
        ("flowint:n,isset;", FlowInt("n", "isset")),
        ('flowvar:who,"bob";', FlowVar("who", b"bob")),
        ("flowvar:who,bob;", FlowVar("who", b"bob")),
        ('pktvar:"n", "|41|b" ;', PacketVar("n", b"Ab")),
        ("xbits:set,a,track ip_src,expire 60;", HostBit("set", "a", "by_src", 60)),
        ("xbits:set , a , track ip_pair;", HostBit("set", "a", "by_both", 30)),
        ("xbits:isset,a,track ip_dst;", HostBit("isset", "a", "by_dst", 30)),
        ("xbits:isset,a,track ip_dst,expire 5;", HostBit("isset", "a", "by_dst", 5)),
        ("hostbits:set,a;", HostBit("set", "a", "by_src")),
        ("hostbits:isnotset,a,dst;", HostBit("isnotset", "a", "by_dst")),
    ],
)
def test_variables_of_flows(options, expected):
    assert conditions(options) == [expected]


def test_another_protocol():
    known = fields.BY_NAME["app.protocol"].names
    http, http2 = known["http"], known["http2"]
    failed = tuple(known[name] for name in ("failed", "ldap", "mysql", "pop3", "xen-migration"))
    one, two = (HeaderTest("app.protocol", "!=", number) for number in (http, http2))
    told = HeaderTest("app.told", "=", 1)  # nothing else is asked for
    assert set(conditions("app-layer-protocol:!http;")) == {one, two, told}
    assert set(conditions("app-layer-protocol:!http; dsize:>0;")) >= {one, two}
    assert told not in conditions("app-layer-protocol:!http; dsize:>0;")
    assert conditions("app-layer-protocol:!http1;") == [one, told]
    other = [HeaderTest("app.protocol", "!=", number) for number in failed]
    assert conditions("app-layer-protocol:!failed;") == [*other, told]
    assert conditions("app-layer-protocol:failed;") == [HeaderTest("app.protocol", "in", values=failed), told]


def test_noalert():
    assert rule("flowbits:set,a; flowbits:noalert;").noalert
    assert rule("flowbits:set,a; noalert;").noalert
    assert not rule("flowbits:set,a;").noalert


def test_thresholds():
    made = rule(
        "threshold: type limit, track by_src, count 1, seconds 60; detection_filter:track by_dst,count 5,seconds 2;"
    )
    assert made.thresholds == (Threshold("limit", "by_src", 1, 60), Threshold("detection_filter", "by_dst", 5, 2))


def test_what_stands_behind_the_settings_of_a_threshold_says_nothing():
    limit = "threshold: type limit, count 1, seconds 60, track by_src"
    for behind in (" reference:url,www.example.com/a", ", nonsense"):
        assert rule(f"{limit}{behind};").thresholds == (Threshold("limit", "by_src", 1, 60),)
    assert "repeated" in refused(f"{limit}, count 2;")[0]
    assert "unknown" in refused("threshold: type limit, nonsense, count 1, seconds 60, track by_src;")[0]


def test_seconds_are_seconds():
    for text in ("60", "60s", "60m", "60 h"):
        made = rule(f"threshold: type limit, track by_src, count 0, seconds {text};")
        assert made.thresholds == (Threshold("limit", "by_src", 0, 60),)
    assert "no number" in refused("threshold: type limit, track by_src, seconds 1m, count 1;")[0]
    assert "no number" in refused("detection_filter: track by_src, count 1, seconds 1m;")[0]
    assert "out of range" in refused("detection_filter: track by_src, count 1, seconds 0;")[0]


def test_tags():
    assert rule("tag:session;").tags == (Tag("session", 256, "packets"),)
    assert rule("tag: host, 9, packets, src; tag:host,60,seconds;").tags == (
        Tag("host", 9, "packets", "src"), Tag("host", 60, "seconds", "dst"),
    )  # fmt: skip
    assert rule("tag:session,300,bytes,src;").tags == (Tag("session", 300, "bytes"),)


@pytest.mark.parametrize("value", ["", "flow", "session,3", "session,3,flows", "session,-1,bytes", "host,3,packets,up"])
def test_tags_that_say_nothing_are_refused(value):
    (reason,) = refused(f"tag:{value};")
    assert "tag" in reason


def test_app_layer_protocol():
    assert rule("app-layer-protocol:tls;").proto == "tls"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("flow:sideways;", "unknown word"),
        ("flow:to_server,to_client;", "exclude each other"),
        ("flow:established,not_established;", "exclude each other"),
        ("flow:only_stream,no_stream;", "exclude each other"),
        ("flowbits:frob,a;", "unknown action"),
        ("flowbits:set;", "name of a bit"),
        ("flowint:n;", "name,action,value"),
        ("xbits:set,a;", "track ip_src"),
        ("xbits:set,a,track by_src;", "unknown track"),
        ("xbits:set,a,track ip_src,for 5;", "unknown track"),
        ("hostbits:set,a,both;", "action,name,src"),
        ("flowint:n,+;", "no value"),
        ("threshold:type limit, track by_src, count 1;", "'seconds' is missing"),
        ("threshold:type backoff, track by_flow, count 1, multiplier 10;", "unknown or repeated"),
        ("threshold:type limit, track by_moon, count 1, seconds 1;", "unknown track"),
        ("detection_filter:type limit, track by_src, count 1, seconds 1;", "takes no type"),
        ("app-layer-protocol:!smtpx;", "is not parsed"),
        ("app-layer-protocol:smtpx;", "is not parsed"),
    ],
)
def test_refused(options, why):
    assert why in refused(options)[0]
