"""Protocols in which messages with a length in front ask and answer: what their parsers have in common."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.proto.oddities import OdditiesOnce
from sensor.proto.pieces import Piece, Pieces


class ExchangeParser(OdditiesOnce):
    """Parser of one flow (see `sensor.model.app.AppParser`), all but what the messages say."""

    __slots__ = ("_malformed", "_out", "_sides", "done")

    def __init__(self, sides: tuple[Pieces, Pieces], malformed: AppAnomaly) -> None:
        super().__init__()
        self.done = False
        self._sides = sides
        self._malformed = malformed
        self._out: list[TxStage] = []

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        if self.done:
            return []
        pieces = self._sides[side]
        self._take(side, pieces.feed(data))
        if not pieces.sound:
            self._give_up(side)
        return self._reached()

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._sides[0].held + self._sides[1].held

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on if the lost bytes belong to one message, else give up."""
        if self.done:
            return []
        self._report(AppAnomaly.PROTOCOL_GAP, side)
        self._take(side, self._sides[side].gap(length))
        self.done = self._sides[side].lost
        return self._reached()

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: an answer that never came completes nothing."""
        return []

    def _take(self, side: int, pieces: list[Piece]) -> None:
        """Read messages, until the parser is done."""
        raise NotImplementedError

    def _give_up(self, side: int) -> None:
        """Read no further: what a side says is no message."""
        self._report(self._malformed, side)
        self.done = True

    def _reached(self) -> list[TxStage]:
        found, self._out = self._out, []
        return found
