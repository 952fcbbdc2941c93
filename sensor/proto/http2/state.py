"""HTTP/2 of one connection: frames to streams, header blocks, bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.keeping import NO_POLICY, FilePolicy
from sensor.model.losses import Losses
from sensor.proto.http1 import limits as http_limits
from sensor.proto.http1.body import Body
from sensor.proto.http1.transaction import (
    REQUEST_BODY,
    REQUEST_COMPLETE,
    REQUEST_HEADERS,
    RESPONSE_BODY,
    RESPONSE_COMPLETE,
    RESPONSE_HEADERS,
)
from sensor.proto.http2 import frames, limits
from sensor.proto.http2.control import facts
from sensor.proto.http2.frames import Frame, FrameReader
from sensor.proto.http2.hpack import Decoder, IntegerError
from sensor.proto.http2.transaction import Http2Frame, Http2Transaction, logged
from sensor.proto.oddities import Oddities
from sensor.proto.reader import Reader, WireError

STAGE_FRAME, STAGE_SERVER_FRAME = 6, 7
"""Behind those of HTTP (`http1.transaction`): a frame of either side; one of the server's."""

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""Section 3.4."""
_OPENING = frozenset({frames.HEADERS, frames.PUSH_PROMISE})


_SIZES = MappingProxyType({frames.PRIORITY: 5, frames.RST_STREAM: 4, frames.WINDOW_UPDATE: 4})
"""Bytes of frames of one size only (RFC 9113 section 6)."""
_RANGE = re.compile(rb"bytes (?:[0-9]{1,20}-[0-9]{1,20}|\*)/(?:[0-9]{1,20}|\*)", re.IGNORECASE)
"""Content-Range (RFC 9110 section 14.4)."""


_STREAM, _FIELD = 3000, 150
"""Bytes that a stream, and a field, takes besides its text, which is there as a list of lines, by name, and joined."""


class _Stream:
    """An open stream."""

    __slots__ = ("cost", "ended", "frames", "seen", "tx")

    def __init__(self, tx: Http2Transaction) -> None:
        self.tx = tx
        self.cost = 0
        """Bytes of memory that its fields and bodies take, about."""
        self.frames = 0
        self.ended = [False, False]
        self.seen: set[tuple[int, int, tuple[int, ...]]] = set()
        """What frames said before: it counts once."""


class Http2Parser(Oddities):
    """`AppParser` of HTTP/2."""

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._readers = (FrameReader(), FrameReader())
        self._decoders = (Decoder(), Decoder())
        self._preface = b""
        """What came of the client's preface."""
        self._begun = False
        self._blocks: list[tuple[Frame, bytearray] | None] = [None, None]
        """Header block under way on each side, with the frame that began it."""
        self._count = 0
        self._streams: dict[int, _Stream] = {}
        self._closed: dict[int, int] = {}
        """Stream → number of its transaction."""
        self._held = 0
        self.losses = Losses()
        self._files = NO_POLICY
        self._spent: list[Body] = []
        """Bodies that are complete; what is kept of them is given back once it was seen."""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._files = policy

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        self._settle()
        if side == TO_SERVER and not self._begun and not self.done:
            data = self._take_preface(data)
        pieces = iter(()) if self.done else self._readers[side].feed(data)
        for frame in pieces:
            self._on_frame(side, frame, out)
            if self.done:
                self._end_all(out)
                break
        return out

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on if the lost bytes are all in one DATA frame; else frames and header tables are lost."""
        out: list[TxStage] = []
        if self.done:
            return out
        self._report(AppAnomaly.PROTOCOL_GAP, side)
        frame = self._readers[side].skip(length)
        stream = self._streams.get(frame.stream) if frame is not None else None
        if frame is None:
            self._end_all(out)
        elif stream is not None:
            self._body(stream.tx, side).skip(length)
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete what is pending."""
        out: list[TxStage] = []
        self._end_all(out)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return (
            sum(one.held for one in (*self._readers, *self._decoders))
            + self._held
            + sum(len(begun[1]) for begun in self._blocks if begun is not None)
        )

    def _take_preface(self, data: bytes) -> bytes:
        """Take the client's preface; return what follows it."""
        start = self._preface + data
        if len(start) < len(PREFACE) and PREFACE.startswith(start):
            self._preface = start
            return b""
        self._begun = True
        if start.startswith(PREFACE):
            return start[len(PREFACE) :]
        self._report(AppAnomaly.HTTP2_INVALID_CLIENT_MAGIC, TO_SERVER)
        return start

    # ---- frames

    def _on_frame(self, side: int, frame: Frame, out: list[TxStage]) -> None:
        self._count_frame(side, frame)
        if frame.kind == frames.DATA:
            self._on_data(side, frame, out)
        elif len(frame.payload) < frame.length:
            self._report(AppAnomaly.HTTP2_LONG_FRAME_DATA, side)
            self.done = frame.kind in {*_OPENING, frames.CONTINUATION}
        elif frame.kind in {*_OPENING, frames.CONTINUATION}:
            self._on_headers(side, frame, out)
        else:
            self._on_control(side, frame, out)

    def _count_frame(self, side: int, frame: Frame) -> None:
        stream = self._streams.get(frame.stream) if frame.last else None
        if stream is not None:
            stream.frames += 1
            if stream.frames == limits.FRAMES + 1:
                self._report(AppAnomaly.HTTP2_TOO_MANY_FRAMES, side)

    def _on_control(self, side: int, frame: Frame, out: list[TxStage]) -> None:
        found = facts(frame)
        if frame.length != _SIZES.get(frame.kind, frame.length):
            self._report(AppAnomaly.HTTP2_INVALID_FRAME_LENGTH, side)
        elif found is None:
            self._report(AppAnomaly.HTTP2_INVALID_FRAME_DATA, side)
        if found is None:
            return
        self._tell(side, frame, found.numbers, found.fields, out)
        stream = self._streams.get(frame.stream)
        if frame.kind == frames.RST_STREAM and stream is not None:
            self._end(stream, side, out)  # the other side may have said more before it knows
            self._close(frame.stream, out)

    def _tell(
        self, side: int, frame: Frame, numbers: dict[str, Sequence[int]], fields: dict[str, Any], out: list[TxStage]
    ) -> None:
        """Show a frame to rules. What a stream's frames say again and again is shown once."""
        stream = self._streams.get(frame.stream) if frame.stream else None
        if stream is not None:
            said = (side, frame.kind, tuple(value for listed in numbers.values() for value in listed)[:8])
            if said in stream.seen or len(stream.seen) >= limits.VALUES:
                numbers = {}
            else:
                stream.seen.add(said)
        if stream is not None:
            number = stream.tx.id
            stream.tx.said[side].update(logged(fields))
        elif frame.stream in self._closed:
            number, numbers = self._closed[frame.stream], {}
        else:
            number = self._count
            self._count += 1
        view = Http2Frame(number, side, frame.raw, numbers, fields, stream.tx if stream is not None else None)
        out.append(TxStage(view, STAGE_FRAME, side))
        if side == TO_CLIENT:
            out.append(TxStage(view, STAGE_SERVER_FRAME, side))

    # ---- header blocks

    def _on_headers(self, side: int, frame: Frame, out: list[TxStage]) -> None:
        begun = self._blocks[side]
        if frame.kind == frames.CONTINUATION:
            if begun is None or begun[0].stream != frame.stream:
                self._report(AppAnomaly.HTTP2_INVALID_FRAME_DATA, side)
                self.done = True
                return
            first, block = begun
            block += frame.payload
        else:
            fragment = _fragment(frame)
            if begun is not None or fragment is None or not frame.stream:
                self._report(AppAnomaly.HTTP2_INVALID_FRAME_DATA, side)
                self.done = True
                return
            first, block = frame, bytearray(fragment)
        if len(block) > limits.HEADER_BLOCK:
            self._report(AppAnomaly.HTTP2_REASSEMBLY_LIMIT_REACHED, side)
            self.done = True
        elif frame.flags & frames.END_HEADERS:
            self._blocks[side] = None
            self._on_block(side, first, frame, bytes(block), out)
        else:
            self._blocks[side] = first, block

    def _on_block(self, side: int, first: Frame, last: Frame, block: bytes, out: list[TxStage]) -> None:
        """Take a header that is complete. first, last: the frames that it begins and ends in."""
        decoder = self._decoders[side]
        try:
            fields = decoder.decode(block)
        except IntegerError:
            self._report(AppAnomaly.HTTP2_HEADER_INTEGER_OVERFLOW, side)
            self.done = True
            return
        except WireError:
            self._report(AppAnomaly.HTTP2_INVALID_HEADER, side)
            self.done = True
            return
        if first.kind == frames.PUSH_PROMISE:
            promised = Reader(first.payload, 1 if first.flags & frames.PADDED else 0).u32() & 0x7FFFFFFF
            stream = self._stream(promised, side, out)
            requesting = TO_SERVER
        else:
            stream, requesting = self._stream(first.stream, side, out), side
        found = facts(first)
        numbers = dict(found.numbers) if found is not None else {}
        if decoder.updates:
            numbers["http2.size_update"] = tuple(decoder.updates)
        self._tell(side, first, numbers, found.fields if found is not None else {}, out)
        if last is not first:
            self._tell(side, last, {"http2.frametype": (last.kind,)}, {}, out)
        if stream is None:
            return
        self._take_fields(stream, requesting, fields, out, over=bool(first.flags & frames.END_STREAM))
        if first.kind == frames.PUSH_PROMISE:
            self._end(stream, TO_SERVER, out)
        elif first.flags & frames.END_STREAM:
            self._end(stream, side, out)
            self._close(first.stream, out)

    def _take_fields(
        self, stream: _Stream, side: int, fields: list[tuple[bytes, bytes]], out: list[TxStage], *, over: bool
    ) -> None:
        """Take a header; a second one on a side are trailers, if they end it (RFC 9113 section 8.1)."""
        tx = stream.tx
        cost = sum(_FIELD + 3 * (len(name) + len(value)) for name, value in fields)
        if side == TO_CLIENT:
            self._check_range(fields)
            if tx.http.response is not None:
                if over and not stream.ended[side]:
                    tx.add_trailers(side, fields)
                    self._count_bytes(stream, cost, out)
            elif tx.take_response(fields):
                self._count_bytes(stream, cost, out)
                self._reach(tx, RESPONSE_HEADERS, TO_CLIENT, out)
        elif tx.http.request is None:
            found = tx.take_request(fields)
            self._count_bytes(stream, cost, out)
            authority, host = found.get(b":authority"), found.get(b"host")
            if authority and host and authority.lower() != host.lower():
                self._report(AppAnomaly.HTTP2_AUTHORITY_HOST_MISMATCH, TO_SERVER)
            if authority and b"@" in authority:
                self._report(AppAnomaly.HTTP2_USERINFO_IN_URI, TO_SERVER)
            self._reach(tx, REQUEST_HEADERS, TO_SERVER, out)
        elif over and not stream.ended[side]:
            tx.add_trailers(side, fields)
            self._count_bytes(stream, cost, out)

    def _count_bytes(self, stream: _Stream, nbytes: int, out: list[TxStage]) -> None:
        """Note that a stream holds more; the oldest of the others end where that is too much."""
        stream.cost += nbytes
        self._held += nbytes
        while self._held > limits.HELD and len(self._streams) > 1:
            oldest = next(number for number, one in self._streams.items() if one is not stream)
            self._finish(oldest, out)
            self.losses.transactions += 1

    def _check_range(self, fields: list[tuple[bytes, bytes]]) -> None:
        for name, value in fields:
            if name.lower() == b"content-range" and not _RANGE.fullmatch(value):
                self._report(AppAnomaly.HTTP2_INVALID_RANGE, TO_CLIENT)

    def _stream(self, number: int, side: int, out: list[TxStage]) -> _Stream | None:
        """Return an open stream, made if it is new; None: it has ended."""
        found = self._streams.get(number)
        if found is not None:
            return found
        if number in self._closed:
            if side == TO_SERVER:
                self._report(AppAnomaly.HTTP2_STREAM_ID_REUSE, side)
            return None
        if len(self._streams) >= limits.STREAMS:
            self._report(AppAnomaly.HTTP2_TOO_MANY_STREAMS, side)
            self._finish(next(iter(self._streams)), out)
        found = self._streams[number] = _Stream(Http2Transaction(self._count, number))
        self._count += 1
        self._count_bytes(found, _STREAM, out)
        return found

    # ---- bodies

    def _on_data(self, side: int, frame: Frame, out: list[TxStage]) -> None:
        stream = self._streams.get(frame.stream)
        if stream is not None and not stream.ended[side]:
            body = self._body(stream.tx, side)
            before = body.kept
            body.feed(frame.payload, 0, len(frame.payload))
            self._count_bytes(stream, body.kept - before, out)
            if body.full:
                self._reach_body(stream.tx, side, out)
        if not frame.last:
            return
        if not frame.stream:
            self._report(AppAnomaly.HTTP2_DATA_STREAM_ZERO, side)
        self._tell(side, frame, {"http2.frametype": (frames.DATA,)}, {}, out)
        if stream is not None and frame.flags & frames.END_STREAM:
            self._end(stream, side, out)
            self._close(frame.stream, out)

    def _body(self, tx: Http2Transaction, side: int) -> Body:
        http = tx.http
        if side == TO_CLIENT:
            http.response_body = http.response_body or Body.until_close(http_limits.RESPONSE_BODY)
            body = http.response_body
        else:
            http.request_body = http.request_body or Body.until_close(http_limits.REQUEST_BODY)
            body = http.request_body
        if not body.total and body.tail is None and not body.hashed:
            body.treat(self._files)
        return body

    def _settle(self) -> None:
        """Forget what was kept of bodies that were seen."""
        for body in self._spent:
            if body.tail is not None:
                body.tail.close()
        self._spent.clear()

    def _reach_body(self, tx: Http2Transaction, side: int, out: list[TxStage]) -> None:
        """Rules see all they will see of a body; of a form also each file."""
        stage = RESPONSE_BODY if side == TO_CLIENT else REQUEST_BODY
        if tx.http.reached >> stage & 1:
            return
        if side == TO_CLIENT and tx.http.response_body is not None and tx.http.response_body.total:
            odd = tx.http.decode_response()
            if odd is not None:
                self._report(AppAnomaly.HTTP2_FAILED_DECOMPRESSION, side)
        self._reach(tx, stage, side, out)
        if side == TO_SERVER:
            for file in tx.uploads():
                out += [TxStage(tx, each, side, file) for each in (REQUEST_BODY, REQUEST_COMPLETE)]

    # ---- ends

    def _reach(self, tx: Http2Transaction, stage: int, side: int, out: list[TxStage]) -> None:
        if not tx.http.reached >> stage & 1:
            tx.http.reached |= 1 << stage
            out.append(TxStage(tx, stage, side))

    def _end(self, stream: _Stream, side: int, out: list[TxStage]) -> None:
        """Complete one side of a stream, if it said anything."""
        tx = stream.tx
        if stream.ended[side]:
            return
        stream.ended[side] = True
        body = tx.http.response_body if side == TO_CLIENT else tx.http.request_body
        if body is not None:
            body.ended = True
            self._spent.append(body)
        if (tx.http.response if side == TO_CLIENT else tx.http.request) is None and body is None:
            return
        self._reach_body(tx, side, out)
        self._reach(tx, RESPONSE_COMPLETE if side == TO_CLIENT else REQUEST_COMPLETE, side, out)

    def _close(self, number: int, out: list[TxStage]) -> None:
        """Forget a stream both of whose sides have ended."""
        stream = self._streams.get(number)
        if stream is not None and all(stream.ended):
            self._finish(number, out)

    def _finish(self, number: int, out: list[TxStage]) -> None:
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        for side in (TO_SERVER, TO_CLIENT):
            body = stream.tx.http.response_body if side == TO_CLIENT else stream.tx.http.request_body
            if body is not None and not stream.ended[side]:
                body.cut = True
            self._end(stream, side, out)
        self._held -= stream.cost
        self._closed[number] = stream.tx.id
        if len(self._closed) > limits.CLOSED:
            del self._closed[next(iter(self._closed))]

    def _end_all(self, out: list[TxStage]) -> None:
        self.done = True
        for number in tuple(self._streams):
            self._finish(number, out)


def _fragment(frame: Frame) -> bytes | None:
    """Return the header block fragment of HEADERS or PUSH_PROMISE; None: padding or length are wrong (6.2, 6.6)."""
    reader = Reader(frame.payload)
    try:
        padding = reader.u8() if frame.flags & frames.PADDED else 0
        if frame.kind == frames.PUSH_PROMISE:
            reader.skip(4)
        elif frame.flags & frames.WITH_PRIORITY:
            reader.skip(5)
        return reader.take(reader.left() - padding)
    except WireError:
        return None
