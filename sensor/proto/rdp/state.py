"""RDP of one flow: the client's request, the server's answer and its certificates, each a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.messages import STAGE_MESSAGE, Cutter, Framing, MessageTransaction, Reading
from sensor.proto.oddities import Oddities
from sensor.proto.rdp import parse
from sensor.proto.rdp.parse import Connect
from sensor.proto.rdp.secured import SecuredSide
from sensor.proto.text import text

PROTOCOLS: Mapping[str, int] = MappingProxyType({"rdp": 0, "ssl": 1, "hybrid": 2, "rds_tls": 4, "hybrid_ex": 8})
"""Security protocols (MS-RDPBCGR section 2.2.1.2.1)."""

_WORDS = MappingProxyType({number: word for word, number in PROTOCOLS.items()})
_REQUEST_FLAGS = (
    (1, "restricted_admin_mode_required"), (2, "redirected_authentication_mode_required"),
    (8, "correlation_info_present"),
)  # fmt: skip
_CONFIRM_FLAGS = ((1, "extended_client_data"), (2, "dynvc_gfx"), (8, "restricted_admin"),
                  (16, "redirected_authentication"))  # fmt: skip
_FAILURES = (
    "", "ssl required by server", "ssl not allowed by server", "ssl cert not on server", "inconsistent flags",
    "hybrid required by server", "ssl with user auth required by server",
)  # fmt: skip
"""By code (section 2.2.1.2.2)."""


def _size(head: bytes) -> int:
    """TPKT (RFC 1006 section 6)."""
    return int.from_bytes(head[2:4], "big") if head[0] == 3 else 0


FRAMING = Framing(4, _size, 1024)


class RdpParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_closed", "_count", "_secured", "_seen", "_sides", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._sides = (Cutter(FRAMING), Cutter(FRAMING))
        self._closed = [False, False]
        """The side has said what is read of it."""
        self._seen = [0, 0]
        """Bytes of its first message."""
        self._secured = SecuredSide()
        """What the server says behind its answer."""
        self._count = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        if not self._closed[side]:
            data = self._take_first(side, data, out)
        if self._closed[side] and side == TO_CLIENT and data:
            self._on_secured(data, out)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._sides) + self._secured.held

    def _take_first(self, side: int, data: bytes, out: list[TxStage]) -> bytes:
        """Take bytes of a side's first message; return what is behind it."""
        for raw in self._sides[side].feed(data):
            self._first(side, raw or b"", out)
            return data[len(raw) - self._seen[side] :] if raw else b""
        self._seen[side] += len(data)
        return b""

    def _on_secured(self, data: bytes, out: list[TxStage]) -> None:
        serials = self._secured.feed(data)
        if serials is not None:
            self._tell(Reading(fields={"event_type": "tls_handshake", "x509_serials": serials}), TO_CLIENT, out)
        self._end()

    def _tell(self, reading: Reading, side: int, out: list[TxStage]) -> None:
        self._count += 1
        reading.fields = {"tx_id": self._count} | reading.fields
        out.append(TxStage(MessageTransaction(self._count - 1, reading), STAGE_MESSAGE, side))

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Give the side up: its first message, or what the server says behind it, is not complete."""
        if side == TO_CLIENT:
            self._secured.done = True
        if not self._closed[side]:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._closed[side] = True
        self._end()
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: nothing is pending."""
        self.done = True
        return []

    def _first(self, side: int, raw: bytes, out: list[TxStage]) -> None:
        """Take the first message of a side."""
        self._closed[side] = True
        expected = parse.REQUEST if side == TO_SERVER else parse.CONFIRM
        message = parse.connect(raw) if parse.kind(raw) == expected else None
        if message is None:
            self._report(AppAnomaly.RDP_MALFORMED, side)
        else:
            self._tell(_reading(message), side, out)
        if side == TO_CLIENT and message is None:
            self._secured.done = True
        self._end()

    def _end(self) -> None:
        self.done = all(self._closed) and self._secured.done


def _reading(message: Connect) -> Reading:
    request = message.kind == parse.REQUEST
    numbers: dict[str, Sequence[int]] = {}
    if message.failure is not None:
        numbers["rdp.failure"] = (message.failure,)
    else:
        numbers["rdp.requested" if request else "rdp.protocol"] = (message.protocols or 0,)
    buffers = {"rdp.cookie": (message.cookie,)} if message.cookie else {}
    return Reading({**buffers}, numbers, _request(message) if request else _confirm(message))


def _request(message: Connect) -> dict[str, Any]:
    """Return the EVE object of a request (Suricata's names)."""
    found: dict[str, Any] = {"event_type": "initial_request"}
    if message.cookie:
        found["cookie"] = text(message.cookie)
    return found | _named("flags", message.flags, _REQUEST_FLAGS)


def _confirm(message: Connect) -> dict[str, Any]:
    found: dict[str, Any] = {"event_type": "initial_response"}
    if message.failure is not None:
        reason = _FAILURES[message.failure] if message.failure < len(_FAILURES) else ""
        return found | {"error_code": message.failure, "reason": reason}
    found |= _named("server_supports", message.flags, _CONFIRM_FLAGS)
    if message.protocols is not None:
        found["protocol"] = _WORDS.get(message.protocols, str(message.protocols))
    return found


def _named(key: str, flags: int, names: Sequence[tuple[int, str]]) -> dict[str, Any]:
    words = [word for bit, word in names if flags & bit]
    return {key: words} if words else {}
