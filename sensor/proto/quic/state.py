"""QUIC of one flow, up to the hello of each side. What follows is encrypted with keys that nobody else has."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.proto.oddities import Oddities
from sensor.proto.quic import google, keys, parse
from sensor.proto.quic.keys import Keys
from sensor.proto.quic.parse import INITIAL, Packet
from sensor.proto.quic.transaction import QuicTransaction
from sensor.proto.reader import WireError
from sensor.proto.tls.parse import client_hello, server_hello

STAGE_MESSAGE = 0

MAX_PACKETS = 32
"""Packets read of a side that does not come to its hello; hellos of today take one to three."""
MAX_HELLO = 16384
MAX_PIECES = 256
"""Pieces of a hello that are kept: clients scramble theirs into some tens."""

_HELLO = (1, 2)
"""Types of the hellos of client and server (RFC 8446 section 4)."""


class Crypto:
    """The CRYPTO stream of one side, up to its hello."""

    __slots__ = ("pieces",)

    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}

    def add(self, offset: int, data: bytes) -> bool:
        """Keep a piece; False: it is beyond what is kept."""
        if offset + len(data) > MAX_HELLO or (offset not in self.pieces and len(self.pieces) == MAX_PIECES):
            return False
        if len(data) > len(self.pieces.get(offset, b"")):
            self.pieces[offset] = data
        return True

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return sum(map(len, self.pieces.values())) + 100 * len(self.pieces)

    def message(self) -> tuple[int, bytes] | None:
        """Return type and body of the first message; None: it is not complete."""
        joined = bytearray()
        for offset, data in sorted(self.pieces.items()):
            if offset > len(joined):
                break
            joined += data[len(joined) - offset :]
        size = int.from_bytes(joined[1:4], "big")
        return (joined[0], bytes(joined[4 : 4 + size])) if len(joined) >= 4 + size and len(joined) > 3 else None


class QuicParser(Oddities):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_closed", "_count", "_crypto", "_dcid", "_keys", "_packets", "done")

    def __init__(self) -> None:
        super().__init__()
        self.done = False
        self._keys: tuple[Keys, Keys] | None = None
        self._dcid = b""
        """The connection id that the keys are made of."""
        self._crypto = (Crypto(), Crypto())
        self._closed = [False, False]
        """The side has sent its hello, or will be read no further."""
        self._packets = [0, 0]
        self._count = 0

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Take one datagram."""
        out: list[TxStage] = []
        plain = None if self._closed[side] else google.packet(data)
        if plain is not None and google.is_plain(plain.version):
            self._on_plain(side, plain, out)
            return out
        pos = 0
        while not self._closed[side] and pos < len(data):
            found = parse.packet(data, pos)
            if found is None:
                break
            pos = found[1]
            self._on_packet(side, found[0], out)
        return out

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return sum(one.held for one in self._crypto)

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: datagrams have no gaps."""
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - part of the contract
        """Do nothing: nothing is pending."""
        self.done = True
        return []

    def _on_plain(self, side: int, plain: google.Plain, out: list[TxStage]) -> None:
        tx = self._transaction(side, plain.version, out)
        tx.google = plain.hello
        if plain.hello is not None:
            self._close(side)

    def _on_packet(self, side: int, packet: Packet, out: list[TxStage]) -> None:
        tx = self._transaction(side, packet.version, out)
        if packet.kind != INITIAL:
            return
        frames = self._open(side, packet)
        if frames is None:
            if self._keys is not None:
                self._report(AppAnomaly.QUIC_FAILED_DECRYPT, side)
            return
        try:
            for offset, data in parse.crypto(frames):
                if not self._crypto[side].add(offset, data):
                    self._report(AppAnomaly.QUIC_CRYPTO_FRAG_TOO_LONG, side)
                    self._close(side)
                    return
        except WireError:
            self._report(AppAnomaly.QUIC_ERROR_ON_DATA, side)
        self._hello(side, tx)

    def _open(self, side: int, packet: Packet) -> bytes | None:
        """Return the frames of an Initial packet. A client that was told to retry has chosen a new connection id."""
        if self._keys is not None:
            frames = keys.unseal(self._keys[side], packet.raw, packet.number_at)
            if frames is not None or side == TO_CLIENT or packet.dcid == self._dcid:
                return frames
        if side == TO_CLIENT:
            return None
        fresh = keys.initial(packet.version, packet.dcid)
        frames = keys.unseal(fresh[side], packet.raw, packet.number_at) if fresh else None
        if frames is not None or self._keys is None:
            self._keys, self._dcid = fresh, packet.dcid
        return frames

    def _hello(self, side: int, tx: QuicTransaction) -> None:
        """Read the hello, if the packet completes it. Q050 has a CHLO in its CRYPTO frames."""
        pieces = self._crypto[side].pieces
        if pieces.get(0, b"")[:4] == google.CHLO:
            tx.google = google.hello(pieces[0])
            if tx.google is not None:
                self._close(side)
            return
        message = self._crypto[side].message()
        if message is None:
            return
        kind, body = message
        if kind != _HELLO[side]:
            self._report(AppAnomaly.QUIC_ERROR_ON_DATA, side)
        elif side == TO_SERVER:
            tx.client = client_hello(body)
        else:
            tx.server = server_hello(body)
        self._close(side)

    def _transaction(self, side: int, version: int, out: list[TxStage]) -> QuicTransaction:
        tx = QuicTransaction(self._count, version)
        self._count += 1
        self._packets[side] += 1
        if self._packets[side] >= MAX_PACKETS:
            self._close(side)
        out.append(TxStage(tx, STAGE_MESSAGE, side))
        return tx

    def _close(self, side: int) -> None:
        self._closed[side] = True
        self._crypto[side].pieces.clear()
        self.done = all(self._closed)
