import gzip
import hashlib

import pytest

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.files import FILE_BUFFERS
from sensor.model.keeping import FilePolicy
from sensor.proto.http1 import files, limits
from sensor.proto.http1.fields import SPEC
from sensor.proto.http1.transaction import MAKERS, files_of

STAGES = [stage.name for stage in SPEC.stages]

REQUEST = (
    b"POST /a/%62/../c?q=%41 HTTP/1.1\r\n"
    b"Host: WWW.Example.com:8080\r\n"
    b"User-Agent: agent/1\r\n"
    b"Accept: */*\r\n"
    b"Accept-Language: en\r\n"
    b"Accept-Encoding:gzip\r\n"
    b"Referer: http://r/\r\n"
    b"Cookie: k=v\r\n"
    b"X-A: 1\r\n"
    b"Connection: keep-alive\r\n"
    b"Content-Type: text/plain\r\n"
    b"x-a: 2\r\n"
    b"Content-Length: 4\r\n"
    b"\r\n"
    b"body"
)
PAGE = gzip.compress(b"page", mtime=0)
RESPONSE = (
    b"HTTP/1.1 302 Moved On\r\n"
    b"Server: srv\r\n"
    b"Set-Cookie: s=1\r\n"
    b"Location: /next\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Encoding: gzip\r\n"
    b"Connection: close\r\n"
    b"Content-Length: %d\r\n"
    b"\r\n" % len(PAGE) + PAGE
)

EXPECTED = {
    "http.method": b"POST",
    "http.uri": b"/a/c?q=A",
    "http.uri.raw": b"/a/%62/../c?q=%41",
    "http.request_line": b"POST /a/%62/../c?q=%41 HTTP/1.1",
    "http.protocol": b"HTTP/1.1",
    "http.host": b"www.example.com",
    "http.host.raw": b"WWW.Example.com:8080",
    "http.user_agent": b"agent/1",
    "http.referer": b"http://r/",
    "http.cookie": b"k=v",
    "http.accept": b"*/*",
    "http.accept_lang": b"en",
    "http.accept_enc": b"gzip",
    "http.connection": b"keep-alive",
    "http.content_type": b"text/plain",
    "http.content_len": b"4",
    "http.header": (
        b"Host: WWW.Example.com:8080\r\nUser-Agent: agent/1\r\nAccept: */*\r\nAccept-Language: en\r\n"
        b"Accept-Encoding: gzip\r\nReferer: http://r/\r\nX-A: 1, 2\r\nConnection: keep-alive\r\n"
        b"Content-Type: text/plain\r\nContent-Length: 4\r\n"
    ),
    "http.header.raw": REQUEST.partition(b"\r\n")[2].removesuffix(b"body"),
    "http.header_names": (
        b"\r\nHost\r\nUser-Agent\r\nAccept\r\nAccept-Language\r\nAccept-Encoding\r\nReferer\r\nCookie\r\nX-A\r\n"
        b"Connection\r\nContent-Type\r\nContent-Length\r\n\r\n"
    ),
    "http.request_body": b"body",
    "file.data": b"body",
    "http.stat_code": b"302",
    "http.stat_msg": b"Moved On",
    "http.response_line": b"HTTP/1.1 302 Moved On",
    "http.server": b"srv",
    "http.location": b"/next",
    "http.protocol@to_client": b"HTTP/1.1",
    "http.cookie@to_client": b"s=1",
    "http.connection@to_client": b"close",
    "http.content_type@to_client": b"text/html; charset=utf-8",
    "http.content_len@to_client": b"%d" % len(PAGE),
    "http.header@to_client": (
        b"Server: srv\r\nLocation: /next\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: %d\r\n" % len(PAGE)
    ),
    "http.header.raw@to_client": RESPONSE.partition(b"\r\n")[2].removesuffix(PAGE),
    "http.header_names@to_client": (
        b"\r\nServer\r\nSet-Cookie\r\nLocation\r\nContent-Type\r\nContent-Encoding\r\nConnection\r\n"
        b"Content-Length\r\n\r\n"
    ),
    "http.response_body": b"page",
    "file.data@to_client": b"page",
}


@pytest.fixture(scope="module")
def tx():
    parser = SPEC.new_parser()
    parser.feed(TO_SERVER, REQUEST, 0)
    return parser.feed(TO_CLIENT, RESPONSE, 0)[-1].tx


