import pytest

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import odd, parse

REQUEST = parse.request_line(b"GET / HTTP/1.1")
STATUS = parse.status_line(b"HTTP/1.1 200 OK")


def of_request(*lines, request=REQUEST):
    return {one.name.removeprefix("HTTP_") for one in odd.of_request(request, parse.headers(list(lines)))}


def of_response(*lines, status=STATUS):
    return {one.name.removeprefix("HTTP_") for one in odd.of_response(status, parse.headers(list(lines)))}


@pytest.mark.parametrize(("line", "expected"), [
    (b"Authorization: Basic YTpi", set()),
    (b"Authorization: bEaReR x", set()),
    (b"Authorization: Magic x", {"REQUEST_AUTH_UNRECOGNIZED"}),
    (b"Transfer-Encoding: chunked", set()),
    (b"Transfer-Encoding: gzip", {"INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST"}),
    (b"Content-Encoding: gzip, gzip, gzip", set()),
    (b"Content-Length: +3x", set()),
    (b"Content-Length: 3, 3", set()),
    (b"Content-Length: 3, 4", set()),
    (b"Content-Length: abc", {"INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST"}),
    (b"Content-Length: 99999999999999999999", {"INVALID_CONTENT_LENGTH_FIELD_IN_REQUEST"}),
])  # fmt: skip
def test_request_fields(line, expected):
    assert of_request(b"Host: a", line) == expected


INVALID = {"REQUEST_HEADER_HOST_INVALID"}


@pytest.mark.parametrize(("host", "expected"), [
    (b"a.example:8080", set()),
    (b"[2001:db8::1]:80", set()),
    (b"xn--a_b.c.", set()),
    (b"-a", set()),
    (b"a b", INVALID),
    (b"a:b", INVALID),
    (b"a/b", INVALID),
    (b"a!b", INVALID),
    (b"a..b", INVALID),
    (b".a", INVALID),
    (b"", INVALID),
    (b"a:", INVALID),
    (b"a:0", INVALID),
    (b"a:65535", set()),
    (b"a:65536", INVALID),
    (b"[::1", INVALID),
    (b"u@a", INVALID),
    (b"a" * 64, INVALID),
    (b"a." * 128, INVALID),
    (b"a, a", INVALID),
])  # fmt: skip
def test_hosts(host, expected):
    assert of_request(b"Host: " + host) == expected


@pytest.mark.parametrize(("line", "expected"), [
    (b"GET http://A.example/ HTTP/1.1", set()),
    (b"GET http://u:p@a.example/ HTTP/1.1", set()),
    (b"GET http://a.example:81/ HTTP/1.1", set()),
    (b"GET http://b.example/ HTTP/1.1", {"HOST_HEADER_AMBIGUOUS"}),
    (b"GET http://a.example:x/ HTTP/1.1", {"REQUEST_URI_HOST_INVALID"}),
    (b"CONNECT a.example:443 HTTP/1.1", set()),
    (b"CONNECT a.example:abc HTTP/1.1", {"REQUEST_URI_HOST_INVALID"}),
    (b"CONNECT b.example:443 HTTP/1.1", {"HOST_HEADER_AMBIGUOUS"}),
])  # fmt: skip
def test_a_target_names_a_host_too(line, expected):
    assert of_request(b"Host: a.example", request=parse.request_line(line)) == expected


def test_two_ports_that_differ_are_ambiguous():
    request = parse.request_line(b"GET http://a:80/ HTTP/1.1")
    assert of_request(b"Host: a:81", request=request) == {"HOST_HEADER_AMBIGUOUS"}


def test_a_host_is_missing_from_http_1_1_on():
    assert of_request() == {"MISSING_HOST_HEADER"}
    old = parse.request_line(b"GET / HTTP/1.0")
    assert of_request(request=old) == set()
    assert of_request(b"Transfer-Encoding: chunked", request=old) == {"INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST"}


