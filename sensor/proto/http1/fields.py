"""What rules may test of HTTP/1: stages and buffers, with Suricata's names.

A buffer that exists on both sides is declared twice: `http.header` for the request and
`http.header@to_client` for the response; a rule's direction chooses.
"""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import (
    RAW_BODY,
    RAW_DERIVED,
    RAW_HEADERS,
    RAW_URI,
    RAW_VERBATIM,
    TO_CLIENT,
    TO_SERVER,
    BufferSpec,
    ProtocolSpec,
    StageSpec,
)
from sensor.proto.http1.parts import FRAMING
from sensor.proto.http1.state import HttpParser
from sensor.proto.http1.transaction import MAKERS, REQUEST_COMPLETE, RESPONSE_COMPLETE, files_of

_STAGES = (
    StageSpec("request_headers", TO_SERVER),
    StageSpec("request_body", TO_SERVER),
    StageSpec("request_complete", TO_SERVER),
    StageSpec("response_headers", TO_CLIENT),
    StageSpec("response_body", TO_CLIENT),
    StageSpec("response_complete", TO_CLIENT),
)


V, U, H, B, D = RAW_VERBATIM, RAW_URI, RAW_HEADERS, RAW_BODY, RAW_DERIVED


def _spec(name: str, text: str, raw: str, *aliases: str, multi: bool = False) -> BufferSpec:
    lowercase = name == "http.host" or name.partition("@")[0] in ("file.md5", "file.sha1", "file.sha256")
    return BufferSpec(name, MAKERS[name][0], raw, multi, aliases, lowercase, text)


def _files(side: str = "") -> tuple[BufferSpec, ...]:
    name = "file name in Content-Disposition, else the path of the request"
    hashes = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}
    return (
        _spec(f"file.name{side}", name, D, f"file_name{side}"),
        _spec(f"file.size{side}", "bytes of the file, eight bytes big-endian", D),
        _spec(f"file.magic{side}", "kind of the file, in words", D, f"file_magic{side}"),
        *(_spec(f"file.{key}{side}", f"{text} of the whole file in hex digits", D) for key, text in hashes.items()),
    )


_BUFFERS = (
    _spec("http.method", "request method", V, "http_method"),
    _spec("http.uri", "request target, decoded and normalised", U, "http_uri", "uricontent"),
    _spec("http.uri.raw", "request target as sent", V, "http_raw_uri"),
    _spec("http.request_line", "request line as sent", V, "http_request_line"),
    _spec("http.protocol", "protocol of the request line", V, "http_protocol"),
    _spec("http.host", "host without port, lowercase", H, "http_host"),
    _spec("http.host.raw", "host as sent", H, "http_raw_host"),
    _spec("http.user_agent", "User-Agent", H, "http_user_agent"),
    _spec("http.referer", "Referer", H, "http_referer"),
    _spec("http.cookie", "Cookie", H, "http_cookie"),
    _spec("http.accept", "Accept", H, "http_accept"),
    _spec("http.accept_lang", "Accept-Language", H, "http_accept_lang"),
    _spec("http.accept_enc", "Accept-Encoding", H, "http_accept_enc"),
    _spec("http.connection", "Connection", H, "http_connection"),
    _spec("http.content_type", "Content-Type", H, "http_content_type"),
    _spec("http.content_len", "Content-Length, as text", H, "http_content_len"),
    _spec("http.header", "request headers, one `Name: value` line each, without Cookie", H, "http_header"),
    _spec("http.header.raw", "request header block as sent", V, "http_raw_header"),
    _spec("http.header_names", "names of the request headers, in order", H, "http_header_names"),
    _spec("http.request_header", "each header as `Name: value`", H, "http_request_header", multi=True),
    _spec("http.start", "request line and headers", H, "http_start"),
    _spec("http.request_body", "request body without chunk framing", B, "http_client_body", multi=True),
    _spec("file.data", "request body, codings undone", B, "file_data", multi=True),
    *_files(),
    _spec("frame.http1.request", "a whole request", B),
    _spec("frame.http1.response", "a whole response", B),
    _spec("http.stat_code", "status code", V, "http_stat_code"),
    _spec("http.stat_msg", "reason phrase", V, "http_stat_msg"),
    _spec("http.response_line", "status line as sent", V, "http_response_line"),
    _spec("http.server", "Server", H, "http_server"),
    _spec("http.location", "Location", H, "http_location"),
    _spec("http.response_header", "each header as `Name: value`", H, "http_response_header", multi=True),
    _spec("http.protocol@to_client", "protocol of the status line", V, "http_protocol@to_client"),
    _spec("http.cookie@to_client", "Set-Cookie", H, "http_cookie@to_client"),
    _spec("http.connection@to_client", "Connection", H, "http_connection@to_client"),
    _spec("http.content_type@to_client", "Content-Type", H, "http_content_type@to_client"),
    _spec("http.content_len@to_client", "Content-Length, as text", H, "http_content_len@to_client"),
    _spec("http.header@to_client", "response headers without Set-Cookie", H, "http_header@to_client"),
    _spec("http.header.raw@to_client", "response header block as sent", V, "http_raw_header@to_client"),
    _spec("http.header_names@to_client", "names of the response headers", H, "http_header_names@to_client"),
    _spec("http.start@to_client", "status line and headers", H, "http_start@to_client"),
    _spec("http.response_body", "response body, codings undone", B, "http_response_body", multi=True),
    _spec("file.data@to_client", "response body, codings undone", B, "file_data@to_client", multi=True),
    *_files("@to_client"),
)  # fmt: skip

SPEC = ProtocolSpec(
    name="http",
    transports=(6,),
    ports=(80, 81, 591, 3128, 8000, 8008, 8080, 8081, 8088, 8888),
    stages=_STAGES,
    buffers=_BUFFERS,
    new_parser=HttpParser,
    files=lambda stage: () if stage.file is not None else files_of(stage.tx, stage.stage),
    events=tuple(one for one in AppAnomaly if one.name.startswith("HTTP_")),
    log_stages=(RESPONSE_COMPLETE,),
    framing=FRAMING,
    rule_names=("http1",),
    message_ends=(REQUEST_COMPLETE, RESPONSE_COMPLETE),
    tunnels=(b"connect ", b"connect\t"),
    tunnelled=True,
)