@pytest.mark.parametrize("name", EXPECTED)
def test_single_buffers(tx, name):
    assert list(tx.buffer(name)) == [EXPECTED[name]]
    assert tx.buffer(name) is tx.buffer(name)


def test_headers_one_by_one(tx):
    assert b"X-A: 1, 2" in tx.buffer("http.request_header")
    assert b"Cookie: k=v" in tx.buffer("http.request_header")
    assert b"Set-Cookie: s=1" in tx.buffer("http.response_header")
    assert len(tx.buffer("http.request_header")) == 11


def test_start(tx):
    start = tx.buffer("http.start")[0]
    assert start.startswith(b"POST /a/%62/../c?q=%41 HTTP/1.1\r\nHost: WWW")
    assert start.endswith(b"Content-Length: 4\r\n\r\n")
    assert tx.buffer("http.start@to_client")[0].startswith(b"HTTP/1.1 302 Moved On\r\nServer: srv\r\n")


def test_every_declared_buffer_is_built_and_no_other(tx):
    declared = {buffer.name for buffer in SPEC.buffers}
    others = {"http.request_header", "http.response_header", "http.start", "http.start@to_client"}
    others |= {"frame.http1.request", "frame.http1.response"}
    others |= {name + side for name in FILE_BUFFERS for side in ("", "@to_client")}
    assert declared == set(MAKERS) == {*EXPECTED, *others}
    for buffer in SPEC.buffers:
        assert buffer.multi or len(tx.buffer(buffer.name)) <= 1


def test_host_of_an_absolute_target_wins():
    tx = SPEC.new_parser().feed(TO_SERVER, b"GET http://U@Abs:9/x HTTP/1.1\r\nHost: other\r\n\r\n", 0)[0].tx
    assert tx.buffer("http.host") == (b"abs",)
    assert tx.buffer("http.host.raw") == (b"abs",)
    assert tx.buffer("http.uri") == (b"/x",)
    assert tx.eve()["hostname"] == "abs"


def test_content_length_that_is_repeated_is_the_first_one():
    raw = b"POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\nabGET /next HTTP/1.1\r\n\r\n"
    stages = SPEC.new_parser().feed(TO_SERVER, raw, 0)
    tx = stages[0].tx
    assert stages[-1].tx.buffer("http.uri") == (b"/next",)
    assert tx.buffer("http.content_len") == (b"2",)
    assert tx.buffer("http.header") == (b"Content-Length: 2\r\n",)
    assert tx.buffer("http.request_body") == [b"ab"]


def test_coded_request_body_reads_decoded():
    body = gzip.compress(b"what it says")
    head = b"POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    tx = SPEC.new_parser().feed(TO_SERVER, head + body, 0)[-1].tx
    assert tx.buffer("http.request_body") == [b"what it says"]


def test_empty_values_are_no_buffers():
    parser = SPEC.new_parser()
    tx = parser.feed(TO_SERVER, b"GET /x \r\nHost: \r\n\r\n", 0)[0].tx
    assert (tx.buffer("http.protocol"), tx.buffer("http.host"), tx.buffer("http.host.raw")) == ((), (), (b"",))
    parser.feed(TO_CLIENT, b"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", 0)
    assert tx.buffer("http.stat_msg") == ()


def test_what_is_put_is_one_file_though_it_be_a_form():
    body = part(b'name="b"; filename="one.exe"', b"MZ") + b"---x---\r\n"
    head = b"PUT /up HTTP/1.1\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (FORM, len(body))
    tx = SPEC.new_parser().feed(TO_SERVER, head + body, 0)[-1].tx
    assert [(file.name, file.data) for file in tx.files(TO_SERVER)] == [(b"/up", body)]


def test_file_name_is_the_path_alone():
    tx = SPEC.new_parser().feed(TO_SERVER, b"GET /a%3fb?c#d HTTP/1.1\r\nHost: h\r\n\r\n", 0)[0].tx
    assert files.path(tx.request.target) == b"/a?b"


def test_absent_headers_are_absent():
    tx = SPEC.new_parser().feed(TO_SERVER, b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 0)[0].tx
    assert [tx.buffer(n) for n in ("http.cookie", "http.user_agent", "http.referer")] == [(), (), ()]
    assert tx.buffer("http.host.raw") == (b"",)  # empty, but there
    assert tx.buffer("http.host") == ()
    assert tx.buffer("http.header_names") == (b"\r\nHost\r\n\r\n",)