@pytest.mark.parametrize(("line", "expected"), [
    (b"Transfer-Encoding: x", set()),
    (b"Transfer-Encoding: Chunked", set()),
    (b"Transfer-Encoding: chunked, x", {"RESPONSE_ABNORMAL_TRANSFER_ENCODING"}),
    (b"Content-Encoding: gzip, deflate", set()),
    (b"Content-Encoding: gzip, gzip, gzip", {"TOO_MANY_ENCODING_LAYERS"}),
    (b"Content-Encoding: none", set()),
    (b"Content-Encoding: identity", {"ABNORMAL_CE_HEADER"}),
    (b"Content-Encoding: gzip;q", {"ABNORMAL_CE_HEADER"}),
    (b"Content-Encoding: gz\0ip", set()),
    (b"Content-Encoding: GZIP", set()),
    (b"Content-Encoding: GZIP, deflate", {"ABNORMAL_CE_HEADER"}),
    (b"Content-Encoding: NONE", {"ABNORMAL_CE_HEADER"}),
    (b"Content-Encoding: \x0bgzip", {"ABNORMAL_CE_HEADER"}),
    (b"Content-Encoding: gzip\x0c", {"ABNORMAL_CE_HEADER"}),
    (b"Content-Encoding: gzip,,deflate", set()),
    (b"Content-Encoding: gzip,  deflate", {"TOO_MANY_ENCODING_LAYERS"}),
    (b"Content-Encoding: deflate ,  deflate", {"TOO_MANY_ENCODING_LAYERS"}),
    (b"Content-Encoding: zstd, gzip, x", {"TOO_MANY_ENCODING_LAYERS", "ABNORMAL_CE_HEADER"}),
    (b"Transfer-Encoding:\x0bchunked", {"RESPONSE_ABNORMAL_TRANSFER_ENCODING"}),
    (b"Transfer-Encoding: chunked\x0c", {"RESPONSE_ABNORMAL_TRANSFER_ENCODING"}),
    (b"Content-Length: -", {"INVALID_CONTENT_LENGTH_FIELD_IN_RESPONSE"}),
    (b"Content-Length: 2, 3", set()),
    (b"Content-Type: Multipart/ByteRanges; boundary=a", {"RESPONSE_MULTIPART_BYTERANGES"}),
    (b"Content-Range: bytes 0-1/5", set()),
    (b"Content-Range: bytes 0-1/*", set()),
    (b"Content-Range: bytes */5", set()),
    (b"Content-Range: bytes 0-5/5", {"RANGE_INVALID"}),
    (b"Content-Range: bytes 5-1/9", set()),
    (b"Content-Range: x", {"RANGE_INVALID"}),
    (b'Content-Disposition: attachment; filename="' + b"f" * 4096 + b'"', set()),
    (b'Content-Disposition: attachment; filename="' + b"f" * 4097 + b'"', {"FILE_NAME_TOO_LONG"}),
])  # fmt: skip
def test_response_fields(line, expected):
    assert of_response(line) == expected


@pytest.mark.parametrize(("line", "expected"), [
    (b"GET / HTTP/1.1\r\n", set()),
    (b"GET  / HTTP/1.1 \r\r\n", set()),
    *((blank + b"GET / HTTP/1.1\r\n", {"REQUEST_LINE_LEADING_WHITESPACE"}) for blank in (b"\r", b"\x0b", b" ", b"\t")),
    *((b"GET" + blank + b"/ HTTP/1.1\r\n", {"METHOD_DELIM_NON_COMPLIANT"}) for blank in (b"\r", b"\x0c", b" \t")),
    *((b"GET /a" + blank + b"b HTTP/1.1\r\n", {"URI_DELIM_NON_COMPLIANT"}) for blank in (b"\r", b"\x0b", b"\t")),
])  # fmt: skip
def test_blanks_of_request_lines(line, expected):
    assert {one.name.removeprefix("HTTP_") for one in odd.of_request_line(line)} == expected


