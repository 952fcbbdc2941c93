"""What both versions do with the contents of a message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER
from sensor.proto.smb import kerberos, names, ntlmssp, stages

if TYPE_CHECKING:
    from sensor.proto.smb.connection import Connection
    from sensor.proto.smb.exchange import Exchange
    from sensor.proto.smb.handles import Handle, Tree
    from sensor.proto.smb.records import Create, Opened

_PIPES = b"IPC$"
_REQUEST = 500
"""Bytes that a request takes, with the file that it opens."""


class Request:
    """A request that waits for its answer."""

    __slots__ = ("command", "cost", "exchange", "handle", "offset", "size", "tree")

    def __init__(self, command: int, exchange: Exchange | None = None) -> None:
        self.command = command
        self.exchange = exchange
        self.handle: Handle | None = None
        self.offset = 0
        self.size = 0
        self.tree: Tree | None = None
        self.cost = 0
        """Bytes of memory that it takes while it waits, about."""

    def weigh(self) -> int:
        """Return these bytes, as they are from now on."""
        self.cost = _REQUEST + (self.exchange.held() if self.exchange is not None else 0)
        return self.cost


class Negotiation:
    """What both versions know of the choice between them."""

    __slots__ = ("dialects", "exchange")

    def __init__(self) -> None:
        self.dialects: list[str] = []
        """What the client offered in the form of SMB 1."""
        self.exchange: Exchange | None = None
        """The last request; its answer may be of another version."""


def is_pipe(share: bytes) -> bool:
    """Tell whether a share is that of named pipes (MS-SRVS section 3.1.1.1)."""
    return share.rpartition(b"\\")[2].upper() == _PIPES


def log_on(connection: Connection, exchange: Exchange, blob: bytes) -> None:
    """Note who logs on by a security blob."""
    ticket = kerberos.ticket(blob)
    if ticket is not None:
        snames = [names.text(part) for part in ticket.names]
        exchange.fields["kerberos"] = {"realm": names.text(ticket.realm), "snames": snames}
        return
    try:
        user = ntlmssp.user(blob)
    except ntlmssp.NtlmError:
        connection.report(AppAnomaly.SMB_MALFORMED_NTLMSSP_REQUEST, TO_SERVER)
        return
    if user is None:
        return
    exchange.buffers |= {"smb.ntlmssp_user": user.user, "smb.ntlmssp_domain": user.domain}
    shown = {"domain": names.text(user.domain), "user": names.text(user.user), "host": names.text(user.host)}
    exchange.fields["ntlmssp"] = shown | ({"version": user.version} if user.version else {})


def connect(exchange: Exchange, share: bytes) -> None:
    """Note the share that a client connects to."""
    pipe = is_pipe(share)
    exchange.buffers["smb.named_pipe" if pipe else "smb.share"] = share
    exchange.fields["named_pipe" if pipe else "share"] = names.text(share)


def create(exchange: Exchange, found: Create) -> None:
    """Note what a client opens."""
    exchange.buffers["smb.filename"] = found.name
    exchange.fields["directory" if found.directory and found.name else "filename"] = (
        names.text(found.name) if found.name else "<share_root>"
    )
    exchange.fields["disposition"] = names.disposition(found.disposition)
    exchange.fields["access"] = "delete on close" if found.delete_on_close else "normal"


def opened(exchange: Exchange, found: Opened, fuid: str) -> None:
    """Note what a client opened."""
    created, accessed, modified, changed = found.times
    exchange.fields |= {"created": created, "accessed": accessed, "modified": modified, "changed": changed}
    exchange.fields |= {"size": found.size, "fuid": fuid}


def offer(connection: Connection, known: Negotiation, exchange: Exchange, dialects: list[str]) -> None:
    """Note a negotiation."""
    if known.exchange is not None and known.exchange.command == exchange.command:
        connection.report(AppAnomaly.SMB_DUPLICATE_NEGOTIATE, TO_SERVER)
    known.exchange = exchange
    exchange.fields["client_dialects"] = dialects


def answered(connection: Connection, exchange: Exchange, status: tuple[str, str]) -> None:
    """Note the answer to a command."""
    exchange.status = status
    connection.reach(exchange, stages.RESPONSE)
