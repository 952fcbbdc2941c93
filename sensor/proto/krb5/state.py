"""Kerberos of one flow: messages behind a record mark (TCP) or one in each datagram."""

from collections.abc import Sequence

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT
from sensor.proto.krb5 import eve, parse
from sensor.proto.messages import Framing, MessageParser, Reading

MAX_MESSAGE = 128 << 10
"""Bytes of a message over TCP. Tickets with large PACs make replies of some 64 KiB."""


class Session:
    """A connection: what was last asked for on it."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: int | None = None

    def read(self, data: bytes, side: int) -> Reading | None:
        """Return what a message behind its record mark says (RFC 4120 section 7.2.2)."""
        message = parse.message(data[4:])
        if message is not None and message.kind in {parse.AS_REQ, parse.TGS_REQ}:
            self._asked = message.kind
        return _reading(message, side, self._asked)


def read(data: bytes, side: int) -> Reading | None:
    """Return what a message says that stands alone."""
    return _reading(parse.message(data), side)


def _reading(message: parse.KrbMessage | None, side: int, asked: int | None = None) -> Reading | None:
    """Return what is told of a message. Rules see names in answers only, as in Suricata: there the server agrees."""
    if message is None:
        return None
    numbers: dict[str, tuple[int, ...]] = {"krb5.msg_type": (message.kind,)}
    if message.error is not None:
        numbers["krb5.err_code"] = (message.error,)
    if message.ticket_etype is not None:
        numbers["krb5.ticket_encryption"] = (message.ticket_etype & 0xFFFFFFFF,)
        numbers["krb5.ticket_weak"] = (int(eve.weak(message.ticket_etype)),)
    odd = (AppAnomaly.KRB5_WEAK_ENCRYPTION,) if eve.weak(message.etype) else ()
    buffers: dict[str, Sequence[bytes]] = {"krb5.realm": (message.realm,)}
    if side == TO_CLIENT:
        buffers |= {"krb5.cname": message.cname, "krb5.sname": message.sname}
    return Reading({**buffers}, {**numbers}, eve.fields(message, asked), odd)


def _size(head: bytes) -> int:
    """Return the size of a record; its first bit is reserved (RFC 5021)."""
    return 4 + (int.from_bytes(head, "big") & 0x7FFFFFFF)


FRAMING = Framing(4, _size, MAX_MESSAGE)


def stream_parser() -> MessageParser:
    """Return a parser of a TCP flow."""
    return MessageParser(Session().read, FRAMING, AppAnomaly.KRB5_MALFORMED_DATA)


def datagram_parser() -> MessageParser:
    """Return a parser of datagrams."""
    return MessageParser(read, None, AppAnomaly.KRB5_MALFORMED_DATA)
