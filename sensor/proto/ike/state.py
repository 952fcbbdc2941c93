"""IKE of one flow: a message in each datagram."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.ike import eve, names, parse, weak
from sensor.proto.ike.parse import V1, V2, IkeMessage
from sensor.proto.messages import MessageParser, Reading

CHOSEN = "ike.chosen."
"""Numbers of this prefix are attributes of the association that the server chose."""


def read(data: bytes, side: int) -> Reading | None:
    """Return what a message says.

    The SPI of the initiator and vendors are those that the client sends, the responder's those that the server sends.
    """
    message = parse.message(data)
    if message is None:
        return None
    spi = ("ike.init_spi", message.init_spi) if side == TO_SERVER else ("ike.resp_spi", message.resp_spi)
    buffers: dict[str, Sequence[bytes]] = {spi[0]: (spi[1].hex().encode(),)}
    if message.vendors and side == TO_SERVER:
        buffers["ike.vendor"] = tuple(vendor.hex().encode() for vendor in message.vendors)
    numbers: dict[str, Sequence[int]] = {"ike.exchtype": (message.exchange,)}
    for name, raw in (("ike.key_exchange_payload", message.key_exchange), ("ike.nonce_payload", message.nonce)):
        if raw:
            buffers[name] = (raw,)
            numbers[f"{name}_length"] = (len(raw),)
    if side == TO_CLIENT:
        numbers |= _chosen(message)
    return Reading(buffers, numbers, eve.fields(message, side), tuple(_odd(message, side)))


def _odd(message: IkeMessage, side: int) -> Iterator[AppAnomaly]:
    if message.broken:
        yield AppAnomaly.IKE_MALFORMED_DATA
    if message.version == V2:
        yield from weak.found(message.proposals)
    elif message.extra:
        yield AppAnomaly.IKE_PAYLOAD_EXTRA_DATA
    offered = sum(len(proposal.transforms) for proposal in message.proposals)
    if message.version == V1 and side == TO_CLIENT and offered > 1:
        yield AppAnomaly.IKE_MULTIPLE_SERVER_PROPOSAL


def _chosen(message: IkeMessage) -> dict[str, Sequence[int]]:
    """Return the attributes of the first transform (version 1), or the first algorithm of each type."""
    found: dict[str, Sequence[int]] = {}
    transforms = [t for proposal in message.proposals for t in proposal.transforms]
    if message.version == V1:
        for kind, value in transforms[0].attributes if transforms else ():
            if kind in names.ATTRIBUTES and isinstance(value, int):
                found.setdefault(CHOSEN + names.ATTRIBUTES[kind], (value,))
        return found
    for transform in transforms:
        if transform.kind in names.KINDS:
            found.setdefault(CHOSEN + names.KINDS[transform.kind], (transform.number,))
    return found


def datagram_parser() -> MessageParser:
    """Return a parser of datagrams."""
    return MessageParser(read, None, AppAnomaly.IKE_MALFORMED_DATA)
