"""Telnet of one flow: each line and each control sequence is a transaction of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TxStage
from sensor.proto.oddities import Oddities
from sensor.proto.text import text

STAGE_CLIENT, STAGE_SERVER = 0, 1
"""A piece of the client's, of the server's."""

LINE = 4096
"""Bytes of a line that are kept; a longer one is several."""
CONTROL = 1024
"""Bytes of a control sequence that are kept; a longer one is several."""
_RUN = re.compile(rb"[^\xff\n]+")
_LF = 10
_IAC, _SB, _SE, _WILL, _DONT = 255, 250, 240, 251, 254
"""RFC 854."""


class TelnetPiece:
    """A line with its end, or a control sequence."""

    __slots__ = ("_control", "_raw", "_suffix", "id")

    def __init__(self, number: int, side: int, raw: bytes, *, control: bool) -> None:
        self.id = number
        self._suffix = "@to_client" if side == TO_CLIENT else ""
        self._raw = raw
        self._control = control

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the piece under the name of its kind and side."""
        mine = {f"frame.telnet.{kind}{self._suffix}" for kind in ("pdu", "ctl" if self._control else "data")}
        return (self._raw,) if name in mine else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return {"control": self._raw.hex()} if self._control else {"data": text(self._raw.rstrip(b"\r\n"))}


class _Side:
    """Cuts one side's bytes."""

    __slots__ = ("_control", "_text")

    def __init__(self) -> None:
        self._text = bytearray()
        self._control = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bool]]:
        """Yield (piece, whether it is a control sequence)."""
        pos = 0
        while pos < len(data):
            byte = data[pos]
            if self._control:
                self._control.append(byte)
                if self._complete():
                    yield from self._end_control()
                pos += 1
            elif byte == _IAC:
                self._control.append(byte)
                pos += 1
            elif byte == _LF:
                yield from self.flush(b"\n")
                pos += 1
            else:
                if len(self._text) >= LINE:
                    yield from self.flush()
                run = _RUN.match(data, pos, pos + LINE - len(self._text))
                end = run.end() if run else pos + 1
                self._text += data[pos:end].replace(b"\0", b"")
                pos = end

    def flush(self, end: bytes = b"") -> Iterator[tuple[bytes, bool]]:
        """Yield the line that has begun, unless it is empty: a prompt, if the other side answers it."""
        line = bytes(self._text)
        self._text.clear()
        if line.rstrip(b"\r"):
            yield line + end, False

    def _complete(self) -> bool:
        """Tell whether a control sequence has ended (RFC 854, RFC 855)."""
        found = self._control
        if len(found) >= CONTROL:
            return True
        if found[1] == _SB:
            return len(found) > 3 and found[-1] == _SE and found[-2] == _IAC
        return len(found) >= (3 if _WILL <= found[1] <= _DONT else 2)

    def _end_control(self) -> Iterator[tuple[bytes, bool]]:
        found = bytes(self._control)
        self._control.clear()
        if found == b"\xff\xff":  # a byte of data (RFC 854)
            self._text.append(_IAC)
        else:
            yield found, True


class TelnetParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_count", "_sides", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._sides = (_Side(), _Side())
        self._count = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        if self.done or not data:
            return []
        other = self._told(1 - side, self._sides[1 - side].flush())
        return other + self._told(side, self._sides[side].feed(data))

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """End the line before what is lost."""
        if self.done:
            return []
        self._report(AppAnomaly.PROTOCOL_GAP, side)
        return self._told(side, self._sides[side].flush())

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """End the lines that have begun."""
        self.done = True
        return [stage for side in (0, 1) for stage in self._told(side, self._sides[side].flush())]

    def _told(self, side: int, pieces: Iterator[tuple[bytes, bool]]) -> list[TxStage]:
        out = []
        for raw, control in pieces:
            piece = TelnetPiece(self._count, side, raw, control=control)
            self._count += 1
            out.append(TxStage(piece, STAGE_SERVER if side == TO_CLIENT else STAGE_CLIENT, side))
        return out
