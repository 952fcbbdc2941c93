"""The parts of a call or reply as rules see them: RPC (RFC 5531) around NFS 2 and 3, or a compound of NFS 4.

The parts are Suricata's: of calls it has no header, the header of a reply ends behind its kind, and that of a compound
are its first eight bytes. Over TCP the fragment header belongs to the message.
"""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.nfs import rpc
from sensor.proto.reader import Reader, WireError
from sensor.proto.view import View

HELP = MappingProxyType(
    {
        "rpc.pdu": "a whole call or reply; its first 16 KiB",
        "rpc.hdr": "of a reply: number and kind",
        "rpc.data": "of a reply: what follows that",
        "rpc.creds": "of a call: credentials",
        "nfs.pdu": "arguments of a call, or results, of NFS 2 and 3",
        "nfs.status": "status of results",
        "nfs4.pdu": "a compound or its results, NFS 4",
        "nfs4.hdr": "their first eight bytes",
        "nfs4.ops": "what follows these",
        "nfs4.status": "status of results",
    }
)
"""Name of a frame → what it holds."""
_CALL_HEAD, _REPLY_HEAD, _COMPOUND_HEAD, _STATUS = 24, 8, 8, 4
_MARK = 1 << 31
"""Bit of a fragment header: the last one of its record (RFC 5531 section 11)."""


def of_record(data: bytes, size: int, versions: dict[int, int], side: int, *, datagram: bool) -> View:
    """Return the parts of a record. size: of all of it; versions: of NFS, by the numbers of calls that wait."""
    mark = b"" if datagram else (size | _MARK).to_bytes(4, "big")
    parts = {"rpc.pdu": mark + data}
    try:  # of what a server asks and its client answers (callbacks) there is the whole only
        if int.from_bytes(data[4:8], "big") == rpc.CALL and side == TO_SERVER:
            parts |= _call(data)
        elif side == TO_CLIENT:
            parts |= _reply(data, mark, versions)
    except WireError:
        pass  # what can be told apart is
    return View({f"frame.{name}{'@to_client' if side else ''}": value for name, value in parts.items()})


def _call(data: bytes) -> dict[str, bytes]:
    reader = Reader(data)
    reader.skip(_CALL_HEAD + 4)
    rpc.opaque(reader, len(data))
    parts = {"rpc.creds": data[_CALL_HEAD : reader.pos]}
    found = rpc.call(Reader(data))
    if found is None or found.program != rpc.NFS or not found.procedure:
        return parts
    reader.skip(4)
    rpc.opaque(reader, len(data))
    return parts | _nfs(data[reader.pos :], found.version, results=False)


def _reply(data: bytes, mark: bytes, versions: dict[int, int]) -> dict[str, bytes]:
    parts = {"rpc.hdr": mark + data[:_REPLY_HEAD], "rpc.data": data[_REPLY_HEAD:]}
    reader = Reader(data)
    xid, _, results = rpc.reply(reader)
    version = versions.get(xid)
    return parts | _nfs(data[reader.pos :], version, results=True) if results and version else parts


def _nfs(data: bytes, version: int, *, results: bool) -> dict[str, bytes]:
    name = "nfs4" if version == 4 else "nfs"
    parts = {f"{name}.pdu": data}
    if version == 4:
        parts |= {"nfs4.hdr": data[:_COMPOUND_HEAD], "nfs4.ops": data[_COMPOUND_HEAD:]}
    if results:
        parts[f"{name}.status"] = data[:_STATUS]
    return parts
