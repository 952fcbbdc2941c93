"""Frames of HTTP/1 messages (`sensor.model.frames`): heads in which nothing is odd, and where their bodies end.

What the kernel takes for plain, the parser reads as it stands: of such a message each part is the buffer that rules
see, and where the parser finds something odd the frame says so (`ODD`). Whatever else comes (folded lines, chunks or
codings that are not all here, a head cut by the end of a block) it refuses, and the flow is parsed.
"""

from __future__ import annotations

from types import MappingProxyType

import numpy as np

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.frames import ALL, CODED, CONTINUED, FORM, FRAME, HEAD, OPEN, Framed
from sensor.model.growing import grown
from sensor.proto.framer import Following
from sensor.proto.http1 import parse
from sensor.proto.http1 import parts as p
from sensor.proto.http1.kernels_frame import NAMES_T, REFUSED, frame
from sensor.proto.http1.state import HttpParser
from sensor.proto.http1.transaction import REQUEST_COMPLETE, RESPONSE_COMPLETE, HttpTransaction

_NAMES = MappingProxyType({
    TO_SERVER: {
        b"host": p.HOST_RAW, b"user-agent": p.USER_AGENT, b"referer": p.REFERER, b"cookie": p.COOKIE,
        b"accept": p.ACCEPT, b"accept-language": p.ACCEPT_LANG, b"accept-encoding": p.ACCEPT_ENC,
        b"connection": p.CONNECTION, b"content-type": p.CONTENT_TYPE, b"content-length": p.CONTENT_LEN,
        b"transfer-encoding": p.TRANSFER, b"content-encoding": p.CODING, b"upgrade": p.ODD,
        b"authorization": p.AUTHORIZATION,
    },
    TO_CLIENT: {
        b"set-cookie": p.COOKIE, b"connection": p.CONNECTION, b"content-type": p.CONTENT_TYPE,
        b"content-length": p.CONTENT_LEN, b"server": p.SERVER, b"location": p.LOCATION,
        b"transfer-encoding": p.TRANSFER, b"content-encoding": p.CODING, b"upgrade": p.ODD,
        b"content-range": p.ODD,
    },
})  # fmt: skip

_ROOM = 1 << 13
_TEXT_ROOM = 1 << 21
"""Messages, and bytes of names, of one block; a flow whose messages find no room is parsed."""
_WHOLE = 1 << 18
"""Bytes of a message that is parsed to look at its body; of a longer one only the head is looked at."""


_HARMLESS = p.FRAMING.marked | {AppAnomaly.HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST}
"""What frames tell themselves, and what is odd about a response by itself: rules see such a message as it is."""


class HttpFramer(Following):
    """Cuts the streams of a block into frames (see `sensor.proto.framer.Framer`)."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = np.zeros(0, np.int32)
        self._names = _table()
        self._frames, self._text = np.empty(_ROOM, FRAME), np.empty(_TEXT_ROOM, np.uint8)

    def frame(self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray) -> Framed:
        """See `Framer`."""
        if self._follow(units, picked, flows):
            self._waiting = grown(self._waiting, 2 * flows.size)
        first, verdict = np.zeros(units.size + 1, np.int32), np.zeros(units.size, np.uint8)
        n = frame(
            data, units, picked.view(np.uint8), flows, self._owner, self._next, self._waiting, self._names, _POOL,
            self._frames, self._text, first, verdict,
        )  # fmt: skip
        refused = np.flatnonzero(verdict == REFUSED).astype(np.int32)
        plain = (picked & (verdict != REFUSED)).view(np.uint8)
        return Framed(self._frames[:n], first, self._text, plain, refused, refused[:0])

    def message(self, data: np.ndarray, frame: np.void, *, whole: bool) -> tuple[HttpTransaction, int] | None:
        """See `Framer`."""
        side, coded = int(frame["side"]), bool(frame["flags"] & CODED)
        if not whole and not coded:
            return head_of(data[int(frame["first"]) : int(frame["head"])].tobytes(), side), HEAD
        size = int(frame["last"]) - int(frame["first"])
        if not coded and (frame["flags"] & (OPEN | CONTINUED) or size > _WHOLE):
            return None
        tx = whole_of(data[int(frame["first"]) : int(frame["last"])].tobytes(), side)
        form = tx is not None and side == TO_SERVER and bool(tx.uploads())
        if tx is None or (form and coded):
            return None
        return tx, FORM if form else ALL


def head_of(data: bytes, side: int) -> HttpTransaction:
    """Return what is known of an exchange once the head of one of its messages is. data: a plain head, all of it."""
    line, _, raw = data.partition(b"\r\n")
    headers = parse.headers(raw[:-4].split(b"\r\n") if len(raw) > 2 else [], split_folded=side == TO_CLIENT)
    tx = HttpTransaction(0)
    tx.reached = 1 << p.FRAMING.heads[side]
    if side == TO_SERVER:
        tx.request, tx.request_headers, tx.request_raw = parse.request_line(line), headers, raw
    else:
        tx.response, tx.response_headers, tx.response_raw = parse.status_line(line), headers, raw
    return tx


def whole_of(data: bytes, side: int) -> HttpTransaction | None:
    """Return what is known of an exchange once one of its messages is. data: all of it; None: something is odd."""
    parser = HttpParser()
    stages = parser.feed(side, data, 0)
    complete = REQUEST_COMPLETE if side == TO_SERVER else RESPONSE_COMPLETE
    odd = {what for what, _ in parser.anomalies()} - _HARMLESS
    if odd or not stages or stages[-1].stage != complete:
        return None
    tx: HttpTransaction = stages[-1].tx
    return tx


def _table() -> np.ndarray:
    rows, at = [], 0
    for side, names in _NAMES.items():
        for name, part in names.items():
            rows.append((at, len(name), side, part))
            at += len(name)
    return np.array(rows, NAMES_T)


_POOL = np.frombuffer(b"".join(name for names in _NAMES.values() for name in names), np.uint8).copy()
