"""SSH of one flow: banners and key exchange offers to stages. Nothing is read after the key exchange."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, TxStage
from sensor.proto.once import StagesOnce
from sensor.proto.ssh import parse
from sensor.proto.ssh.stream import Event, EventKind, SshSide
from sensor.proto.ssh.transaction import SshTransaction

STAGE_CLIENT_BANNER, STAGE_SERVER_BANNER, STAGE_CLIENT_KEX, STAGE_SERVER_KEX, STAGE_ESTABLISHED = range(5)


class SshParser(StagesOnce[SshTransaction]):
    """Parser of one flow (see `sensor.model.app.AppParser`).

    Stages are reached at most once each, in the order of the wire (a server may offer before the client);
    `established` when both ends have made their offer or changed keys, or the flow ends.
    """

    __slots__ = ("_hopeless", "_keyed", "_sides", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._sides = (SshSide(), SshSide())
        self._hopeless = False
        """A packet is shorter than its header: Suricata reads neither side any further."""
        self._keyed = [False, False]
        """The side made its offer, or encrypts."""

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        if self.done or self._keyed[side]:
            return out
        for event in self._sides[side].feed(data):
            self._on_event(side, event, out)
            if self.done or self._keyed[side]:
                break
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._sides)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Give up: packet boundaries are lost."""
        out: list[TxStage] = []
        if not self.done and not self._keyed[side]:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._end(side, out)
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete the transaction with what was seen."""
        out: list[TxStage] = []
        self._end(TO_SERVER, out)
        return out

    def _on_event(self, side: int, event: Event, out: list[TxStage]) -> None:
        if event.kind == EventKind.LINE:
            self._on_line(side, event.body, out)
        elif event.kind == EventKind.LINE_TOO_LONG:
            if event.body == b"SSH-":
                self._report(AppAnomaly.SSH_BANNER_TOO_LONG, side)
            elif side == TO_SERVER:
                self._on_line(side, event.body, out)
        elif event.kind == EventKind.TOO_SHORT:
            self._report(AppAnomaly.SSH_INVALID_RECORD, side)
            self._hopeless = True
        elif event.kind == EventKind.KEXINIT:
            self._on_kexinit(side, event.body, out)
        elif event.kind == EventKind.NEW_KEYS:
            self._on_keyed(side, out)
        else:
            binary = self._sides[side].binary
            invalid = AppAnomaly.SSH_INVALID_KEXINIT if binary else AppAnomaly.SSH_INVALID_BANNER
            self._report(invalid, side)
            if binary and not self._hopeless:
                self._on_keyed(side, out)  # the other side may still make sense
            else:
                self._end(side, out)

    def _on_line(self, side: int, line: bytes, out: list[TxStage]) -> None:
        """Take the banner; a server may send other lines before it, a client must not (section 4.2).

        Such lines are an event all the same, as in Suricata.
        """
        found = parse.banner(line)
        if found is None:
            self._report(AppAnomaly.SSH_INVALID_BANNER, side)
            if side == TO_SERVER or line.startswith(b"SSH-"):
                self._end(side, out)
            return
        self._sides[side].binary = True
        if self._tx is None:
            self._tx = SshTransaction()
        self._tx.banners[side] = found
        self._reach(STAGE_CLIENT_BANNER + side, side, out)
        if found.proto[:2] == b"1." and found.proto != b"1.99":
            self._on_keyed(side, out)  # SSH 1 has other packets

    def _on_kexinit(self, side: int, payload: bytes, out: list[TxStage]) -> None:
        kex = parse.kexinit(payload)
        if kex is None:
            self._report(AppAnomaly.SSH_INVALID_KEXINIT, side)
        elif self._tx is not None:
            self._tx.kex[side] = kex
            self._reach(STAGE_CLIENT_KEX + side, side, out)
        self._on_keyed(side, out)

    def _on_keyed(self, side: int, out: list[TxStage]) -> None:
        self._keyed[side] = True
        if self._keyed[1 - side]:
            self._end(side, out)

    def _end(self, side: int, out: list[TxStage]) -> None:
        self.done = True
        self._reach(STAGE_ESTABLISHED, side, out)
