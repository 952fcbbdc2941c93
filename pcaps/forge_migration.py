"""A live migration in clear: `xl migrate -s ''` between hosts, seen where a guest can see it; a save to a guest; XAPI.

The streams follow docs/specs/libxl-migration-stream.pandoc and libxc-migration-stream.pandoc of Xen; the memory in
them is noise.
"""

import struct

from pcaps import apps
from pcaps.talk import ATTACKER, FILES01, Tcp, Wire, guest

XEN01, XEN02 = guest("xen-01", 201), guest("xen-02", 202)


def stream(noise: bytes) -> bytes:
    """xl's header and configuration, libxl's stream header, the libxc image with one page of data."""
    config = b'{"c_info": {"name": "db-01", "uuid": "5f0e9d6e-0b1c-4f5e-8a7b-1c2d3e4f5a6b"}}'
    xl = b"Xen saved domain, xl format\n \0 \r" + struct.pack("<IIII", 0x01020304, 3, 0, 4 + len(config))
    xl += struct.pack("<I", len(config)) + config
    libxl = b"LibxlFmt" + struct.pack(">II", 2, 0) + struct.pack("<II", 1, 0)
    libxc = b"\xff" * 8 + b"XENF" + struct.pack(">IHHI", 3, 0, 0, 0) + struct.pack("<IHHII", 2, 12, 0, 4, 17)
    page = struct.pack("<II", 1, 8 + 8 + len(noise)) + struct.pack("<IIQ", 1, 0, 0x1000) + noise
    return xl + libxl + libxc + page


def migrate(wire: Wire) -> None:
    talk = Tcp(wire, XEN01, XEN02, 8002).open()
    talk.server("xl migration receiver ready, send binary domain data.\n")
    talk.client(stream(wire.rng.randbytes(20480)))
    talk.server("domain received, ready to unpause\n")
    talk.close()


def save(wire: Wire) -> None:
    """`xl save` to a share of a guest."""
    talk = Tcp(wire, XEN01, FILES01, 445).open()
    talk.client(apps.smb2_negotiate()).server(apps.smb2_ok(0, 64))
    talk.client(apps.smb2_create(r"saves\db-01.save")).server(apps.smb2_ok(5, 88))
    talk.client(apps.smb2_write(stream(wire.rng.randbytes(4096)))).server(apps.smb2_ok(9))
    talk.close()


def xapi(wire: Wire) -> None:
    values = "".join(f"<param><value><string>{word}</string></value></param>" for word in ("root", "s3cret"))
    call = "<methodName>session.login_with_password</methodName>"
    body = f"<methodCall>{call}<params>{values}</params></methodCall>"
    ask = apps.request(
        "/", "xen-01", method="POST", agent="xen-api-libs/1.0", body=body.encode(), headers={"Content-Type": "text/xml"}
    )
    apps.http(wire, ATTACKER, XEN01, (ask, apps.response(b"<methodResponse/>", kind="text/xml", server="")))
    memory = apps.request(
        "/services/xenops/memory/5f0e9d6e-0b1c-4f5e-8a7b-1c2d3e4f5a6b", "xen-02", method="PUT", agent="xenopsd"
    )
    apps.http(wire, XEN01, XEN02, (memory, apps.response(b"", server="")))


def captures() -> dict[str, Wire]:
    wire = Wire(seed=9)
    for part in (migrate, save, xapi):
        part(wire)
        wire.wait(10)
    return {"migration": wire}
