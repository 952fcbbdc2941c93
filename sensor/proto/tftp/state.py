"""TFTP of one flow: every datagram is a transaction."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.proto.messages import MessageParser, Reading
from sensor.proto.text import text

READ, WRITE, DATA, ACK, ERROR, OPTIONS = 1, 2, 3, 4, 5, 6
"""RFC 1350 section 5, RFC 2347."""
_WORDS = {READ: "read", WRITE: "write", DATA: "data", ACK: "ack", ERROR: "error", OPTIONS: "oack"}


def read(data: bytes, side: int) -> Reading | None:  # noqa: ARG001 - see `sensor.proto.messages.Read`
    """Read a datagram; None: it is no TFTP packet."""
    opcode = int.from_bytes(data[:2], "big")
    if len(data) < 4 or opcode not in _WORDS:
        return None
    reading = Reading(numbers={"tftp.opcode": (opcode,)}, fields={"packet": _WORDS[opcode]})
    if opcode in {READ, WRITE}:
        name, zero, rest = data[2:].partition(b"\0")
        mode, end, _ = rest.partition(b"\0")
        if not name or not zero or not end:
            return None
        mode = mode.lower()
        reading.buffers = {"tftp.file": (name,), "tftp.mode": (mode,)}
        reading.fields |= {"file": text(name), "mode": text(mode)}
    return reading


def datagram_parser() -> MessageParser:
    """Return the parser of a flow."""
    return MessageParser(read, None, AppAnomaly.TFTP_MALFORMED)