def request(content_type, body):
    sizes = b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (content_type, len(body))
    head = b"POST /up/load.php?x=1 HTTP/1.1\r\n" + sizes
    return SPEC.new_parser().feed(TO_SERVER, head + body, 0)


FORM = b'multipart/form-data; boundary="-x-"'


def part(disposition, content):
    return b"---x-\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (disposition, content)


def names_of(content_type, body):
    found = [s.file for s in request(content_type, body) if STAGES[s.stage] == "request_complete" and s.file]
    return [file.name for file in found]


@pytest.mark.parametrize(("parameters", "known"), [
    (b"; charset=utf-8; x=y; boundary=-x-", True),
    (b'; a=b; c=d; e="f" ; boundary="-x-"; g=h', True),
    (b"; boundary=-x-; boundary=other", True),  # the first one counts, as in Suricata
    (b"; boundary=other; boundary=-x-", False),
    (b"; xboundary=-x-", False),
    (b" boundary=-x-", False),
    (b";" * 10_000 + b"boundary=-x-", False),
])  # fmt: skip
def test_the_boundary_of_a_form(parameters, known):
    body = part(b'filename="a"', b"x") + b"---x---\r\n"
    assert names_of(b"multipart/form-data" + parameters, body) == [b"a"] * known


@pytest.mark.parametrize(("disposition", "name"), [
    (b'filename="%s"' % (b"n" * 60_000), b"n" * 60_000),  # a long name hides no file
    (rb'filename="a\"b.txt"; x=y', rb"a\"b.txt"),
    (rb'filename="C:\dir\a.exe"', rb"C:\dir\a.exe"),
    (rb'filename="C:\dir\"', b"C:\\dir\\"),
    (rb'filename="\\"', rb"\\"),
])  # fmt: skip
def test_names_of_files_in_a_form(disposition, name):
    assert names_of(FORM, part(disposition, b"x") + b"---x---\r\n") == [name]


def test_files_of_a_form_are_told_apart():
    body = part(b'name="a"', b"no file") + part(b'name="b"; filename="one.exe"', b"MZ\r\n1")
    body += part(b"filename=two", b"2")
    out = request(FORM, body + b"---x---\r\n")
    found = [s.file for s in out if STAGES[s.stage] == "request_complete" and s.file]
    assert [(f.name, f.data, f.complete) for f in found] == [(b"one.exe", b"MZ\r\n1", True), (b"two", b"2", True)]
    assert [s.file for s in out if STAGES[s.stage] == "request_body"] == [None, *found]
    assert found[0].buffer("file.md5") == (b"e05d5749029667c4a38a55d8d654e079",)
    tx = out[-1].tx
    assert [*tx.buffer("file.data"), *tx.buffer("file.name")] == []
    assert tx.buffer("http.request_body")[0].startswith(b"---x-")


def test_a_form_of_very_many_parts_is_read_so_far():
    body = b"".join(part(b'filename="%d"' % i, b"x") for i in range(2 * limits.FORM_PARTS))
    assert sum(s.file is not None for s in request(FORM, body)) == 2 * limits.FORM_PARTS


def test_frames_are_whole_messages():
    tx = request(b"text/plain", b"abc")[-1].tx
    head = b"POST /up/load.php?x=1 HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n"
    assert tx.buffer("frame.http1.request") == (head + b"abc",)
    tx = response(b"", b"xyz")
    assert tx.buffer("frame.http1.response") == (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nxyz",)


def test_a_body_is_a_file_named_by_the_path():
    tx = request(b"application/octet-stream", b"abc")[-1].tx
    assert tx.buffer("file.name") == (b"/up/load.php",)
    assert tx.buffer("file.size") == (b"\0\0\0\0\0\0\0\3",)
    assert tx.buffer("file.sha1") == (b"a9993e364706816aba3e25717850c26c9cd0d89d",)


def test_an_upload_that_breaks_off_has_no_size():
    head = b"POST /up HTTP/1.1\r\nContent-Length: 9\r\n%s\r\n"
    form = part(b'filename="a"', b"abc")
    for data in (head % b"" + b"abc", head.replace(b"9", b"999") % (b"Content-Type: %s\r\n" % FORM) + form[:-2]):
        parser = SPEC.new_parser()
        stages = [*parser.feed(TO_SERVER, data, 0), *parser.finish(0)]
        (file,) = files_of(stages[-1].tx, stages[-1].stage)
        assert (file.data, file.buffer("file.size"), file.buffer("file.magic")) == (b"abc", (), ())


def response(head, body, *, hashed=False):
    parser = SPEC.new_parser()
    if hashed:
        parser.treat_files(FilePolicy(hashed=True))
    parser.feed(TO_SERVER, b"GET /a/%62.bin?q HTTP/1.1\r\n\r\n", 0)
    data = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)
    return parser.feed(TO_CLIENT, data, 0)[-1].tx


