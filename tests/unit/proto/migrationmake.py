"""Forged migration streams (docs/specs/libxl-migration-stream.pandoc, libxc-migration-stream.pandoc of Xen)."""

import struct

CONFIG = b'{"c_info": {"type": "pv", "name": "db-01", "uuid": "5f0e9d6e-0b1c-4f5e-8a7b-1c2d3e4f5a6b"}, "b_info": {}}'
BANNER = b"xl migration receiver ready, send binary domain data.\n"


def xl(config=CONFIG, flags=3, order="<", size=None):
    data = struct.pack(f"{order}I", len(config)) + config if config else b""
    head = struct.pack(f"{order}4I", 0x01020304, flags, 0, len(data) if size is None else size)
    return b"Xen saved domain, xl format\n \0 \r" + head + data


def libxl(version=2, kind=1, order="<"):
    return b"LibxlFmt" + struct.pack(">II", version, int(order == ">")) + struct.pack(f"{order}II", kind, 0)


def libxc(version=3, kind=1, order="<", image=b"XENF"):
    head = b"\xff" * 8 + image + struct.pack(">IHHI", version, int(order == ">"), 0, 0)
    return head + struct.pack(f"{order}IHHII", kind, 12, 0, 4, 17)


MEMORY = struct.pack("<IIIIQ", 1, 4112, 1, 0, 4096) + bytes(range(256)) * 16
STREAM = xl() + libxl() + libxc()