@pytest.mark.parametrize(("lengths", "expected"), [
    ((b"3", b"3"), set()),
    ((b"3", b"4"), {"DUPLICATE"}),
    ((b"3", b"3", b"4"), {"DUPLICATE"}),
    ((b"x", b"4"), {"DUPLICATE", "INVALID"}),
    ((b"4", b"x"), {"DUPLICATE"}),
])  # fmt: skip
def test_several_lengths(lengths, expected):
    fields = [b"Content-Length: " + one for one in lengths]
    for what, side in ((of_request(b"Host: a", *fields), "REQUEST"), (of_response(*fields), "RESPONSE")):
        assert what == {f"{word}_CONTENT_LENGTH_FIELD_IN_{side}" for word in expected}


def test_old_protocols_have_no_chunks():
    old = parse.status_line(b"HTTP/1.0 200 OK")
    assert of_response(b"Transfer-Encoding: chunked", status=old) == {"RESPONSE_CHUNKED_OLD_PROTO"}
    other = parse.status_line(b"HTTP/1.2 200 OK")
    assert of_response(b"Transfer-Encoding: chunked", status=other) == {"RESPONSE_CHUNKED_OLD_PROTO"}


@pytest.mark.parametrize(("line", "expected"), [
    (b"HTTP/1.1 200 OK", set()),
    (b"HTTP/0.9 999 x", set()),
    (b"HTTP/2.0 200 OK", {"RESPONSE_INVALID_PROTOCOL"}),
    (b"HTTP/1.1 2x0 OK", {"RESPONSE_INVALID_STATUS"}),
    (b"HTTP/1.1 1000 OK", {"RESPONSE_INVALID_STATUS"}),
    (b"HTTP/1.1 000 OK", {"RESPONSE_INVALID_STATUS"}),
])  # fmt: skip
def test_status_lines(line, expected):
    assert {one.name.removeprefix("HTTP_") for one in odd.of_status(parse.status_line(line))} == expected


def test_blocks_as_they_should_be_are_passed_over_at_once():
    assert odd.of_lines(b"A: x\r\nB:\r\n\r\n", []) == set()
    assert odd.of_lines(b"A: x\nB:\n\n", [b"A: x", b"B:"]) == set()
    assert odd.of_lines(b"A x\r\n\r\n", [b"A x"]) == {odd.COLON}


@pytest.mark.parametrize(("text", "answered", "asked"), [
    (b"A\r\n :b", {odd.NAME}, {odd.NAME}),
    (b"A\r\n b: c", {odd.NAME}, {odd.NAME}),
    (b"A\r\n b", {odd.COLON}, {odd.COLON}),
    (b"A: b\r\n c: d", {odd.FOLDING}, set()),
    (b"A: b\r\n  c: d", {odd.FOLDING, odd.NAME}, set()),
    (b"A: b\r\n : d", {odd.FOLDING, odd.NAME}, set()),
    (b"A: b\r\n\r\r\nC: d", {odd.COLON, odd.FOLDING}, {odd.COLON, odd.FOLDING}),
    (b" A: b", {odd.FOLDING}, {odd.FOLDING}),
    (b" : b", {odd.FOLDING, odd.NAME}, {odd.FOLDING}),
    (b"A\r\n\tb\r\n c: d\r\n e: f", {odd.FOLDING, odd.NAME}, {odd.NAME}),
])  # fmt: skip
def test_folded_lines(text, answered, asked):
    raw = text + b"\r\n\r\n"
    lines = parse.without_ends([line + b"\n" for line in raw.split(b"\n")[:-1]])
    assert odd.of_lines(raw, lines, split_folded=True, response=True) == answered
    assert odd.of_lines(raw, lines) == asked


def test_events_are_named_as_suricata_names_them():
    assert AppAnomaly.HTTP_TOO_MANY_ENCODING_LAYERS.event == "http.too_many_encoding_layers"
    assert AppAnomaly.HTTP_100_CONTINUE_ALREADY_SEEN.event == "http.100_continue_already_seen"
