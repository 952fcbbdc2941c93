"""EtherNet/IP and CIP for tests."""

import struct


def enip(command=0x65, body=b"", session=7, status=0, options=0):
    return struct.pack("<HHII8sI", command, len(body), session, status, b"context.", options) + body


def items(*parts):
    return struct.pack("<IHH", 0, 10, len(parts)) + b"".join(struct.pack("<HH", k, len(b)) + b for k, b in parts)


def path(*segments):
    """segments: (logical type, value)"""
    out = b""
    for kind, value in segments:
        wide = value > 255
        out += bytes([0x20 | kind << 2 | wide]) + (b"\0" + struct.pack("<H", value) if wide else bytes([value]))
    return out


def cip(service, *segments, body=b""):
    route = path(*segments)
    return bytes([service, len(route) // 2]) + route + body


def multiple(*requests):
    at, offsets = 2 + 2 * len(requests), []
    for one in requests:
        offsets.append(at)
        at += len(one)
    body = struct.pack(f"<{len(requests) + 1}H", len(requests), *offsets) + b"".join(requests)
    return cip(0x0A, (0, 2), (1, 1), body=body)


def unconnected(raw):
    return enip(0x6F, items((0, b""), (0xB2, raw)))


def connected(raw):
    return enip(0x70, items((0xA1, b"conn"), (0xB1, b"\1\0" + raw)))


GET = cip(0x0E, (0, 0x6B), (1, 1), (4, 0x1234))
LIST = cip(0x03, (0, 0x300), (1, 1), body=struct.pack("<HHH", 2, 5, 6))
