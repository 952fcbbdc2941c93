"""Where a message body ends (RFC 9112 section 6), and the part of it that rules see."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.keeping import FilePolicy, Tail
from sensor.proto.files import FileHash
from sensor.proto.http1 import limits, parse

_LENGTH, _CLOSE, _CHUNK_LINE, _CHUNK_DATA, _CHUNK_END, _TRAILER = range(6)
_ENDLESS = 1 << 62


class Body:
    """Cuts one body out of a stream fed in any pieces.

    Construct with `sized`, `chunked` or `until_close`. `parts` holds the payload without framing, cut at
    `limit` bytes; bytes lost on the way begin a new part.
    """

    __slots__ = (
        "_chunks", "_fallback", "_left", "_mode", "_trailer", "cut", "ended", "faults", "framing", "gaps", "hash",
        "hashed", "limit", "parts", "strict", "tail", "total", "trailers",
    )  # fmt: skip

    def __init__(self, mode: int, left: int, limit: int, fallback: int = -1) -> None:
        self._mode = mode
        self._left = left
        self._fallback = fallback
        self._chunks = 0
        self._trailer = 0
        self.limit = limit
        self.parts = [bytearray()]
        self.total = 0
        """Payload bytes seen, kept or not."""
        self.framing = 0
        """Bytes of chunk framing, trailers left out."""
        self.ended = mode == _LENGTH and left == 0
        self.cut = False
        """Its end never came."""
        self.gaps = False
        """Bytes of it are lost."""
        self.faults: list[AppAnomaly] = []
        self.strict = False
        """An empty line where the size of a chunk should be is a fault."""
        self.hashed = False
        """What is beyond the limit is to be hashed: some rule asks for hashes of files."""
        self.hash: FileHash | None = None
        self.trailers: list[bytes] = []
        """Lines of fields behind the last chunk, with their ends."""
        self.tail: Tail | None = None
        """What is kept beyond the limit."""

    @classmethod
    def sized(cls, length: int, limit: int) -> Body:
        """Return a body of known length."""
        return cls(_LENGTH, length, limit)

    @classmethod
    def chunked(cls, limit: int, fallback: int = -1) -> Body:
        """Return a chunked body.

        If its first line is no chunk size, it is plain and of `fallback` length (-1: until close).
        """
        return cls(_CHUNK_LINE, 0, limit, fallback)

    @classmethod
    def until_close(cls, limit: int) -> Body:
        """Return a body that ends with the connection."""
        return cls(_CLOSE, 0, limit)

    def treat(self, policy: FilePolicy) -> None:
        """Learn what to do with what is beyond the limit, before the first byte."""
        self.hashed = policy.hashed
        self.tail = policy.tail(self.limit)

    @property
    def kept(self) -> int:
        """Bytes in memory."""
        return sum(map(len, self.parts)) + sum(map(len, self.trailers))

    @property
    def length(self) -> int:
        """Its bytes as they were sent: with the framing of chunks, without trailers."""
        return self.total + self.framing

    @property
    def rest(self) -> bytes:
        """What is kept beyond the limit."""
        return self.tail.bytes() if self.tail is not None else b""

    @property
    def whole(self) -> bool:
        """Nothing of it is missing."""
        return self.ended and not self.cut and not self.gaps

    @property
    def full(self) -> bool:
        """No further byte will be kept."""
        return self.total >= self.limit

    @property
    def idle(self) -> int:
        """So many bytes may follow that end nothing: neither the body nor the part of it that rules see."""
        if self._mode == _CHUNK_DATA:
            left = self._left
        elif self._mode == _LENGTH:
            left = self._left - 1
        else:
            left = _ENDLESS if self._mode == _CLOSE else 0
        room = self.limit - self.total
        return left if room <= 0 or left < room else room - 1

    def feed(self, data: bytes | bytearray, pos: int, end: int) -> int:
        """Consume `data[pos:end]` as far as it is part of the body and complete; return the new position."""
        while pos < end and not self.ended:
            mode = self._mode
            if mode == _CLOSE:
                self._keep(data, pos, end)
                return end
            if mode in (_LENGTH, _CHUNK_DATA):
                stop = min(end, pos + self._left)
                self._keep(data, pos, stop)
                self._spend(stop - pos)
                pos = stop
                continue
            newline = data.find(b"\n", pos, min(end, pos + limits.CHUNK_LINE))
            if newline < 0 and end - pos < limits.CHUNK_LINE and self._waits(data, pos):
                return pos
            pos = self._line(data, pos, newline)
        return pos

    def extend(self, data: bytes) -> None:
        """Add what a sender has put behind the end."""
        self._keep(data, 0, len(data))

    def skip(self, nbytes: int) -> bool:
        """Note lost bytes; False: the framing is lost with them."""
        self._cut()
        if self._mode == _CLOSE:
            self.total += nbytes
            return True
        if self._mode in (_LENGTH, _CHUNK_DATA) and nbytes <= self._left:
            self.total += nbytes
            self._spend(nbytes)
            return True
        return False

    def tear(self, nbytes: int, *, whole_head: bool) -> bool:
        """Note lost bytes, with which the framing is lost; False: the body has ended in them.

        whole_head: none of them are of its message's header.
        """
        if whole_head and self._mode == _LENGTH:
            return False
        self._cut()
        self._mode, self._left = _CLOSE, 0
        self.ended = False
        self.total += nbytes
        return True

    def close(self, data: bytes | bytearray, pos: int, end: int) -> None:
        """End the body here, whatever is missing; `data[pos:end]` is a line that has not ended."""
        if self._mode == _CHUNK_LINE and not self._chunks and parse.chunk_size(bytes(data[pos:end])) < 0:
            self._give_up_chunks()
            self.feed(data, pos, end)
        self.cut = not self.ended and self._mode != _CLOSE
        self.ended = True

    def _waits(self, data: bytes | bytearray, pos: int) -> bool:
        """Whether an incomplete line of chunk framing may still become a good one."""
        return self._mode != _CHUNK_LINE or parse.may_be_chunk_size(bytes(data[pos : pos + 64]))

    def _spend(self, nbytes: int) -> None:
        self._left -= nbytes
        if self._left == 0:
            if self._mode == _LENGTH:
                self.ended = True
            else:
                self._mode = _CHUNK_END

    def _keep(self, data: bytes | bytearray, pos: int, stop: int) -> None:
        room = self.limit - self.total
        if self.hashed and stop - pos > room:
            self._hash(data, pos, stop)
        if self.tail is not None and stop - pos > room:
            self.tail.add(data[pos + max(0, room) : stop])
        if room > 0:
            self.parts[-1] += data[pos : min(stop, pos + room)]
        self.total += stop - pos

    def _hash(self, data: bytes | bytearray, pos: int, stop: int) -> None:
        if self.hash is None:
            self.hash = FileHash(self.parts[0])
        self.hash.update(memoryview(data)[pos:stop])

    def _cut(self) -> None:
        self.hash, self.hashed = None, False
        self.gaps = True
        if self.tail is not None:
            self.tail.stop()
        if self.parts[-1]:
            if len(self.parts) < limits.BODY_PARTS:
                self.parts.append(bytearray())
            else:
                self.limit = min(self.limit, self.total)

    def _line(self, data: bytes | bytearray, pos: int, newline: int) -> int:
        """Take a line of chunk framing; newline < 0: longer than any such line may be."""
        stop = newline if newline >= 0 else pos + limits.CHUNK_LINE
        if self._mode == _CHUNK_LINE:
            return self._size_line(data, pos, stop, newline)
        line = bytes(data[pos:stop])
        if self._mode == _CHUNK_END:
            if line not in (b"", b"\r"):
                self._fault(AppAnomaly.HTTP_INVALID_CHUNK)
            self.framing += len(line) + (newline >= 0)
            if newline >= 0:
                self._mode = _CHUNK_LINE
        else:
            self._trailer += len(line)
            if newline >= 0 and line.strip() and len(self.trailers) < limits.HEADERS:
                self.trailers.append(bytes(data[pos : newline + 1]))
            if self._trailer > limits.HEADER_BYTES:
                self.faults.append(AppAnomaly.HTTP_HEADER_TOO_LONG)
            self.ended = line in (b"", b"\r") or self._trailer > limits.HEADER_BYTES
        return stop + (newline >= 0)

    def _size_line(self, data: bytes | bytearray, pos: int, stop: int, newline: int) -> int:
        line = bytes(data[pos:stop])
        if newline >= 0 and line in (b"", b"\r"):
            if self.strict:
                self._fault()
            self.framing += len(line) + 1
            return stop + 1
        size = parse.chunk_size(line) if newline >= 0 else -1
        if size < 0:
            self._fault()
            self._give_up_chunks()
            return pos
        if size > limits.CHUNK_BYTES:
            self._fault()
            self._give_up_chunks()
            return pos
        if b";" in line:
            self._fault(AppAnomaly.HTTP_REQUEST_CHUNK_EXTENSION)
        self._chunks += 1
        self.framing += len(line) + 1
        self._left = size
        self._mode = _CHUNK_DATA if size else _TRAILER
        return stop + 1

    def _give_up_chunks(self) -> None:
        """Read on as clients do: what is not chunked after all is plain."""
        if self._chunks == 0 and self._fallback >= 0:
            self._mode = _LENGTH
            self._left = self._fallback
            self.ended = self._left == 0
        else:
            self._mode = _CLOSE

    def _fault(self, what: AppAnomaly = AppAnomaly.HTTP_INVALID_RESPONSE_CHUNK_LEN) -> None:
        """Note a fault, as it is called in responses; by default that a chunk's size is none."""
        if what not in self.faults:
            self.faults.append(what)
