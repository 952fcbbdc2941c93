import pytest

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import odd, parse

REQUEST = parse.request_line(b"GET / HTTP/1.1")


def of_request(*lines, request=REQUEST):
    return {one.name.removeprefix("HTTP_") for one in odd.of_request(request, parse.headers(list(lines)))}


@pytest.mark.parametrize(("line", "expected"), [
    (b"Authorization: Basic YTpi", set()),
    (b"Authorization: bEaReR x", set()),
    (b"Authorization: Magic x", {"REQUEST_AUTH_UNRECOGNIZED"}),
    (b"Transfer-Encoding: chunked", set()),
    (b"Transfer-Encoding: gzip", {"INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST"}),
    (b"Content-Encoding: gzip, br", set()),
    (b"Content-Encoding: gzip, gzip, gzip", {"TOO_MANY_ENCODING_LAYERS"}),
])  # fmt: skip
def test_request_fields(line, expected):
    assert of_request(b"Host: a", line) == expected


@pytest.mark.parametrize(("host", "expected"), [
    (b"a.example:8080", set()),
    (b"[2001:db8::1]:80", set()),
    (b"xn--a_b.c", set()),
    (b"a b", {"REQUEST_HEADER_HOST_INVALID"}),
    (b"a:b", {"REQUEST_HEADER_HOST_INVALID"}),
    (b"a/b", {"REQUEST_HEADER_HOST_INVALID"}),
])  # fmt: skip
def test_hosts(host, expected):
    assert of_request(b"Host: " + host) == expected


def test_a_host_is_missing_from_http_1_1_on():
    assert of_request() == {"MISSING_HOST_HEADER"}
    assert of_request(request=parse.request_line(b"GET / HTTP/1.0")) == set()


def test_responses():
    found = odd.of_response(parse.headers([b"Transfer-Encoding: x", b"Content-Encoding: a,b,c"]))
    wanted = ("HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_RESPONSE", "HTTP_TOO_MANY_ENCODING_LAYERS")
    assert [one.name for one in found] == list(wanted)
    assert AppAnomaly.HTTP_TOO_MANY_ENCODING_LAYERS.event == "http.too_many_encoding_layers"
