"""The parts of an HTTP/1 frame (`sensor.model.frames`), by number."""

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import Framing
from sensor.model.frames import ALTERED, BLURRED, CODED

(
    METHOD, URI, URI_RAW, LINE, PROTOCOL, HOST, HOST_RAW, USER_AGENT, REFERER, COOKIE, ACCEPT, ACCEPT_LANG, ACCEPT_ENC,
    CONNECTION, CONTENT_TYPE, CONTENT_LEN, HEADER, HEADER_RAW, NAMES, STATUS, REASON, SERVER, START, BODY, FILE,
) = range(25)  # fmt: skip
LOCATION = METHOD
"""Of responses, which have no method."""
CODING, TRANSFER, AUTHORIZATION, ODD = 252, 253, 254, 255
"""Header fields that tell how the message reads; the last one of a kind that the framer does not know."""

PARTS_OF = MappingProxyType({
    "http.method": METHOD, "http.uri": URI, "http.uri.raw": URI_RAW, "http.request_line": LINE,
    "http.protocol": PROTOCOL, "http.host": HOST, "http.host.raw": HOST_RAW, "http.user_agent": USER_AGENT,
    "http.referer": REFERER, "http.cookie": COOKIE, "http.accept": ACCEPT, "http.accept_lang": ACCEPT_LANG,
    "http.accept_enc": ACCEPT_ENC, "http.connection": CONNECTION, "http.content_type": CONTENT_TYPE,
    "http.content_len": CONTENT_LEN, "http.header": HEADER, "http.header.raw": HEADER_RAW,
    "http.header_names": NAMES, "http.request_body": BODY, "file.data": FILE, "http.stat_code": STATUS,
    "http.stat_msg": REASON, "http.response_line": LINE, "http.server": SERVER, "http.location": LOCATION,
    "http.protocol@to_client": PROTOCOL, "http.cookie@to_client": COOKIE,
    "http.connection@to_client": CONNECTION, "http.content_type@to_client": CONTENT_TYPE,
    "http.content_len@to_client": CONTENT_LEN, "http.header@to_client": HEADER,
    "http.header.raw@to_client": HEADER_RAW, "http.header_names@to_client": NAMES,
    "http.response_body": BODY, "file.data@to_client": FILE, "http.start": START, "http.start@to_client": START,
})  # fmt: skip
"""Buffer of a rule → the part of a frame that it is. Names of response buffers alone tell the side."""

_OF_BOTH = (
    "http.header", "http.header_names", "http.start", "http.cookie", "http.connection", "http.content_type",
    "http.content_len",
)  # fmt: skip
_OF_RESPONSES = ("http.server", "http.location", "http.response_header")
_FIELDS = (
    *_OF_BOTH, "http.host", "http.host.raw", "http.user_agent", "http.referer", "http.accept", "http.accept_lang",
    "http.accept_enc", "http.request_header",
)  # fmt: skip
"""Buffers that are made of header fields."""

REQUEST_HEAD, REQUEST_BODY, RESPONSE_HEAD, RESPONSE_BODY = 0, 1, 3, 4
"""Stages (`fields.SPEC.stages`)."""

FRAMING = Framing(
    parts=PARTS_OF,
    text=frozenset({NAMES}),
    goes_on=BODY,
    cookie=COOKIE,
    without_cookie=frozenset({HEADER}),
    otherwise=MappingProxyType({
        ALTERED: (("http.uri",), ()),
        CODED: (("http.request_body", "file.data"), ("http.response_body", "file.data@to_client")),
        BLURRED: (_FIELDS, tuple(f"{name}@to_client" for name in _OF_BOTH) + _OF_RESPONSES),
    }),
    heads=(REQUEST_HEAD, RESPONSE_HEAD),
    wholes=(REQUEST_BODY, RESPONSE_BODY),
    tells=frozenset({
        AppAnomaly.HTTP_REQUEST_AUTH_UNRECOGNIZED, AppAnomaly.HTTP_MISSING_HOST_HEADER,
        AppAnomaly.HTTP_INVALID_TRANSFER_ENCODING_VALUE_IN_REQUEST, AppAnomaly.HTTP_INVALID_REQUEST_LINE,
        AppAnomaly.HTTP_INVALID_RESPONSE_LINE, AppAnomaly.HTTP_AMBIGUOUS_LENGTH, AppAnomaly.HTTP_HEADER_TOO_LONG,
        AppAnomaly.HTTP_DECOMPRESSION_FAILED, AppAnomaly.HTTP_DECOMPRESSION_BOMB, AppAnomaly.HTTP_DOUBLE_ENCODED_URI,
    }),
    marked=frozenset({
        AppAnomaly.HTTP_REQUEST_AUTH_UNRECOGNIZED, AppAnomaly.HTTP_MISSING_HOST_HEADER,
        AppAnomaly.HTTP_DOUBLE_ENCODED_URI,
    }),
)
