"""DCE/RPC of one flow: a stream, or one datagram."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TxStage
from sensor.model.losses import Losses
from sensor.proto.dcerpc import datagram
from sensor.proto.dcerpc.association import Association
from sensor.proto.dcerpc.call import Call
from sensor.proto.dcerpc.parse import Pdu
from sensor.proto.dcerpc.stream import PduStream
from sensor.proto.oddities import OdditiesOnce

STAGE_REQUEST, STAGE_RESPONSE = 0, 1


class DcerpcParser(OdditiesOnce):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_association", "_count", "_sides", "_started", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._association = Association()
        self._count = 0
        self._started = False
        self._sides = (PduStream(), PduStream())

    @property
    def losses(self) -> Losses:
        """Where is counted what is forgotten (see `sensor.model.app.CountsLosses`)."""
        return self._association.losses

    @losses.setter
    def losses(self, losses: Losses) -> None:
        self._association.losses = losses

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side (TCP), or one datagram (UDP)."""
        out: list[TxStage] = []
        if self.done:
            return out
        if not self._started and data[:1] == datagram.MARK:
            return self._datagram(side, data)
        self._started = True
        stream = self._sides[side]
        for head, body in stream.feed(data):
            done = self._association.pdu(head, body, self._new_call)
            out += (TxStage(call, STAGE_REQUEST + way, way) for call, way in done)
        if not stream.sound:
            self._report(AppAnomaly.DCERPC_MALFORMED, side)
            self.done = True
        for anomaly, where in self._association.odd:
            self._report(anomaly, where)
        self._association.odd.clear()
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._association.held + sum(one.held for one in self._sides)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Go on with the next PDU behind lost bytes."""
        if not self.done:
            self._started = True
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._sides[side].gap(length)
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Judge what is there of calls that break off.

        Of calls that nobody has answered what rules ask holds for the side of the server, too.
        """
        return [TxStage(call, STAGE_REQUEST + side, side) for call, side in self._association.unanswered()]

    def _datagram(self, side: int, data: bytes) -> list[TxStage]:
        self.done = True
        try:
            found = datagram.call(data)
        except datagram.DatagramError:
            self._report(AppAnomaly.DCERPC_MALFORMED, side)
            return []
        return [TxStage(found.call, STAGE_REQUEST + found.side, found.side)] if found is not None else []

    def _new_call(self, head: Pdu) -> Call:
        self._count += 1
        return Call(self._count - 1, head.call, little=head.little)
