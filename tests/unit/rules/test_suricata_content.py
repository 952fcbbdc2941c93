import pytest
from suricatakit import matches, refused, rule, steps_of

from sensor.proto.registry import FOLDED
from sensor.rules.nodes import Content, Regex

HTTP = "alert http any any -> any any"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('content:"abc";', Content(b"abc")),
        ('content:!"abc";', Content(b"abc", negated=True)),
        (r'content:"|0d 0a|\;\"x\\";', Content(b'\r\n;"x\\')),
        ('content:"|3 a20|";', Content(b"\x3a\x20")),
        ('content:"abc"; nocase; offset:3; depth:9;', Content(b"abc", nocase=True, offset=3, depth=9)),
        ('content:"abc"; depth:1;', Content(b"abc", depth=3)),
        ('content:"abc"; distance:-4; within:20;', Content(b"abc", distance=-4, within=20)),
        ('content:"abc"; startswith; endswith;', Content(b"abc", startswith=True, endswith=True)),
        ('content:"abc"; fast_pattern;', Content(b"abc", fast=True)),
        ('content:"abc"; fast_pattern:only;', Content(b"abc", fast=True)),
        ('content:"abcdef"; fast_pattern:2,3;', Content(b"abcdef", fast=True)),
        ('content:!"abc"; fast_pattern;', Content(b"abc", negated=True)),
        ('content:"abc"; rawbytes;', Content(b"abc")),
    ],
)
def test_content(options, expected):
    assert steps_of(options) == (expected,)


def test_the_end_behind_what_may_not_be_there():
    """As in Suricata: what must not be there is the content at the end, whatever else is behind it."""
    ends = Content(b"abc", negated=True, endswith=True)
    assert steps_of('content:!"abc"; isdataat:!1,relative;') == (ends,)
    assert steps_of('content:"x"; content:!"abc"; nocase; isdataat:!1,relative;')[1:] == (
        Content(b"abc", negated=True, nocase=True, endswith=True),)  # fmt: skip
    (match,) = matches(rule('content:!"abc"; http_uri; isdataat:!1,relative;', HTTP))
    assert (match.buffer, match.tests) == ("http.uri", (ends,))
    for other in ("isdataat:!2,relative;", "isdataat:1,relative;", "isdataat:!1;"):
        assert len(steps_of(f'content:!"abc"; {other}')) == 2
    assert len(steps_of('content:!"abc"; pcre:"/x/"; isdataat:!1,relative;')) == 3


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("content:abc;", "quotes"),
        ('content:"";', "empty"),
        ('content:"|0d";', "not closed"),
        ('content:"|zz|";', "not hex"),
        ('content:"abc"; distance:1; offset:2;', "exclude each other"),
        ('content:"abc"; startswith; depth:5;', "startswith"),
        ('content:"abc"; within:2;', "less than the 3 bytes"),
        ('content:"abc"; offset:1; offset:2;', "twice"),
        ('content:"abc"; offset:nothing;', "nothing defines"),
        ('content:"abc"; fast_pattern:2,2;', "does not lie in the content"),
        ('content:"abc"; nocase:1;', "no value"),
        ("nocase;", "needs a content"),
    ],
)
def test_refused_contents(options, why):
    (message, *_) = refused(options)
    assert why in message


def test_modifiers_are_about_the_last_content():
    first, second = steps_of('content:"a"; content:"b"; pcre:"/c/"; nocase;')[:2]
    assert (first.nocase, second.nocase) == (False, True)


def test_old_modifiers_move_contents_and_keep_their_order():
    options = 'content:"a"; http_uri; content:"raw"; content:"b"; distance:1; http_uri; content:"GET"; http_method;'
    found = {m.buffer: [t.pattern for t in m.tests] for m in matches(rule(options, HTTP))}
    assert found == {"payload_or_stream": [b"raw"], "http.uri": [b"a", b"b"], "http.method": [b"GET"]}


def test_old_ways_to_name_a_buffer_are_about_http_1_alone():
    for options in ('content:"a"; http_uri;', 'uricontent:"a";', 'pcre:"/a/U";', 'content:"a"; http_server_body;'):
        assert {rule(options, head).proto for head in (HTTP, "alert tcp any any -> any 80")} == {"http1"}
    assert rule('http.uri; content:"a"; pcre:"/b/";', HTTP).proto == "http"


def test_a_content_moves_once():
    assert "has a buffer already" in refused('content:"a"; http_uri; http_header;', HTTP)[0]
    assert "is selected" in refused('http.uri; content:"a"; http_header;', HTTP)[0]


def test_uricontent():
    (match,) = matches(rule('uricontent:"/x"; nocase;'))
    assert (match.buffer, match.tests) == ("http.uri", (Content(b"/x", nocase=True),))


@pytest.mark.parametrize(
    ("value", "buffer", "expected"),
    [
        ('"/a.b/"', "payload_or_stream", Regex("a.b")),
        ('!"/a/i"', "payload_or_stream", Regex("a", "i", negated=True)),
        (r'"/^\d+\/x/Rsmi"', "payload_or_stream", Regex(r"^\d+\/x", "ims", relative=True)),
        ('"/a/UGi"', "http.uri", Regex("a", "iG")),
        (r'"/[^a]{,9}b\{,9}/"', "payload_or_stream", Regex(r"[^a]{0,9}b\{,9}")),
        ('"/a/I"', "http.uri.raw", Regex("a")),
        ('"/a/P"', "http.request_body", Regex("a")),
        ('"/a/V"', "http.user_agent", Regex("a")),
        ('"/a/W"', "http.host", Regex("a")),
        ('"/a/B"', "payload_or_stream", Regex("a")),
        ('"/(a)(b)/, flow:one, pkt:two"', "payload_or_stream", Regex("(a)(b)", captures=("flow:one", "pkt:two"))),
    ],
)
def test_pcre(value, buffer, expected):
    (match,) = matches(rule(f"flow:to_server; pcre:{value};"))
    assert (match.buffer, match.tests) == (buffer, (expected,))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("pcre:a;", "quotes"),
        ('pcre:"a";', "slashes"),
        ('pcre:"//";', "empty"),
        ('pcre:"/a/k";', "unknown flag 'k'"),
        ('pcre:"/a/UH";', "two buffers"),
        ('http.host; content:"x"; pcre:"/a/U";', "is selected"),
    ],
)
def test_refused_regexes(options, why):
    assert why in refused(options, HTTP)[0]


def test_a_regex_of_the_body_follows_either_name_of_it():
    options = 'flow:to_client; http.response_body; content:"x"; pcre:"/y/RQ";'
    (match,) = matches(rule(options, HTTP))
    assert len(match.tests) == 2


def test_digits_of_certificates_are_found_in_either_case():
    (serial,) = matches(rule('tls.cert_serial; content:"0a:ff";', "alert tls any any -> any any"))
    assert [test.nocase for test in serial.tests] == [True]
    assert "tls.cert_fingerprint" in FOLDED


def test_the_end_behind_a_content_is_its_own_wherever_it_is_moved():
    options = 'flow:to_server; content:"a"; isdataat:!1,relative; http_client_body;'
    (match,) = matches(rule(options, HTTP))
    assert (match.buffer, match.tests) == ("http.request_body", (Content(b"a", endswith=True),))
