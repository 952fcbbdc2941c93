"""TLS of one flow: messages to stages. After both sides encrypt nothing is read but the heads of records, if asked."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.once import StagesOnce
from sensor.proto.tls import parse, x509
from sensor.proto.tls.records import (
    CERTIFICATE,
    CLIENT_HELLO,
    HEARTBEAT_PADDING,
    MAX_MESSAGE,
    SERVER_HELLO,
    SERVER_HELLO_DONE,
    Event,
    EventKind,
    RecordSide,
)
from sensor.proto.tls.transaction import TlsTransaction
from sensor.proto.tls.views import Progress, Records
from sensor.proto.view import View

STAGE_CLIENT_HELLO, STAGE_SERVER_HELLO, STAGE_CERTIFICATES, STAGE_CLIENT_CERTIFICATES, STAGE_ESTABLISHED = range(5)
STAGE_VIEW_TO_SERVER, STAGE_VIEW_TO_CLIENT = 5, 6
VIEWS = (STAGE_VIEW_TO_SERVER, STAGE_VIEW_TO_CLIENT)
"""Mere frames and states, by side."""

MAX_ENCRYPTED_RECORDS = 64
"""Encrypted records of one side after which the other side's silence ends parsing (one-way captures)."""

_ANOMALIES = {
    EventKind.INVALID_MESSAGE: AppAnomaly.TLS_INVALID_HANDSHAKE,
    EventKind.TOO_MANY: AppAnomaly.TLS_TOO_MANY_RECORDS,
    EventKind.SSL2_ERROR: AppAnomaly.TLS_ERROR_MESSAGE_ENCOUNTERED,
}
_FAULTS = MappingProxyType({
    x509.Fault.INCOMPLETE: AppAnomaly.TLS_CERTIFICATE_INVALID,
    x509.Fault.LENGTH: AppAnomaly.TLS_CERTIFICATE_INVALID_LENGTH,
    x509.Fault.DER: AppAnomaly.TLS_CERTIFICATE_INVALID_DER,
    x509.Fault.VERSION: AppAnomaly.TLS_CERTIFICATE_INVALID_VERSION,
    x509.Fault.SERIAL: AppAnomaly.TLS_CERTIFICATE_INVALID_SERIAL,
    x509.Fault.DATE: AppAnomaly.TLS_CERTIFICATE_INVALID_DATE,
    x509.Fault.SUBJECT: AppAnomaly.TLS_CERTIFICATE_INVALID_SUBJECT,
    x509.Fault.ISSUER: AppAnomaly.TLS_CERTIFICATE_INVALID_ISSUER,
    x509.Fault.ALGORITHM: AppAnomaly.TLS_CERTIFICATE_INVALID_ALGORITHMIDENTIFIER,
    x509.Fault.EXTENSIONS: AppAnomaly.TLS_CERTIFICATE_INVALID_EXTENSIONS,
})  # fmt: skip
_RECORDS = (
    None,
    AppAnomaly.TLS_INVALID_RECORD_TYPE,
    AppAnomaly.TLS_INVALID_RECORD_VERSION,
    AppAnomaly.TLS_INVALID_RECORD_LENGTH,
)
_HOPELESS = frozenset({EventKind.INVALID_RECORD, EventKind.TOO_MANY, EventKind.SSL2_ERROR})


