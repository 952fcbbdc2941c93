import dpkt
import pytest

from sensor.proto.http1 import parse


@pytest.mark.parametrize(
    ("line", "method", "target", "protocol", "valid"),
    [
        (b"GET / HTTP/1.1", b"GET", b"/", b"HTTP/1.1", True),
        (b"GET /a b c HTTP/1.1", b"GET", b"/a", b"b c HTTP/1.1", True),
        (b"GET /x HTTP/1.1 ", b"GET", b"/x", b"HTTP/1.1 ", True),
        (b"GET /x\x0bHTTP/ 1.1", b"GET", b"/x", b"HTTP/ 1.1", True),
        (b"GET  HTTP/1.1", b"GET", b"HTTP/1.1", b"", True),
        (b"GET /old", b"GET", b"/old", b"", True),
        (b"GET\t/x\tHTTP/1.0", b"GET", b"/x", b"HTTP/1.0", True),
        (b" GET  /x  HTTP/1.0", b"GET", b"/x", b"HTTP/1.0", True),
        (b"GET /x http/1.0", b"GET", b"/x", b"http/1.0", True),
        (b"GET /x not this", b"GET", b"/x", b"not this", True),
        (b"GET HTTP/1.0", b"GET", b"HTTP/1.0", b"", True),
        (b"GET", b"GET", b"", b"", False),
        (b"\x16\x03\x01 x HTTP/1.1", b"\x16\x03\x01", b"x", b"HTTP/1.1", True),
        (b"\x16\x03\x01 x y", b"\x16\x03\x01", b"x", b"y", False),
        (b"G(T /x HTTP/1.1", b"G(T", b"/x", b"HTTP/1.1", True),
        (b"\0GET /x HTTP/1.1", b"\0GET", b"/x", b"HTTP/1.1", True),
        (b"GET\0/x HTTP/1.1", b"GET\0/x", b"HTTP/1.1", b"", True),
        (b"GET /x\0y \0HTTP/1.1", b"GET", b"/x\0y", b"\0HTTP/1.1", True),
        (b"\x0bGET\x0c/x HTTP/1.1", b"GET", b"/x", b"HTTP/1.1", True),
        (b"", b"", b"", b"", False),
    ],
)
def test_request_lines(line, method, target, protocol, valid):
    got = parse.request_line(line)
    assert (got.method, got.target, got.protocol, got.valid) == (method, target, protocol, valid)
    assert got.line == line


@pytest.mark.parametrize(
    ("line", "protocol", "code", "reason", "status"),
    [
        (b"HTTP/1.1 200 OK", b"HTTP/1.1", b"200", b"OK", 200),
        (b"HTTP/1.1 404 Not  Found", b"HTTP/1.1", b"404", b"Not  Found", 404),
        (b"HTTP/1.1 200", b"HTTP/1.1", b"200", b"", 200),
        (b"HTTP/1.1  200 ok", b"HTTP/1.1", b"200", b"ok", 200),
        (b"HTTP/1.1\x00200 ok", b"HTTP/1.1\x00200", b"ok", b"", 0),
        (b"HTTP/1\0.1 200 ok", b"HTTP/1\0.1", b"200", b"ok", 200),
        (b"HTTP/1.1 2\x0000 ok", b"HTTP/1.1", b"2\x0000", b"ok", 0),
        (b"HTTP/1.1\x0b200\x0c \tok \t", b"HTTP/1.1", b"200", b"ok \t", 200),
        (b"HTTP/1.1 2xx ok", b"HTTP/1.1", b"2xx", b"ok", 0),
        (b"HTTP/1.1 0200 ok", b"HTTP/1.1", b"0200", b"ok", 0),
        (b"HTTP/1.1", b"HTTP/1.1", b"", b"", 0),
    ],
)
def test_status_lines(line, protocol, code, reason, status):
    got = parse.status_line(line)
    assert (got.protocol, got.code, got.reason, got.status) == (protocol, code, reason, status)


def test_headers_join_repetitions_and_unfold():
    got = parse.headers([b"Host: h", b"X: 1", b"Accept : a", b"\tb", b"x:2", b"nocolon", b"   "])
    assert list(got.items()) == [(b"Host", b"h"), (b"X", b"1, 2"), (b"Accept", b"a\tb"), (b"", b"nocolon")]
    assert got.get(b"accept") == b"a\tb"
    assert got.get(b"none") is None


def test_folded_lines_keep_their_white_space_and_nul_is_none():
    got = parse.headers([b"A: v ", b"  w \t", b"B:", b" v", b"C: v", b"\0w", b"D\0: \0v"])
    assert list(got.items()) == [(b"A", b"v   w"), (b"B", b"v"), (b"C", b"v\0w"), (b"", b"D\0: \0v")]


@pytest.mark.parametrize("response", [True, False])
def test_vertical_tabs_and_form_feeds_stay_but_behind_names_of_responses(response):
    got = parse.headers([b"A: 1", b"\x0bB\x0c:\x0bv\x0c"], split_folded=response)
    assert got.names[1] == (b"\x0bB" if response else b"\x0bB\x0c")
    assert list(got.values.values())[1] == b"\x0bv\x0c"


def test_folded_lines_with_a_colon_are_fields_in_responses_only():
    lines = [b"X-Foo: bar", b"\tTransfer-Encoding: chunked"]
    assert parse.headers(lines).get(b"transfer-encoding") is None
    assert parse.headers(lines, split_folded=True).get(b"transfer-encoding") == b"chunked"


def test_nul_bytes_do_not_hide_a_field_of_a_response():
    line = b"Transfer\0-Encoding: chun\0ked"
    assert parse.headers([line], split_folded=True).get(b"transfer-encoding") == b"chun\0ked"
    assert parse.headers([line]).values == {b"": line}
    assert parse.is_chunked(b"chun\0ked")


def test_headers_agree_with_dpkt_on_clean_input():
    block = b"Host: example.com\r\nUser-Agent: a b\r\nAccept: */*\r\nX-Y: 1\r\n\r\n"
    theirs = dict(dpkt.http.Request(b"GET / HTTP/1.1\r\n" + block).headers)
    ours = parse.headers(block[:-4].split(b"\r\n"))
    assert {k.decode(): v.decode() for k, v in ours.values.items()} == theirs


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"68", (68, True)),
        (b"0", (0, True)),
        (b"34 68", (34, False)),
        (b"68, 68", (68, False)),
        (b"68.9", (68, False)),
        (b"", (-1, False)),
        (b"-", (-1, False)),
        (b"9" * 19, (-1, False)),
    ],
)
def test_content_lengths(value, expected):
    assert parse.content_length(value) == expected


@pytest.mark.parametrize(
    ("line", "size"),
    [
        (b"5", 5), (b"0F\r", 15), (b"  a \r", 10), (b"f;ext=1", 15), (b"fx", 15), (b"f,", 15), (b"\x0cf", 15),
        (b"", -1), (b"X5O", -1), (b"5G", 5), (b"f" * 17, -1), (b"-1", -1),
    ],
)  # fmt: skip
def test_chunk_sizes(line, size):
    assert parse.chunk_size(line) == size


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"h", (b"h", b"")),
        (b"h:80", (b"h", b"80")),
        (b"[::1]:8080", (b"[::1]", b"8080")),
        (b"[::1]", (b"[::1]", b"")),
        (b"", (b"", b"")),
    ],
)
def test_host_and_port(value, expected):
    assert parse.host_port(value) == expected


def test_lone_carriage_returns_split_lines():
    assert parse.split_lone_cr([b"a\rb", b"c\r\r", b"d"]) == [b"a", b"b", b"c\r\r", b"d"]
