"""What rules may test of HTTP/2: the buffers of HTTP, and frames. HPACK leaves no text as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import (
    RAW_DERIVED,
    RAW_VERBATIM,
    TO_CLIENT,
    TO_SERVER,
    BufferSpec,
    NumberSpec,
    ProtocolSpec,
    StageSpec,
    TxStage,
)
from sensor.model.files import FileInfo
from sensor.proto.http1.fields import SPEC as HTTP
from sensor.proto.http1.transaction import (
    REQUEST_COMPLETE,
    REQUEST_HEADERS,
    RESPONSE_COMPLETE,
    RESPONSE_HEADERS,
    files_of,
)
from sensor.proto.http2.frames import ERRORS, KINDS, SETTINGS_NAMES
from sensor.proto.http2.state import STAGE_FRAME, STAGE_SERVER_FRAME, Http2Parser

_U32 = 0xFFFFFFFF
_FRAMES = (("pdu", "each frame, its first 64 KB"), ("hdr", "its header"), ("data", "its payload"))


def _is_of_text(name: str) -> bool:
    """Tell whether a buffer of HTTP/1 is about its text form, which has no counterpart."""
    return name.startswith(("frame.", "http.start"))


def _files_at(stage: TxStage) -> Iterable[FileInfo]:
    if stage.file is not None or stage.stage not in (REQUEST_COMPLETE, RESPONSE_COMPLETE):
        return ()
    return files_of(stage.tx.http, stage.stage)


SPEC = ProtocolSpec(
    name="http2",
    transports=(6,),
    ports=(80, 8080),
    stages=(*HTTP.stages, StageSpec("frame", TO_SERVER), StageSpec("server_frame", TO_CLIENT)),
    buffers=(
        *(replace(one, raw=RAW_DERIVED) for one in HTTP.buffers if not _is_of_text(one.name)),
        BufferSpec("http2.header_name", REQUEST_HEADERS, RAW_DERIVED, True, help="each name of a header"),
        BufferSpec("http2.header_name@to_client", RESPONSE_HEADERS, RAW_DERIVED, True, help="each name of a header"),
        *(BufferSpec(f"frame.http2.{name}", STAGE_FRAME, RAW_VERBATIM, help=text) for name, text in _FRAMES),
        *(
            BufferSpec(f"frame.http2.{name}@to_client", STAGE_SERVER_FRAME, RAW_VERBATIM, help=text)
            for name, text in _FRAMES
        ),
    ),
    numbers=(
        NumberSpec("http2.frametype", STAGE_FRAME, "type of a frame", 0xFF, KINDS),
        NumberSpec("http2.errorcode", STAGE_FRAME, "code of RST_STREAM or GOAWAY", _U32, ERRORS),
        NumberSpec("http2.priority", STAGE_FRAME, "weight in PRIORITY or HEADERS"),
        NumberSpec("http2.window", STAGE_FRAME, "increment of WINDOW_UPDATE", _U32),
        NumberSpec("http2.size_update", STAGE_FRAME, "size of the table that a header block announces", _U32),
        *(
            NumberSpec(f"http2.settings.{name}", STAGE_FRAME, f"value of SETTINGS_{name.upper()}", _U32)
            for name in SETTINGS_NAMES
        ),
    ),
    new_parser=Http2Parser,
    files=_files_at,
    events=tuple(one for one in AppAnomaly if one.name.startswith("HTTP2_")),
    log_stages=(RESPONSE_COMPLETE,),
    also=("http",),
    carriers=("http",),
    tunnelled=True,
    switch=(b"h2c\r\n", b"upgrade: h2c"),
    eve_key="http",
)
