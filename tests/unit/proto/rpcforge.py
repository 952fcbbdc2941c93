"""Hand-made bytes of DCE/RPC (C706 chapter 12.6), little-endian unless said otherwise."""

import struct
import uuid

SPOOLSS = "12345678-1234-abcd-ef00-0123456789ab"
EPMAPPER = "e1af8308-5d1f-11c9-91a4-08002b14a0fa"
NDR = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860")


def pdu(kind, body, call=1, flags=3, order="<", minor=0):
    drep = (0x10 if order == "<" else 0, 0, 0, 0)
    return struct.pack(order + "8BHHI", 5, minor, kind, flags, *drep, 16 + len(body), 0, call) + body


def uuid_bytes(text, order="<"):
    one = uuid.UUID(str(text))
    return one.bytes_le if order == "<" else one.bytes


def bind(*interfaces, call=1, kind=11, flags=3, order="<"):
    """interfaces: (context, UUID, version)."""
    body = struct.pack(order + "HHIB3x", 5840, 5840, 0, len(interfaces))
    for number, interface, version in interfaces:
        body += struct.pack(order + "HBx", number, 1) + uuid_bytes(interface, order)
        body += struct.pack(order + "HH", version, 0) + uuid_bytes(NDR, order) + struct.pack(order + "I", 2)
    return pdu(kind, body, call, flags, order)


def bind_ack(*results, call=1, kind=12, order="<", address=b"\\PIPE\\spoolss\0"):
    body = struct.pack(order + "HHIH", 5840, 5840, 1, len(address)) + address
    body += b"\0" * (-len(body) % 4) + struct.pack("B3x", len(results))
    for result in results:
        body += struct.pack(order + "HH", result, 0) + uuid_bytes(NDR, order) + struct.pack(order + "I", 2)
    return pdu(kind, body, call, 3, order)


def request(opnum, stub, call=2, context=0, flags=3, order="<"):
    return pdu(0, struct.pack(order + "IHH", len(stub), context, opnum) + stub, call, flags, order)


def response(stub, call=2, context=0, flags=3, order="<"):
    return pdu(2, struct.pack(order + "IHBx", len(stub), context, 0) + stub, call, flags, order)


def talk():
    """A bind, a call in one fragment, a call in three fragments answered in two."""
    return [
        (0, bind((0, SPOOLSS, 1), (1, EPMAPPER, 3))),
        (1, bind_ack(0, 2)),
        (0, request(1, b"open printer")),
        (1, response(b"handle")),
        (0, request(9, b"one,", call=3, flags=1) + request(9, b"two,", call=3, flags=0)),
        (0, request(9, b"three", call=3, flags=2)),
        (1, response(b"a lot ", call=3, flags=1)),
        (1, response(b"of it", call=3, flags=2)),
    ]


def datagram(kind, stub, opnum=3, interface=SPOOLSS, order="<", version=1, size=None):
    """A PDU of the connectionless protocol (C706 section 12.5)."""
    drep = (0x10 if order == "<" else 0, 0, 0)
    head = struct.pack("8B", 4, kind, 0x20, 0, *drep, 0) + b"O" * 16 + uuid_bytes(interface, order)
    head += uuid_bytes(EPMAPPER, order)
    size = len(stub) if size is None else size
    return head + struct.pack(order + "IIIHHHHHBB", 0, version, 9, opnum, 0xFFFF, 0xFFFF, size, 0, 0, 0) + stub
