"""The bytes of one side of an HTTP/1 connection cut into messages: lines, header blocks, bodies, losses."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import limits, parse

if TYPE_CHECKING:
    from sensor.proto.http1.body import Body

START, HEADERS, MAYBE, BODY, RESYNC, DEAD = range(6)
"""MAYBE: a message that must not have a body announces one; the next bytes tell."""

_BLANK = b" \t\r\n\x0b\x0c\x00"
_SKIP_AT_ONCE = 4096
_LINE = 50
"""Bytes that a line takes besides its text."""


class Side:
    """State machine of one direction. Subclasses say what a start line and a header block mean.

    Each byte is looked at a bounded number of times, however the stream is cut.
    """

    TOO_MANY: ClassVar[AppAnomaly]
    """More header lines than `limits.MOST_HEADERS`."""
    LF_CR: ClassVar[bool] = False
    """A CR behind a bare LF is of the line that ends."""
    TOO_LONG: ClassVar[AppAnomaly | None] = None
    """A line that is long before it has ended."""

    def __init__(self) -> None:
        self.state = START
        self.body: Body | None = None
        self.closing = False
        """No further bytes will come: look-ahead ends here."""
        self._buf: bytes | bytearray = b""
        self._pos = 0
        self._scan = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._junk = 0
        self._count = 0
        self._long = False
        self._told = False
        self._ending = False
        """A message is over, and what came with its last bytes is not known to begin another one."""

    # ---- what subclasses define

    def on_start(self, line: bytes) -> bool | None:
        """Take a start line (line end included).

        True: a message begins; False: it is none, skip it; None: more bytes are needed to tell. May set
        `state`, or consume the line, itself instead: then the line is not consumed and the answer does not count.
        """
        raise NotImplementedError

    def on_rest(self, rest: bytes) -> None:
        """Take what is left where a start line should be: complete a message, set `state` and `body`, or let it go."""

    def on_headers(self, raw: bytes, lines: list[bytes]) -> None:
        """Take a header block, as sent (empty line included) and as lines: set `state` and `body`."""
        raise NotImplementedError

    def on_broken_headers(self, raw: bytes, lines: list[bytes], torn: bytes) -> None:
        """Take the lines of a header block that breaks off. torn: the beginning of one more, which is none of them."""
        raise NotImplementedError

    def on_body(self) -> None:
        """Look at `body` after it took bytes."""
        raise NotImplementedError

    def takes_all(self) -> bool:
        """Go on with a body, if whatever comes is of one, where a start line should be: return whether it is."""
        return False

    def is_extra(self, line: bytes, *, whole: bool) -> bool:
        """Whether bytes right behind a message are no start of another: they belong to its body. whole: a line."""
        raise NotImplementedError

    def is_next(self, data: bytes) -> bool:
        """Whether later bytes begin a message, though a line in front of them has not ended."""
        raise NotImplementedError

    def on_end(self) -> None:
        """Complete the message whose body is over."""
        raise NotImplementedError

    def message_held(self) -> int:
        """Return the bytes of the message under way that are taken from the stream already."""
        raise NotImplementedError

    def tear(self, nbytes: int, *, whole_head: bool) -> bool:  # noqa: ARG002 - for subclasses
        """Go on with the body in progress though bytes of the message are lost; False: it ends before them.

        whole_head: none of its header is.
        """
        return False

    def on_maybe(self, *, message: bool) -> None:
        """Decide about a doubtful body: message: a new message follows, so there is none."""
        raise NotImplementedError

    def is_start(self, line: bytes) -> bool:
        """Whether a line is surely a start line (after a loss, where starts are looked for line by line)."""
        raise NotImplementedError

    def starts_message(self, data: bytes) -> bool | None:
        """Whether bytes (without leading blanks) begin a message; None: too few to tell."""
        raise NotImplementedError

    def anomaly(self, what: AppAnomaly) -> None:
        """Report what is odd."""
        raise NotImplementedError

    # ---- input

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        if self.state == DEAD:
            return
        if self._ending and self.is_next(data):
            self._take_extra(len(self._buf) - self._pos)
            self._finish_message()
        if self._pos == len(self._buf):
            self._buf, self._pos, self._scan = data, 0, 0
        elif isinstance(self._buf, bytearray):
            if self._pos:
                del self._buf[: self._pos]
                self._scan -= self._pos
                self._pos = 0
            self._buf += data
        else:
            self._buf = bytearray(self._buf[self._pos :])
            self._scan -= self._pos
            self._pos = 0
            self._buf += data
        self._run()
        if self._pos == len(self._buf):
            self._drop()

    @property
    def held(self) -> int:
        """Bytes of the message under way in memory, and about what its lines take besides."""
        return len(self._buf) + sum(map(len, self._lines)) + _LINE * len(self._lines) + self.message_held()

    def gap(self, nbytes: int) -> None:
        """Note lost bytes: end what is incomplete, unless it is a body whose length spans the loss."""
        state = self.state
        if state == DEAD or nbytes <= 0:
            return
        if state == BODY and self.body is not None and self.body.skip(nbytes):
            self._drop()
            self.on_body()
            return
        self._end_head()
        if not self.tear(nbytes, whole_head=state == BODY):
            self._end_body()
        self._drop()
        if self.state != DEAD:
            self.resync()
        self.anomaly(AppAnomaly.PROTOCOL_GAP)

    def finish(self) -> None:
        """End what is incomplete: the connection is over."""
        self.closing = True
        if self.state != DEAD:
            self._run()
            self._end()
        self.state = DEAD
        self._drop()

    def resync(self) -> None:
        """Look for the next sure start of a message."""
        self.state = RESYNC
        self._size = 0

    def give_up(self) -> None:
        """Nothing more can be learnt from this side."""
        self.state = DEAD
        self._drop()

    def end_headers(self) -> None:
        """Take the header block as complete, though its empty line has not come."""
        raw, self._lines = self._lines, []
        self.on_headers(b"".join(raw), parse.without_ends(raw))

    @property
    def no_header_yet(self) -> bool:
        """A start line has been seen and nothing behind it."""
        return self.state == HEADERS and not self._lines and self._pos == len(self._buf)

    @property
    def idle(self) -> int:
        """So many of the next bytes are inside a body and complete nothing."""
        return self.body.idle if self.state == BODY and self.body is not None and self._pos == len(self._buf) else 0

    @property
    def has_begun(self) -> bool:
        """A start line has begun, and nothing is seen behind it."""
        return self._pos < len(self._buf) if self.state == START else self.no_header_yet

    def breaks_off(self) -> bool:
        """Whether a start line has begun and not ended; told once."""
        if self._told or self.state != START:
            return False
        self._told = bool(self._buf[self._pos : self._pos + _SKIP_AT_ONCE].strip(_BLANK))
        return self._told

    # ---- the machine

    def _drop(self) -> None:
        self._buf, self._pos, self._scan = b"", 0, 0

    def _run(self) -> None:
        while True:
            state = self.state
            if state == HEADERS:
                more = self._collect()
            elif state == START:
                more = self._start()
            elif state == BODY:
                more = self._feed_body()
            elif state == RESYNC:
                more = self._search()
            elif state == MAYBE:
                more = self._doubt()
            else:
                self._drop()
                return
            if not more:
                return

    def _end(self) -> None:
        """Complete the message in progress with what there is."""
        self._end_head()
        self._end_body()

    def _end_head(self) -> None:
        if self.state == HEADERS:
            rest = bytes(self._buf[self._pos :])
            self._drop()
            if self.closing:
                raw, self._lines = self._lines, []
                self.on_broken_headers(b"".join(raw), parse.without_ends(raw), rest)
            else:
                self._lines += (rest,) if rest else ()
                self.end_headers()
        if self._ending:
            self._take_extra(len(self._buf) - self._pos)
            self._finish_message()
        if self.state == START and self._pos < len(self._buf):
            self.on_rest(bytes(self._buf[self._pos :]))
            if self.state == BODY and self.body is not None:
                self._pos = self.body.feed(self._buf, self._pos, len(self._buf))
        if self.state == MAYBE:
            self.on_maybe(message=True)

    def _end_body(self) -> None:
        if self.state == BODY and self.body is not None:
            self.body.close(self._buf, self._pos, len(self._buf))
            self.on_body()
        if self._ending:
            self._finish_message()

    def _line(self) -> bytes | None:
        """Return the next line with its end, without consuming it; None: not complete yet."""
        newline = self._buf.find(b"\n", self._scan)
        if newline < 0:
            self._scan = len(self._buf)
            return None
        self._scan = newline
        return bytes(self._buf[self._pos : newline + 1])

    def _consume(self, nbytes: int) -> None:
        self._pos += nbytes
        self._scan = self._pos

    def _start(self) -> bool:
        self._size = 0
        line = self._line()
        if line is None:
            rest = len(self._buf) - self._pos
            if self._ending and not self.is_extra(bytes(self._buf[self._pos : self._pos + _SKIP_AT_ONCE]), whole=False):
                self._finish_message()
            return self._too_long(rest) if self._ending or not rest or not self.takes_all() else True
        if self._ending:
            if self.is_extra(line, whole=True):
                self._take_extra(len(line))
                return True
            self._finish_message()
        if not line.strip(_BLANK):
            if not self.takes_all():
                self._consume(len(line))
            return True
        self._lines = []
        self._count = 0
        self._long = self._told = False
        self._size = len(line)
        at = self._pos
        message = self.on_start(line)
        if self.state != START or self._pos != at:
            return True
        if message is None:
            return False
        self._consume(len(line))
        if len(line) > limits.LINE_BYTES:
            self.anomaly(AppAnomaly.HTTP_HEADER_TOO_LONG)
        if message:
            self.state = HEADERS
            self._junk = 0
            return True
        self._junk += 1
        if self._junk > limits.JUNK_LINES:
            self.give_up()
        return True

    def end_message(self) -> None:
        """End the body; the message with it, unless bytes came behind it that may have to be added."""
        self.state = START
        self._ending = True
        if self._pos == len(self._buf):
            self._finish_message()

    def _finish_message(self) -> None:
        self._ending = False
        self.on_end()

    def on_extra(self, data: bytes) -> None:
        """Add bytes to the body of the message that is ending."""
        raise NotImplementedError

    def _take_extra(self, nbytes: int) -> None:
        data = bytes(self._buf[self._pos : self._pos + nbytes])
        self._consume(nbytes)
        if data:
            self.on_extra(data)

    def _too_long(self, waiting: int) -> bool:
        if waiting > limits.FIELD_BYTES:
            self._long_line()
        if self._size + waiting <= limits.HEADER_BYTES:
            return False
        self.anomaly(AppAnomaly.HTTP_HEADER_TOO_LONG)
        self._end()
        self.give_up()
        return True

    def _long_line(self) -> None:
        """Note a line that came in pieces and is longer than Suricata keeps, once a message."""
        if self.TOO_LONG is not None and not self._long:
            self._long = True
            self.anomaly(self.TOO_LONG)

    def _collect(self) -> bool:
        """Gather header lines up to the empty one. True: the state changed."""
        if self._scan == self._pos and self._collect_clean():
            return True
        buf, pos, lines = self._buf, self._pos, self._lines
        newline = buf.find(b"\n", self._scan)
        while newline >= 0:
            line = bytes(buf[pos : newline + 1])
            if self.LF_CR and line[-2:] != b"\r\n" and buf[newline + 1 : newline + 2] == b"\r":
                newline, line = self._with_cr(newline, line)
            ends = len(line) < 4 and self._is_end(line, newline)
            if ends is None:
                break
            pos = newline + 1
            self._size += len(line)
            self._count += 1
            if self._count == limits.MOST_HEADERS + 1 and not ends:
                self.anomaly(self.TOO_MANY)
            if len(line) > limits.LINE_BYTES:
                self.anomaly(AppAnomaly.HTTP_HEADER_TOO_LONG)
                if len(line) > limits.FIELD_BYTES and isinstance(buf, bytearray):
                    self._long_line()
            if len(lines) < limits.HEADERS or ends:
                lines.append(line)
            elif len(lines) == limits.HEADERS:
                self._lines = lines = [*lines, b""]
                self.anomaly(AppAnomaly.HTTP_TOO_MANY_HEADERS)
            if ends:
                self._pos = self._scan = pos
                self.end_headers()
                return True
            newline = buf.find(b"\n", pos)
        self._pos = pos
        self._scan = len(buf) if newline < 0 else newline
        return self._too_long(len(buf) - pos)

    def _with_cr(self, newline: int, line: bytes) -> tuple[int, bytes]:
        """Return where a line ends that has a CR behind its LF, and the line."""
        return newline + 1, line + b"\r"

    def _collect_clean(self) -> bool:
        """Take a header block at once, if all of it is here and each of its lines ends in CR LF.

        The usual case; a message with 8 fields costs 13 µs instead of the 18 µs of the loop below.
        """
        if self._lines:
            return False
        buf, pos = self._buf, self._pos
        stop = buf.find(b"\r\n\r\n", pos, pos + limits.LINE_BYTES)
        if stop < 0 or buf[pos : pos + 2] == b"\r\n":
            return False
        raw = bytes(buf[pos : stop + 4])
        lines = raw[:-4].split(b"\r\n")
        if len(lines) > limits.HEADERS or raw.count(b"\n") != len(lines) + 1:
            return False
        self._consume(len(raw))
        self.on_headers(raw, lines)
        return True

    def _is_end(self, line: bytes, newline: int) -> bool | None:
        """Whether a short line ends the header block; None: the byte behind it must be known first.

        Clients also take a lone blank between two bare line feeds for the end, and `CR CR LF` behind a
        bare line feed.
        """
        if line in (b"\r\n", b"\n"):
            return True
        if line == b"\r\r\n":
            return bool(self._lines) and self._lines[-1][-1:] == b"\n" and self._lines[-1][-2:] != b"\r\n"
        if line not in (b" \n", b"\t\n"):
            return False
        if newline + 1 < len(self._buf):
            return self._buf[newline + 1] != 0x0A
        return True if self.closing else None

    def _feed_body(self) -> bool:
        body = self.body
        if body is None:
            self.state = START
            return True
        end = len(self._buf)
        before = self._pos
        self._consume(body.feed(self._buf, before, end) - before)
        for fault in body.faults:
            self.anomaly(fault)
        body.faults.clear()
        self.on_body()
        return self.state != BODY

    def _doubt(self) -> bool:
        head = bytes(self._buf[self._pos : self._pos + _SKIP_AT_ONCE])
        rest = head.lstrip(_BLANK)
        self._consume(len(head) - len(rest))
        if not rest:
            return bool(head)
        message = self.starts_message(rest)
        if message is None:
            return False
        self.on_maybe(message=message)
        return True

    def _search(self) -> bool:
        """After a loss: pass over lines until one is surely a start line."""
        buf = self._buf
        newline = buf.find(b"\n", self._scan)
        while newline >= 0:
            size = newline + 1 - self._pos
            fits = self._size == 0 and size <= limits.LINE_BYTES
            if fits and self.is_start(bytes(buf[self._pos : newline])):
                self.state = START
                self._scan = self._pos
                return True
            self._size = 0
            self._pos = self._scan = newline + 1
            newline = buf.find(b"\n", self._pos)
        self._scan = len(buf)
        if len(buf) - self._pos > limits.LINE_BYTES:  # too long for a start line: its end is what matters
            self._size = 1
            self._pos = len(buf)
        return False
