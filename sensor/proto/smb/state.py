"""SMB of one flow: messages of either version, what is encrypted passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.pieces import Pieces
from sensor.proto.smb import limits, smb1, smb2, stages
from sensor.proto.smb.common import Negotiation
from sensor.proto.smb.connection import Connection
from sensor.proto.smb.exchange import Frame
from sensor.proto.smb.handles import Handles, Sink
from sensor.proto.smb.nbss import Nbss
from sensor.proto.smb.version1 import Version1
from sensor.proto.smb.version2 import Version2
from sensor.proto.smb.wire import Cut

if TYPE_CHECKING:
    from sensor.model.app import TxStage
    from sensor.model.keeping import FilePolicy
    from sensor.model.losses import Losses
    from sensor.proto.pieces import Piece

_ENCRYPTED, _ENCRYPTED_HEADER = b"\xfdSMB", 52
_COMPRESSED = b"\xfcSMB"
"""Marks of messages that cannot be read (MS-SMB2 sections 2.2.41, 2.2.42), and a header's size."""


class SmbParser:
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_connection", "_failures", "_framers", "_handles", "_sinks", "_versions", "done")

    def __init__(self) -> None:
        self.done = False
        self._failures = 0
        self._connection = Connection()
        self._handles = Handles(self._connection)
        self._framers = tuple(Pieces(Nbss(), limits.MESSAGE, stumps=True) for _ in range(2))
        negotiation = Negotiation()
        self._versions: dict[bytes, Version1 | Version2] = {
            smb1.MARK: Version1(self._connection, self._handles, negotiation),
            smb2.MARK: Version2(self._connection, self._handles, negotiation),
        }
        self._sinks: list[Sink | None] = [None, None]
        """Where the rest of each side's message goes."""

    @property
    def shows_frames(self) -> bool:
        """Some rule is about single messages."""
        return self._connection.frames

    @shows_frames.setter
    def shows_frames(self, shown: bool) -> None:
        self._connection.frames = shown

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._connection.files = policy

    @property
    def losses(self) -> Losses:
        """Where is counted what is forgotten (see `sensor.model.app.CountsLosses`)."""
        return self._handles.budget.losses

    @losses.setter
    def losses(self, losses: Losses) -> None:
        self._handles.budget.losses = losses

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        if self.done:
            return []
        framer = self._framers[side]
        self._take(side, framer.feed(data))
        if not framer.sound:
            self._malformed(side, limits.MALFORMED)
        return self._reached()

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return (
            sum(one.held for one in self._framers)
            + self._handles.held
            + sum(one.held for one in self._versions.values())
        )

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next message behind lost bytes."""
        if self.done:
            return []
        self._connection.report(AppAnomaly.PROTOCOL_GAP, side)
        self._take(side, self._framers[side].gap(length))
        return self._reached()

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """End the files that are under way."""
        if not self.done:
            self._handles.finish()
        return self._reached()

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget what was odd; each (anomaly, side) comes once in a flow."""
        found, self._connection.odd = self._connection.odd, []
        return found

    def _take(self, side: int, pieces: list[Piece]) -> None:
        for piece in pieces:
            if self.done:
                return
            sink = self._sinks[side]
            if piece.first:
                self._sinks[side] = self._message(side, piece)
            elif sink is not None and piece.lost:
                sink.skip(piece.lost)
            elif sink is not None:
                sink.add(piece.data)

    def _message(self, side: int, piece: Piece) -> Sink | None:
        """Take the beginning of a message; what lost bytes cut out of it does not make it malformed."""
        data = piece.data
        cut = len(data) < min(piece.size, limits.MESSAGE)
        stage = stages.FRAME_REQUEST + side
        if self._connection.frames:
            self._connection.reach(Frame("nbss", piece.size.to_bytes(4, "big") + data, Nbss.header), stage)
        version = self._versions.get(data[:4])
        try:
            if version is not None:
                self._check_side(side, data)
                return version.message(data, piece.size)
            if data[:4] == _ENCRYPTED:
                if self._connection.frames:
                    self._connection.reach(Frame("smb3", data, _ENCRYPTED_HEADER), stage)
            elif data[:4] != _COMPRESSED and not cut:
                self._malformed(side)
        except Cut:
            if not cut:
                self._malformed(side)
        return None

    def _check_side(self, side: int, data: bytes) -> None:
        """Report a message that the other side should have sent (flags: MS-CIFS 2.2.3.1, MS-SMB2 2.2.1.2)."""
        at, bit = (9, 0x80) if data[:4] == smb1.MARK else (16, 1)
        if len(data) <= at:
            return
        response = bool(data[at] & bit)
        if response and side == TO_SERVER:
            self._connection.report(AppAnomaly.SMB_RESPONSE_TO_SERVER, side)
        elif not response and side == TO_CLIENT:
            self._connection.report(AppAnomaly.SMB_REQUEST_TO_CLIENT, side)

    def _malformed(self, side: int, times: int = 1) -> None:
        """Report a malformed message; after too many of them give up."""
        self._connection.report(AppAnomaly.SMB_MALFORMED_DATA, side)
        self._failures += times
        if self._failures >= limits.MALFORMED:
            self._handles.finish()
            self.done = True

    def _reached(self) -> list[TxStage]:
        found, self._connection.out = self._connection.out, []
        return found
