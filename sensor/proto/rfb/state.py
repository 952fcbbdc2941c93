"""RFB of one flow: the handshake as a script of what each side says next (RFC 6143 section 7)."""

from __future__ import annotations

import re
from collections.abc import Generator

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.oddities import Oddities
from sensor.proto.rfb.transaction import FAIL, OK, TOO_MANY, VNC, RfbTransaction
from sensor.proto.view import View

STAGE_SERVER_VERSION, STAGE_CLIENT_VERSION, STAGE_SECURITY, STAGE_RESULT, STAGE_SERVER_INIT = range(5)
FRAMES = (STAGE_CLIENT_FRAME, STAGE_SERVER_FRAME) = (5, 6)
"""A message of each side."""

MAX_TEXT = 4096
"""Bytes of a desktop's name or of a reason; a longer one is malformed."""
MAX_AHEAD = 65536
"""Bytes kept of a side that speaks before its turn: a mirror may show packets of both sides in another order."""

_VERSION = re.compile(rb"RFB ([0-9]{3}\.[0-9]{3})\n")
_NONE = 1
_INIT_SIZE = 20
"""Width, height and pixel format with its padding, in front of the length of the name."""

Script = Generator[tuple[int, int], bytes, None]
"""Yields (side, bytes wanted) and is sent these bytes."""


class RfbParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_buffers", "_confused", "_message", "_out", "_script", "_tx", "_want", "done", "shows_frames")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.shows_frames = False
        self._confused = False
        """A side has spoken before its turn."""
        self._message = bytearray()
        """What the script has taken of the message at hand."""
        self._tx = RfbTransaction()
        self._buffers = (bytearray(), bytearray())
        self._out: list[TxStage] = []
        self._script = self._talk()
        self._want = next(self._script)

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        if self.done:
            return []
        self._buffers[side].extend(data)
        self._advance()
        early = self._buffers[1 - self._want[0]]
        if early and not self.done:
            if not self._confused:
                self._report(AppAnomaly.RFB_CONFUSED_STATE, side)
            self._confused = True
            self.done = len(early) > MAX_AHEAD
        out, self._out = self._out, []
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(map(len, self._buffers))

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Give up: what follows cannot be told."""
        if not self.done:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self.done = True
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: no stage is pending."""
        self.done = True
        return []

    def _advance(self) -> None:
        """Go on with the script as long as the bytes that it waits for are there."""
        while True:
            side, size = self._want
            held = self._buffers[side]
            if len(held) < size:
                return
            piece = bytes(held[:size])
            del held[:size]
            self._message += piece
            try:
                self._want = self._script.send(piece)
            except StopIteration:
                self.done = True
                return

    def _talk(self) -> Script:
        """Follow the handshake to its end, or to what cannot be followed."""
        tx = self._tx
        for side, stage in ((TO_CLIENT, STAGE_SERVER_VERSION), (TO_SERVER, STAGE_CLIENT_VERSION)):
            found = _VERSION.fullmatch((yield side, 12))
            self._end(side)
            if found is None:  # no message yet that could be odd
                return
            tx.versions[side] = found[1]
            self._reach(stage, side)
        yield from self._choose()
        if tx.security == VNC:
            tx.challenge = yield TO_CLIENT, 16
            self._end(TO_CLIENT)
            tx.response = yield TO_SERVER, 16
            self._end(TO_SERVER)
        elif tx.security != _NONE:
            if tx.security:
                self._report(AppAnomaly.RFB_UNIMPLEMENTED_SECURITY_TYPE, TO_SERVER)
            return
        if tx.security == VNC or tx.versions[TO_SERVER] >= b"003.008":
            yield from self._result()
        if tx.result in (None, OK):
            yield from self._init()

    def _choose(self) -> Script:
        """Section 7.1.2: the server offers types and the client chooses; before version 3.7 the server does."""
        tx = self._tx
        if tx.versions[TO_SERVER] < b"003.007":
            tx.security = int.from_bytes((yield TO_CLIENT, 4), "big")
            self._end(TO_CLIENT)
        else:
            count = (yield TO_CLIENT, 1)[0]
            tx.security = 0
            if count:
                yield TO_CLIENT, count
            self._end(TO_CLIENT)
            if count:
                tx.security = (yield TO_SERVER, 1)[0]
                self._end(TO_SERVER)
        if tx.security == 0:
            yield from self._reason()
        self._reach(STAGE_SECURITY, TO_SERVER)  # of the client as well where it had no choice, as in Suricata

    def _result(self) -> Script:
        """Section 7.1.3."""
        tx = self._tx
        tx.result = int.from_bytes((yield TO_CLIENT, 4), "big")
        self._end(TO_CLIENT)
        if tx.result > FAIL:
            self._report(AppAnomaly.RFB_UNKNOWN_SECURITY_RESULT, TO_CLIENT)
        self._reach(STAGE_RESULT, TO_CLIENT)
        if tx.result in (FAIL, TOO_MANY) and tx.versions[TO_SERVER] >= b"003.008":
            yield from self._reason()

    def _reason(self) -> Script:
        size = int.from_bytes((yield TO_CLIENT, 4), "big")
        if size <= MAX_TEXT:
            self._tx.reason = yield TO_CLIENT, size
        else:
            self._report(AppAnomaly.RFB_MALFORMED_MESSAGE, TO_CLIENT)
        self._message.clear()  # which belongs to what it is the reason of

    def _init(self) -> Script:
        """Section 7.3."""
        tx = self._tx
        tx.shared = (yield TO_SERVER, 1)[0]
        self._end(TO_SERVER)
        tx.init = yield TO_CLIENT, _INIT_SIZE
        size = int.from_bytes((yield TO_CLIENT, 4), "big")
        if size > MAX_TEXT:
            self._report(AppAnomaly.RFB_MALFORMED_MESSAGE, TO_CLIENT)
            return
        tx.name = yield TO_CLIENT, size
        self._end(TO_CLIENT)
        self._reach(STAGE_SERVER_INIT, TO_CLIENT)

    def _end(self, side: int) -> None:
        """Show a message that is complete."""
        if self.shows_frames:
            name = "frame.rfb.pdu@to_client" if side else "frame.rfb.pdu"
            self._out.append(TxStage(View({name: bytes(self._message)}), FRAMES[side], side))
        self._message.clear()

    def _reach(self, stage: int, side: int) -> None:
        self._out.append(TxStage(self._tx, stage, side))
