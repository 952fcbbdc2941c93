"""The importer takes a rule over wholly or refuses it, whatever the text; what it takes over, YAML can say."""

import msgspec
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.rules.context import Context
from sensor.rules.export import export
from sensor.rules.parse import parse as parse_yaml
from sensor.rules.problems import Problems
from sensor.rules.sides import sided
from sensor.rules.suricata.keywords import KEYWORDS
from sensor.rules.suricata.read import parse
from sensor.rules.variables import Variables
from sensor.rules.walk import buffers_of

VARIABLES = Variables()

literals = st.text(st.sampled_from("abcXYZ01 ./=%&"), min_size=1, max_size=8) | st.sampled_from(
    ("|0d 0a|", "a|00|b", r"\\;", r"\"x\\")
)
numbers = st.integers(0, 40)
modifiers = st.sampled_from(
    ("nocase;", "offset:2;", "depth:30;", "distance:1;", "within:30;", "startswith;", "endswith;", "fast_pattern;",
     "http_uri;", "http_header;", "http_method;", "rawbytes;", "")
)  # fmt: skip
contents = st.builds(
    lambda no, text, how: f'content:{no}"{text}"; {" ".join(how)}',
    st.sampled_from(("", "", "!")), literals, st.lists(modifiers, max_size=3),
)  # fmt: skip
others = st.sampled_from(
    ("http.uri;", "http.header;", "file_data;", "http.stat_code;", "dns.query;", "tls.sni;", "tls.certs;", "pkt_data;",
     "to_lowercase;", "dotprefix;", 'xor:"0d";', 'pcre:"/a.b/Ri";', 'pcre:!"/x/U";', "flow:to_server,established;",
     "flow:to_client;", "flow:only_stream;", "flowbits:set,a;", "flowbits:isset,a|b;", "flowint:n,+,1;", "flags:S,12;",
     "flags:!SA;", "dsize:>5;", "urilen:3<>9;", "bsize:<9;", "isdataat:!1,relative;", "isdataat:10;",
     "byte_test:2,>,5,0,relative;", "byte_jump:1,0,relative,post_offset -1;", "byte_extract:1,0,len;",
     "byte_math:bytes 1,offset 0,oper +,rvalue 3,result len;", "isdataat:len;", 'content:"zz"; within:len;',
     "base64_decode:relative;", "base64_data;", "threshold:type limit,track by_src,count 1,seconds 9;", "noalert;",
     "stream_size:either,>,6;", "classtype:trojan-activity;", "priority:2;", "metadata:a b, c d;", "ttl:<9;",
     "decode-event:ipv6.frag_overlap;", "reference:url,x.example;", "xbits:set,a,track ip_src;", "sdp.origin;")
)  # fmt: skip
heads = st.sampled_from(
    (
        "alert tcp any any -> any any",
        "alert http $HOME_NET any -> any $HTTP_PORTS",
        "drop udp any 53 <> [10.0.0.1,::1] any",
        "alert ip any any -> any any",
        "pass ipv6 any any -> ::1 any",
        "alert tls any any -> any 443",
        "alert dns any any -> any any",
        "reject tcp-pkt any any -> any any",
        "alert icmpv6 any any -> any any",
        "alert smtp any any -> any 25",
    )
)
rules = st.builds(
    lambda head, options, sid: f'{head} (msg:"m"; {" ".join(options)} sid:{sid}; rev:3;)',
    heads, st.lists(contents | others, max_size=7), st.integers(1, 1 << 31),
)  # fmt: skip
values = st.text(st.characters(exclude_characters=";\n\r"), max_size=20) | numbers.map(str)


def load(text):
    return parse(text, Context(Problems("x.rules"), VARIABLES))


def bare(rule):
    return msgspec.structs.replace(rule, file="", line=0, text="")


@settings(max_examples=effort(400, 130), deadline=None)
@given(rules)
def test_a_rule_is_taken_over_or_refused_and_yaml_says_the_same(text):
    found = load(text)
    assert len(found.rules) == (not found.problems)
    for problem in found.problems:
        assert problem.line == 1
        assert 1 <= problem.column <= len(text)
    for rule in found.rules:
        back = parse_yaml(export([rule]), Context(Problems("x.yaml"), VARIABLES))
        assert back.problems == ()
        assert bare(back.rules[0]) == bare(rule)


@settings(max_examples=effort(150, 50), deadline=None)
@given(rules)
def test_what_is_judged_names_its_sides(text):
    for rule in load(text).rules:
        parts = sided(rule)
        assert not any(node.either for part in parts for node in buffers_of(part.body))
        assert {(part.gid, part.sid, part.action, part.thresholds) for part in parts} == {
            (rule.gid, rule.sid, rule.action, rule.thresholds)
        }


@settings(max_examples=effort(200, 65), deadline=None)
@given(st.lists(rules | st.text(max_size=40), max_size=4), st.integers(0, 300), st.text(max_size=3))
def test_damaged_files_raise_nothing(lines, at, junk):
    text = "\n".join(lines)
    damaged = text[:at] + junk + text[at + 2 :]
    last = damaged.count("\n") + 1
    for problem in load(damaged).problems:
        assert 0 < problem.line <= last


@settings(max_examples=effort(300, 100), deadline=None)
@given(st.sampled_from(sorted(KEYWORDS)), values)
def test_no_value_of_a_keyword_raises(keyword, value):
    found = load(f'alert http any any -> any any (content:"a"; {keyword}:{value}; content:"b"; sid:1;)')
    assert found.rules or found.problems or keyword == "requires"
