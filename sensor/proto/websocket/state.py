"""WebSocket of one flow."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.proto.messages import STAGE_MESSAGE, MessageTransaction, Reading
from sensor.proto.oddities import Oddities
from sensor.proto.websocket.frames import FIN, Frame, FrameReader
from sensor.proto.websocket.messages import Messages

OPCODES = MappingProxyType({0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"})


class WebSocketParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_count", "_dead", "_messages", "_readers", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._count = 0
        self._readers = (FrameReader(), FrameReader())
        self._messages = (Messages(), Messages())
        self._dead = [False, False]
        """Where frames begin is lost."""

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        if self.done or self._dead[side]:
            return []
        return [self._take(side, frame) for frame in self._readers[side].feed(data)]

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in (*self._readers, *self._messages))

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Pass over lost bytes of a long frame; give the side up where they held more."""
        if not self.done and not self._dead[side] and not self._readers[side].gap(length):
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._dead[side] = True
            self.done = all(self._dead)
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: a frame that is not complete is none."""
        self.done = True
        return []

    def _take(self, side: int, frame: Frame) -> TxStage:
        messages = self._messages[side]
        payload = messages.payload(frame)
        if frame.cut:
            self._report(AppAnomaly.WEBSOCKET_SKIP_END_OF_PAYLOAD, side)
        if messages.cut:
            self._report(AppAnomaly.WEBSOCKET_REASSEMBLY_LIMIT_REACHED, side)
        reading = Reading(
            {"websocket.payload": (payload,)} if payload else {},
            {"websocket.flags": (frame.flags,), "websocket.opcode": (frame.opcode,)},
            _fields(frame),
        )
        if frame.mask is not None:
            reading.numbers["websocket.mask"] = (frame.mask,)
        stage = TxStage(MessageTransaction(self._count, reading), STAGE_MESSAGE, side)
        self._count += 1
        return stage


def _fields(frame: Frame) -> dict[str, Any]:
    found: dict[str, Any] = {"fin": bool(frame.flags & FIN)}
    if frame.mask is not None:
        found["mask"] = frame.mask
    return found | {"opcode": OPCODES.get(frame.opcode, f"unknown-{frame.opcode}")}
