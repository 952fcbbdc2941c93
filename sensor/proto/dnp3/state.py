"""DNP3 of one flow: frames, the transport segments in them, and the fragments that these make up."""

from __future__ import annotations

from collections.abc import Sequence

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, TxStage
from sensor.proto.dnp3 import eve, link, parse
from sensor.proto.dnp3.link import Frame
from sensor.proto.dnp3.parse import Fragment
from sensor.proto.messages import STAGE_MESSAGE, Cutter, Framing, MessageTransaction, Reading
from sensor.proto.oddities import Oddities

MAX_FRAGMENT = 16384
"""Bytes of an application fragment that are read; stations agree on 2048."""

_FIN, _FIR = 0x80, 0x40
"""Bits of the transport byte (IEEE 1815 section 8.2)."""

FRAMING = Framing(link.HEADER, link.size, 512)


class Dnp3Parser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_count", "_frames", "_open", "_segments", "_sides", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._sides = (Cutter(FRAMING), Cutter(FRAMING))
        self._segments = (bytearray(), bytearray())
        self._open = [False, False]
        """A first segment came, and no last one yet."""
        self._frames: list[Frame | None] = [None, None]
        """The last frames that were taken."""
        self._count = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        if self.done:
            return out
        for raw in self._sides[side].feed(data):
            if raw is None:
                self._report(AppAnomaly.DNP3_LEN_TOO_SMALL, side)
            else:
                self._frame(side, link.frame(raw), out)
        self.done = self._sides[0].dead and self._sides[1].dead
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._sides) + sum(map(len, self._segments))

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Pass over lost bytes of a frame, and what its fragment had; give the side up where they held more."""
        if not self.done and not self._sides[side].dead:
            self._open[side] = False
            if not self._sides[side].gap(length):
                self._report(AppAnomaly.PROTOCOL_GAP, side)
                self.done = self._sides[0].dead and self._sides[1].dead
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Judge fragments whose end has not come by what is there of them."""
        out: list[TxStage] = []
        for side, frame in enumerate(self._frames):
            if self._open[side] and frame is not None:
                self._open[side] = False
                self._fragment(side, frame, bytes(self._segments[side]), out)
        self.done = True
        return out

    def _frame(self, side: int, frame: Frame, out: list[TxStage]) -> None:
        """Take the transport segment of a frame. Frames without data only manage the link."""
        if not frame.header_ok or not frame.data_ok:
            bad = AppAnomaly.DNP3_BAD_TRANSPORT_CRC if frame.header_ok else AppAnomaly.DNP3_BAD_LINK_CRC
            self._report(bad, side)
            return
        if not frame.data:
            return
        transport, held = frame.data[0], self._segments[side]
        if transport & _FIR:
            held.clear()
            self._open[side] = True
        if not self._open[side]:
            return
        held += frame.data[1:]
        self._frames[side] = frame
        if len(held) > MAX_FRAGMENT:
            self._report(AppAnomaly.DNP3_FLOODED, side)
            self._open[side] = False
            self._fragment(side, frame, bytes(held), out)
        elif transport & _FIN:
            self._open[side] = False
            self._fragment(side, frame, bytes(held), out)

    def _fragment(self, side: int, frame: Frame, data: bytes, out: list[TxStage]) -> None:
        fragment = parse.fragment(data)
        if fragment is None or fragment.malformed:
            self._report(AppAnomaly.DNP3_MALFORMED, side)
        if fragment is None:
            return
        for anomaly, odd in (
            (AppAnomaly.DNP3_UNKNOWN_OBJECT, fragment.unknown), (AppAnomaly.DNP3_TOO_MANY_OBJECTS, fragment.crowded),
            (AppAnomaly.DNP3_TOO_MANY_POINTS, fragment.overfull),
        ):  # fmt: skip
            if odd:
                self._report(anomaly, side)
        if side == TO_SERVER and fragment.function == parse.CONFIRM:
            return  # no exchange of its own, as in Suricata
        out.append(TxStage(MessageTransaction(self._count, _reading(frame, fragment, data)), STAGE_MESSAGE, side))
        self._count += 1


def _reading(frame: Frame, fragment: Fragment, data: bytes) -> Reading:
    numbers: dict[str, Sequence[int]] = {
        "dnp3.func": (fragment.function,),
        "dnp3.obj": tuple(one.group << 8 | one.variation for one in fragment.objects),
    }
    if fragment.is_response:
        numbers["dnp3.ind"] = (fragment.indications,)
    shown = eve.fields(frame, fragment)
    return Reading({"dnp3.data": (data,)}, numbers, shown, of_alert=eve.of_alert(shown))