class TlsParser(StagesOnce[TlsTransaction]):
    """Parser of one flow (see `sensor.model.app.AppParser`).

    Stages are reached at most once each. `certificates` and `client_certificates` are also reached, without
    any, when their side can no longer send one in clear; `established` when both sides encrypt, the bytes
    stop making sense, or the flow ends. The first hello of each side counts, be it a HelloRetryRequest.
    """

    __slots__ = (
        "_beat", "_beat_of", "_deaf", "_encrypted", "_now", "_over", "_progress", "_records", "_sides", "done",
        "hears_out", "shows_frames",
    )  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self.shows_frames = False
        self.hears_out = False
        self._deaf = False
        """What comes is no record."""
        self._over = False
        """The handshake is: nothing is learnt of it any more."""
        self._records = (Records(""), Records("@to_client"))
        self._progress = Progress()
        self._sides = (RecordSide(), RecordSide())
        self._encrypted = [0, 0]
        """Events of encryption per side."""
        self._beat_of: int | None = None
        """Side whose heartbeat was not answered yet."""
        self._beat = 0
        """Size of its record."""
        self._now = 0
        """Bit set of stages."""

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:
        """Take the next bytes of a side."""
        out: list[TxStage] = []
        if self.done:
            return out
        self._now = ts_ns // 10**9
        if self.shows_frames:
            self._show(self._progress.found(side), side, out)
            self._progress.begin()
            for frame in self._records[side].feed(data):
                self._show(frame, side, out)
        if not self._over or self._listens:
            for event in self._sides[side].feed(data):
                if self._on_event(side, event, out) and not self._listens:
                    break
        self.done = self._over and not self._listens and not (self.shows_frames and self._shows_on())
        if self.shows_frames:
            self._show(self._progress.found(1 - side), 1 - side, out)
        return out

    @property
    def _listens(self) -> bool:
        """It goes on behind the handshake."""
        return self.hears_out and not self._deaf

    def _shows_on(self) -> bool:
        """Tell whether records may still come: not behind what is none, if none was before it."""
        sound = [one.sound for one in self._records]
        return any(one is not False for one in sound) and (any(sound) or not self._deaf)

    def idle(self, side: int) -> int:
        """See `sensor.model.app.Foresees`."""
        return self._sides[side].unread if self._over and not self.shows_frames and not self.done else 0

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        learnt = self._tx.held() if self._tx is not None else 0
        return learnt + sum(one.held for one in (*self._sides, *self._records))

    def _show(self, view: View | None, side: int, out: list[TxStage]) -> None:
        if view is not None:
            out.append(TxStage(view, VIEWS[side], side))

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Give up: record boundaries are lost."""
        out: list[TxStage] = []
        if not self._over:
            self._report(AppAnomaly.PROTOCOL_GAP, side)
            self._end(side, out)
        self.done = True
        return out

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Complete the transaction with what was seen."""
        out: list[TxStage] = []
        if self.shows_frames and not self.done:
            for side in (TO_SERVER, TO_CLIENT):
                self._show(self._progress.found(side), side, out)
        if not self._over:
            self._reach(STAGE_CERTIFICATES, TO_CLIENT, out)  # the server has shown none
        self._end(TO_CLIENT, out)
        self.done = True
        return out

    def _on_event(self, side: int, event: Event, out: list[TxStage]) -> bool:
        """Take one event; True: nothing more is to be read."""
        kind = event.kind
        if self._over:
            self._on_late_event(side, event)
        elif kind == EventKind.MESSAGE:
            self._on_message(side, event, out)
        elif kind == EventKind.CHANGE_CIPHER_SPEC:
            self._on_change_cipher_spec(side, out)
        elif kind == EventKind.APPLICATION_DATA:
            self._on_encrypted(side, out)
        elif kind == EventKind.HEARTBEAT:
            self._on_heartbeat(side, event)
        elif kind == EventKind.SSL2_MESSAGE:
            self._on_ssl2(side, event.body, out)
        else:
            odd = _RECORDS[event.type] if kind == EventKind.INVALID_RECORD else _ANOMALIES[kind]
            if odd is not None:
                self._report(odd, side)
            if kind in _HOPELESS:
                self._deaf = True
                self._end(side, out)
        return self._over

    def _on_late_event(self, side: int, event: Event) -> None:
        """Take an event behind the handshake. Of what is no record Suricata tells a type that there is not, alone."""
        if event.kind == EventKind.HEARTBEAT:
            self._on_heartbeat(side, event)
        elif event.kind in _HOPELESS:
            self._deaf = True
            if event.kind == EventKind.INVALID_RECORD and _RECORDS[event.type] == AppAnomaly.TLS_INVALID_RECORD_TYPE:
                self._report(AppAnomaly.TLS_INVALID_RECORD_TYPE, side)

    def _on_message(self, side: int, event: Event, out: list[TxStage]) -> None:
        kind = event.type
        self._progress.note(side, abs(kind))
        if kind == CERTIFICATE:
            self._on_certificates(side, event.body, out)
        elif kind == CLIENT_HELLO and side == TO_SERVER:
            hello = parse.client_hello(event.body)
            if not self._reached >> STAGE_CLIENT_HELLO & 1:
                self._on_client_hello(side, hello, out)
            elif hello.sni and self._tx is not None and self._tx.named_again:
                self._report(AppAnomaly.TLS_MULTIPLE_SNI_EXTENSIONS, side)
        elif kind == SERVER_HELLO and side == TO_CLIENT:
            if not self._reached >> STAGE_SERVER_HELLO & 1:
                self._on_server_hello(side, parse.server_hello(event.body), out)
        elif kind == -SERVER_HELLO_DONE and side == TO_CLIENT:
            self._reach(STAGE_CERTIFICATES, side, out)

    def _on_client_hello(self, side: int, hello: parse.ClientHello, out: list[TxStage]) -> None:
        if hello.malformed:
            self._report(AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH, side)
        for odd in hello.odd:
            self._report(odd, side)
        tx = self._transaction()
        tx.client, tx.named_again = hello, bool(hello.sni)
        self._reach(STAGE_CLIENT_HELLO, side, out)

    def _on_server_hello(self, side: int, hello: parse.ServerHello, out: list[TxStage]) -> None:
        if hello.malformed:
            self._report(AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH, side)
        self._transaction().server = hello
        self._reach(STAGE_SERVER_HELLO, side, out)

    def _on_certificates(self, side: int, body: bytes, out: list[TxStage]) -> None:
        tx = self._transaction()
        if tx.certs if side == TO_CLIENT else tx.client_certs:
            return  # the first chain counts; reading more of them would cost without bound
        cut = len(body) >= MAX_MESSAGE
        chain, sound = parse.certificates(body, cut=cut)
        leaf = None
        while chain and leaf is None:
            leaf = x509.parse(chain[0])
            if leaf.fault and not cut:
                self._report(_FAULTS[leaf.fault], side)
            if leaf.malformed and not leaf.serial:  # the first that is a certificate counts, as in Suricata
                chain, leaf = chain[1:], None
        if not sound:
            self._report(AppAnomaly.TLS_CERTIFICATE_INVALID, side)
        self._set_certificates(side, chain, leaf, out)

    def _set_certificates(
        self, side: int, chain: tuple[bytes, ...], leaf: x509.Certificate | None, out: list[TxStage]
    ) -> None:
        tx = self._transaction()
        if side == TO_CLIENT:
            tx.certs, tx.leaf, tx.certs_at = chain, leaf, self._now
            self._reach(STAGE_CERTIFICATES, side, out)
        else:
            tx.client_certs, tx.client_leaf = chain, leaf
            self._reach(STAGE_CLIENT_CERTIFICATES, side, out)

    def _on_heartbeat(self, side: int, event: Event) -> None:
        """Look at a heartbeat. Of a side's heartbeats one at a time may be without an answer."""
        if event.body:
            self._on_clear_heartbeat(side, event)
        elif self._beat_of == side:
            self._report(AppAnomaly.TLS_INVALID_HEARTBEAT_MESSAGE, side)
        elif self._beat_of is not None and event.type > self._beat:  # an answer has what was asked for, no more
            self._report(AppAnomaly.TLS_DATALEAK_HEARTBEAT_MISMATCH, side)
        if self._beat_of != side:
            self._beat_of, self._beat = (side, event.type) if self._beat_of is None else (None, 0)

    def _on_clear_heartbeat(self, side: int, event: Event) -> None:
        """Look at a heartbeat in clear (RFC 6520 section 4): type, size of the payload, payload, padding."""
        known = event.body[0] in (1, 2)
        size, room = event.body[1] << 8 | event.body[2], event.type - 3
        if known and size > room:
            self._report(AppAnomaly.TLS_OVERFLOW_HEARTBEAT_MESSAGE, side)
        elif not known or (size and room - size < HEARTBEAT_PADDING) or self._beat_of == side:
            self._report(AppAnomaly.TLS_INVALID_HEARTBEAT_MESSAGE, side)

    def _on_change_cipher_spec(self, side: int, out: list[TxStage]) -> None:
        tx = self._tx
        if tx is not None and side == TO_SERVER:
            tx.named_again = False
        if tx and tx.server and parse.is_tls13(parse.negotiated(tx.server)):
            return  # means nothing in TLS 1.3 (RFC 8446 appendix D.4); a second hello may follow in clear
        self._sides[side].opaque = True
        if tx and tx.server and side == TO_CLIENT and not self._reached >> STAGE_CERTIFICATES & 1:
            tx.resumed = True
        self._on_encrypted(side, out)

    def _on_ssl2(self, side: int, body: bytes, out: list[TxStage]) -> None:
        self._progress.note(side, {1: CLIENT_HELLO, 4: SERVER_HELLO}.get(body[0], 0))
        if side == TO_SERVER and body[0] == 1:
            self._on_client_hello(side, parse.ssl2_client_hello(body), out)
        elif side == TO_CLIENT and self._sides[TO_SERVER].ssl2 and body[0] == 4:
            hello, chain = parse.ssl2_server_hello(body)
            self._on_server_hello(side, hello, out)
            self._set_certificates(side, chain, x509.parse(chain[0]) if chain else None, out)
            self._end(side, out)
        else:
            self._report(AppAnomaly.TLS_INVALID_RECORD, side)
            self._end(side, out)

    def _on_encrypted(self, side: int, out: list[TxStage]) -> None:
        self._encrypted[side] += 1
        if self._encrypted[side] == 1:
            self._reach(STAGE_CERTIFICATES if side == TO_CLIENT else STAGE_CLIENT_CERTIFICATES, side, out)
        if self._encrypted[1 - side] or self._encrypted[side] > MAX_ENCRYPTED_RECORDS:
            self._end(side, out)

    def _end(self, side: int, out: list[TxStage]) -> None:
        self._over = True
        for one in self._sides:
            one.opaque = True
        self._reach(STAGE_ESTABLISHED, side, out)

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        """Tell of what is odd once for both sides, as Suricata does: they are one transaction."""
        if (anomaly, 1 - side) not in self._seen:
            super()._report(anomaly, side)

    def _transaction(self) -> TlsTransaction:
        if self._tx is None:
            self._tx = TlsTransaction()
        return self._tx
