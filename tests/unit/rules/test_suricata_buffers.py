import pytest
from suricatakit import matches, refused, rule, steps_of

from sensor.rules.nodes import BufferMatch, BufferSize, ByteTest, Content, Regex, Transform

HTTP, TLS = "alert http any any -> any any", "alert tls any any -> any any"


def only(options, head=HTTP):
    (match,) = matches(rule(options, head))
    return match


@pytest.mark.parametrize(
    ("keyword", "buffer"),
    [
        ("http.uri", "http.uri"),
        ("http_request_line", "http.request_line"),
        ("file_data", "file.data"),
        ("http.header", "http.header"),
        ("http.cookie", "http.cookie"),
        ("dns_query", "dns.query"),
        ("tls_sni", "tls.sni"),
        ("ja3_hash", "ja3.hash"),
        ("tcp.hdr", "tcp.hdr"),
    ],
)
def test_sticky(keyword, buffer):
    assert only(f'flow:to_server; {keyword}; content:"x";', "alert ip any any -> any any").buffer == buffer


def test_the_direction_chooses_the_side():
    assert only('flow:to_client; http.header; content:"x";').buffer == "http.header@to_client"
    assert only('http.header; content:"x"; flow:from_server;').buffer == "http.header@to_client"


def test_without_direction_the_buffer_is_that_of_either_side():
    match = only('file_data; content:"x";')
    assert (match.buffer, match.either) == ("file.data", True)
    assert rule('file_data; content:"x";', HTTP).direction == ""


def test_a_buffer_of_one_side_implies_the_direction():
    made = rule('http.header; content:"a"; http.stat_code; content:"200";', HTTP)
    assert made.direction == "to_client"
    assert [m.buffer for m in matches(made)] == ["http.header@to_client", "http.stat_code"]
    assert not any(m.either for m in matches(made))


@pytest.mark.parametrize(
    "options",
    ['http.uri; content:"a"; http.stat_code; content:"b";', 'flow:to_client; http.uri; content:"a";'],
)
def test_directions_that_exclude_each_other(options):
    assert "only" in refused(options, HTTP)[0]


def test_a_regex_that_names_the_selected_buffer_is_about_it():
    (match,) = matches(rule('http.host; pcre:"/^a/W"; content:"b";', HTTP))
    assert (match.buffer, len(match.tests)) == ("http.host", 2)
    assert "is selected" in refused('http.host; pcre:"/^a/U";', HTTP)[0]


def test_a_transform_changes_what_the_tests_behind_it_see():
    found = matches(rule('http.host; content:"a"; dotprefix; content:".a"; endswith;', HTTP))
    assert [m.buffer for m in found] == ["http.host"] * 2
    assert [[t.name for t in m.transforms] for m in found] == [[], ["dotprefix"]]


def test_one_buffer_named_twice_is_one_condition():
    found = matches(rule('http.uri; content:"a"; http.method; content:"GET"; http.uri; content:"b"; distance:0;', HTTP))
    assert [(m.buffer, len(m.tests)) for m in found] == [("http.uri", 2), ("http.method", 1)]


def test_buffers_with_instances_named_twice_may_mean_two_of_them():
    found = matches(rule('tls.certs; content:"a"; tls.certs; content:"b";', TLS))
    assert [len(m.tests) for m in found] == [1, 1]


def test_pkt_data_goes_back_to_the_payload():
    found = matches(rule('file.data; content:"a"; pkt_data; content:"b";', HTTP))
    assert [m.buffer for m in found] == ["file.data", "payload_or_stream"]


@pytest.mark.parametrize("name", ["to_lowercase", "dotprefix", "to_md5", "url_decode", "strip_whitespace"])
def test_transforms(name):
    match = only(f'http.host; {name}; content:"x";')
    assert match.transforms == (Transform(name),)


def test_urilen_is_a_test_of_the_selected_uri():
    (match,) = matches(rule("http.uri; urilen:<10;", HTTP))
    assert (match.buffer, match.tests) == ("http.uri", (BufferSize("<", 10),))


def test_transforms_with_arguments():
    match = only('http.uri; pcrexform:"[a-z]+(.)"; xor:"0d0a"; content:"x";')
    assert match.transforms == (Transform("pcrexform", "[a-z]+(.)"), Transform("xor", "0d0a"))


def test_a_changed_buffer_is_not_the_unchanged_one():
    found = matches(rule('http.uri; content:"a"; http.uri; to_lowercase; content:"b"; http.uri; content:"c";', HTTP))
    assert [(len(m.tests), len(m.transforms)) for m in found] == [(2, 0), (1, 1)]


def test_keywords_with_values():
    exact = {"startswith": True, "endswith": True}
    assert only("flow:to_server; tls.version:1.2;", TLS).tests == (Content(b"1.2", **exact),)
    assert only('flow:to_client; tls.subject:"CN=x";', TLS) == BufferMatch(
        "tls.cert_subject@to_client", (Content(b"CN=x"),)
    )
    for flow in ("", "flow:to_client; "):  # the server's, whatever the rule says
        chain = only(f"{flow}tls.cert_chain_len:>3;", TLS)
        assert chain == BufferMatch("tls.cert_chain_len@to_client", (ByteTest(4, ">", 3),))
    between = only("dhcp.leasetime:5<>9;", "alert dhcp any any -> any any")
    assert between == BufferMatch("dhcp.leasetime", (ByteTest(4, ">", 5), ByteTest(4, "<", 9)))
    opcode = only("flow:to_server; dns.opcode:!0;", "alert dns any any -> any any")
    assert opcode.tests == (Regex(f"^(?:{'|'.join(map(str, range(1, 16)))})$", "E"),)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("http.uri; rev:1;", "nothing is said of the buffer http.uri"),
        ('http.uri; http.host; content:"x";', "nothing is said of the buffer http.uri"),
        ('http.uri:5; content:"x";', "takes no value"),
        ('to_lowercase; content:"x";', "needs a buffer"),
        ('http.uri; content:"x"; to_lowercase;', "nothing is said of the buffer http.uri"),
        ('http.uri; xor:"0d0"; content:"x";', "whole bytes"),
        ('http.uri; xor:"zz"; content:"x";', "no key in hex"),
        ("http.uri; pcrexform:x;", "quotes"),
        ("tls.version:9;", "unknown version"),
    ],
)
def test_refused(options, why):
    assert any(why in message for message in refused(options, HTTP))


@pytest.mark.parametrize(
    ("word", "test"),
    [
        ("2_compat", Regex(r"^(?:2|1\.99)", "E")),
        ('"2.0"', Content(b"2.0", startswith=True, endswith=True)),
    ],
)
def test_ssh_version(word, test):
    assert steps_of(f"ssh.protoversion:{word};", "alert ssh any any -> any any") == (test,)
    assert refused("ssh.protoversion:two;", "alert ssh any any -> any any")
