"""NFS of one flow: records of a stream, or one datagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, TxStage
from sensor.proto.nfs import frames, limits, rpc, stages
from sensor.proto.nfs.session import Session
from sensor.proto.oddities import OdditiesOnce
from sensor.proto.pieces import Pieces
from sensor.proto.reader import WireError

if TYPE_CHECKING:
    from sensor.model.keeping import FilePolicy
    from sensor.model.losses import Losses
    from sensor.proto.nfs.files import Sink
    from sensor.proto.pieces import Piece


class NfsParser(OdditiesOnce):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = (
        "_datagrams", "_failures", "_pieces", "_session", "_sinks", "done", "shows_frames",
    )  # fmt: skip

    def __init__(self, *, datagrams: bool = False) -> None:
        """datagrams: each call of `feed` brings one."""
        super().__init__()
        self.done = False
        self.shows_frames = False
        self._datagrams = datagrams
        self._failures = 0
        self._session = Session()
        self._pieces = (Pieces(rpc.Records(), limits.RECORD), Pieces(rpc.Records(), limits.RECORD))
        self._sinks: list[Sink | None] = [None, None]
        """Where the rest of each side's record goes."""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._session.files.policy = policy

    @property
    def losses(self) -> Losses:
        """Where is counted what is forgotten (see `sensor.model.app.CountsLosses`)."""
        return self._session.files.budget.losses

    @losses.setter
    def losses(self, losses: Losses) -> None:
        self._session.files.budget.losses = losses

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side (TCP), or one datagram (UDP)."""
        if self.done:
            return []
        if self._datagrams:
            self._record(side, data, len(data))
            return self._reached()
        pieces = self._pieces[side]
        self._take(side, pieces.feed(data))
        if not pieces.sound:
            self._malformed(side, limits.MALFORMED)
        return self._reached()

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._session.held + sum(one.held for one in self._pieces)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next record behind lost bytes."""
        if self.done:
            return []
        self._report(AppAnomaly.PROTOCOL_GAP, side)
        self._take(side, self._pieces[side].gap(length))
        return self._reached()

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """End the files that are under way."""
        if not self.done:
            self._session.files.finish()
        return self._reached()

    def _take(self, side: int, pieces: list[Piece]) -> None:
        for piece in pieces:
            if self.done:
                return
            sink = self._sinks[side]
            if piece.first:
                self._sinks[side] = self._record(side, piece.data, piece.size)
            elif sink is not None and piece.lost:
                sink.skip(piece.lost)
            elif sink is not None:
                sink.add(piece.data)

    def _record(self, side: int, data: bytes, size: int) -> Sink | None:
        if self.shows_frames:
            view = frames.of_record(data, size, self._session.versions(), side, datagram=self._datagrams)
            self._session.log.show(TxStage(view, stages.FRAMES[side], side))
        try:
            return self._session.call(data)
        except WireError:
            self._malformed(side)
            return None

    def _malformed(self, side: int, times: int = 1) -> None:
        """Report a malformed record; after too many of them give up."""
        self._report(AppAnomaly.NFS_MALFORMED_DATA, side)
        self._failures += times
        if self._failures >= limits.MALFORMED and not self._datagrams:
            self._session.files.finish()
            self.done = True


    def _reached(self) -> list[TxStage]:
        if self._session.crowded:
            self._report(AppAnomaly.NFS_TOO_MANY_TRANSACTIONS, TO_SERVER)
        return self._session.log.take()


def datagram_parser() -> NfsParser:
    """Return the parser of a flow of datagrams."""
    return NfsParser(datagrams=True)
