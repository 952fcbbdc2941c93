"""Frames of TLS handshakes (`sensor.model.frames`): one of each hello, one of each chain of certificates.

What the kernel takes for plain, the parser reads as it stands: messages whole in their record, a hello that keeps the
rules, a leaf whose names are ASCII under labels that are known. What comes once both sides encrypt is read by nobody.
Everything else (SSLv2, messages over several records or blocks, records of other versions) it refuses, and the flow is
parsed.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sensor.model.frames import APART, FRAME, HEAD, REST, Framed
from sensor.model.growing import grown
from sensor.proto.framer import Following, asked_of, framed
from sensor.proto.tls import parts as p
from sensor.proto.tls.kernels_certificates import LABEL
from sensor.proto.tls.kernels_frame import frame
from sensor.proto.tls.state import TlsParser
from sensor.proto.tls.transaction import TlsTransaction
from sensor.proto.tls.x509 import LABELS

_ROOM = 1 << 13
_TEXT_ROOM = 1 << 21
"""Frames, and bytes of text, of one block; a flow that finds no room is parsed."""


class TlsFramer(Following):
    """Cuts the handshakes of a block into frames (see `sensor.proto.framer.Framer`)."""

    def __init__(self, asked: Collection[int]) -> None:
        """asked: parts that some rule tests; fingerprints are made of no others."""
        super().__init__()
        self._asked = asked_of(asked)
        self._sent, self._counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._version = np.zeros(0, np.int64)
        self._frames, self._text = np.empty(_ROOM, FRAME), np.empty(_TEXT_ROOM, np.uint8)

    def frame(self, data: np.ndarray, units: np.ndarray, picked: np.ndarray, flows: np.ndarray) -> Framed:
        """See `Framer`."""
        if self._follow(units, picked, flows):
            self._sent, self._counts = (grown(old, 2 * flows.size) for old in (self._sent, self._counts))
            self._version = grown(self._version, flows.size)
        first, verdict = np.zeros(units.size + 1, np.int32), np.zeros(units.size, np.uint8)
        over = np.full(units.size + 1, -1, np.int32)
        n = frame(
            data, units, picked.view(np.uint8), flows, self._owner, self._next, self._sent, self._version,
            self._counts, self._asked, _TABLE, _POOL, self._frames, self._text, first, verdict, over,
        )  # fmt: skip
        return framed(self._frames[:n], first, self._text, picked, verdict, over)

    def message(self, data: np.ndarray, frame: np.void, *, whole: bool) -> tuple[TlsTransaction, int] | None:
        """See `Framer`. Of a handshake no frame has more than one message."""
        octets = data[int(frame["head"]) : int(frame["last"])].tobytes()
        tx = None if whole else message_of(octets, int(frame["side"]))
        hello = int(frame["at"][p.OF_CERTIFICATE]) == APART
        return (tx, HEAD if hello else REST) if tx is not None else None


def message_of(octets: bytes, side: int) -> TlsTransaction | None:
    """Return what is known of a handshake by one message, whole; None: something is odd."""
    parser = TlsParser()
    stages = parser.feed(side, b"\x16\3\1" + len(octets).to_bytes(2, "big") + octets, 0)
    tx: TlsTransaction | None = stages[0].tx if stages else None
    return tx


def _table() -> tuple[np.ndarray, np.ndarray]:
    pool, rows = bytearray(), []
    for oid, label in LABELS.items():
        rows.append((len(pool), len(oid), len(pool) + len(oid), len(label)))
        pool += oid + label.encode()
    return np.array(rows, LABEL), np.frombuffer(bytes(pool), np.uint8).copy()


_TABLE, _POOL = _table()