@pytest.mark.parametrize(("head", "name"), [
    (b"", b"/a/b.bin"),
    (b'Content-Disposition: attachment; filename="x y.doc"\r\n', b"x y.doc"),
    (b"Content-Disposition: attachment; filename=z\r\n", b"z"),
    (b"Content-Disposition: inline\r\n", b"/a/b.bin"),
    (b'Content-Disposition: attachment; filename="%s"\r\n' % (b"n" * 5000), b"n" * 4096),
])  # fmt: skip
def test_the_name_of_a_response(head, name):
    assert response(head, b"x").buffer("file.name@to_client") == (name,)


def test_long_files_are_hashed_only_when_asked():
    body = bytes(range(256)) * 1024
    assert response(b"", body).buffer("file.sha256@to_client") == ()
    tx = response(b"", body, hashed=True)
    assert tx.buffer("file.sha256@to_client") == (hashlib.sha256(body).hexdigest().encode(),)
    assert tx.buffer("file.size@to_client") == (len(body).to_bytes(8, "big"),)
    assert tx.buffer("file.data@to_client") == [body[: limits.RESPONSE_BODY]]


def test_a_coded_body_is_the_file_that_it_was():
    tx = response(b"Content-Encoding: gzip\r\n", gzip.compress(b"plain"))
    assert tx.buffer("file.md5@to_client") == (b"ac7938d40cfc2307e2bf325d28e7884e",)


def test_eve(tx):
    assert tx.eve() == {
        "hostname": "www.example.com",
        "http_port": 8080,
        "url": "/a/%62/../c?q=%41",
        "http_user_agent": "agent/1",
        "http_content_type": "text/html",
        "http_refer": "http://r/",
        "http_method": "POST",
        "protocol": "HTTP/1.1",
        "status": 302,
        "redirect": "/next",
        "length": len(PAGE),
    }


def test_eve_of_hostile_bytes_is_text():
    tx = (
        SPEC.new_parser()
        .feed(TO_SERVER, b"GET /\xff\xc3\xa4 HTTP/1.1\r\nHost: \x80:99999999\r\n\r\n", 0)[0]
        .tx
    )
    assert tx.eve()["url"] == "/\\xff\\xc3\\xa4"
    assert tx.eve()["hostname"] == "\\x80"
    assert "http_port" not in tx.eve()


@pytest.mark.parametrize(
    ("header", "shown"),
    [
        (b"bytes 10-20/69", {"raw": "bytes 10-20/69", "start": 10, "end": 20, "size": 69}),
        (b"bytes 10-20/*", {"raw": "bytes 10-20/*", "start": 10, "end": 20}),
        (b"bytes */69", {"raw": "bytes */69", "size": 69}),
        (b"some of it", {"raw": "some of it"}),
    ],
)
def test_part_that_a_response_carries(header, shown):
    raw = b"HTTP/1.1 206 Partial\r\nContent-Range: " + header + b"\r\nContent-Length: 0\r\n\r\n"
    parser = SPEC.new_parser()
    parser.feed(TO_SERVER, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0)
    assert parser.feed(TO_CLIENT, raw, 0)[-1].tx.eve()["content_range"] == shown


@pytest.mark.parametrize("line", [b"CONNECT h:443 HTTP/1.1", b"GET http://h HTTP/1.1", b"GET /a/.. HTTP/1.1"])
def test_a_target_that_names_no_path_is_an_empty_uri(line):
    (stage, *_) = SPEC.new_parser().feed(TO_SERVER, line + b"\r\nHost: h\r\n\r\n", 0)
    assert stage.tx.buffer("http.uri") == (b"",)
    assert stage.tx.buffer("http.uri.raw") == (line.split()[1],)
