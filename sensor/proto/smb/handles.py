"""Open files and pipes of one flow."""

from __future__ import annotations

from collections.abc import Hashable
from functools import partial
from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.dcerpc import parse
from sensor.proto.dcerpc.association import Association
from sensor.proto.dcerpc.stream import PduStream
from sensor.proto.smb import limits, stages
from sensor.proto.smb.exchange import Exchange, PipeCall
from sensor.proto.transfer import Budget, FileStages, Transfer

if TYPE_CHECKING:
    from sensor.proto.dcerpc.parse import Pdu
    from sensor.proto.smb.connection import Connection

_CALL = (stages.CALL_REQUEST, stages.CALL_RESPONSE)
_FILES = (FileStages(stages.WRITE_DATA, stages.WRITTEN), FileStages(stages.READ_DATA, stages.READ))
_TOO_MUCH = (AppAnomaly.SMB_WRITE_QUEUE_SIZE_EXCEEDED, AppAnomaly.SMB_READ_QUEUE_SIZE_EXCEEDED)
_TOO_MANY = (AppAnomaly.SMB_WRITE_QUEUE_CNT_EXCEEDED, AppAnomaly.SMB_READ_QUEUE_CNT_EXCEEDED)
_BIND = b"\x05\x00\x0b"
_HANDLE = 1500
"""Bytes that an open file takes, with a file under way in it, or a share."""
_ANSWER_HEADER = 8
"""Bytes of a response behind the common header that are no stub data."""


class Tree:
    """A connected share."""

    __slots__ = ("pipe", "share")

    def __init__(self, share: bytes, *, pipe: bool) -> None:
        self.share = share
        self.pipe = pipe


class Pipe:
    """The association in a named pipe."""

    __slots__ = ("association", "streams")

    def __init__(self, association: Association) -> None:
        self.association = association
        self.streams = (PduStream(), PduStream())

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return self.association.held + sum(one.held for one in self.streams)


class Handle:
    """An open file or pipe."""

    __slots__ = ("command", "fuid", "key", "name", "pipe", "session", "size", "transfers", "tree", "tree_id")

    def __init__(self, session: int, tree_id: int, tree: Tree | None, name: bytes = b"") -> None:
        self.session = session
        self.tree_id = tree_id
        self.tree = tree
        self.name = name
        self.command = ""
        """The last one that read or wrote it, as EVE names it."""
        self.key: Hashable = None
        """Its number, once it is known."""
        self.fuid = ""
        """The number in text."""
        self.size = -1
        """Of the file when it was opened; -1: not known."""
        self.pipe: Pipe | None = None
        self.transfers: list[Transfer | None] = [None, None]
        """What is written, what is read."""


class Sink:
    """Where the data of a message go: to a file at an offset, or into a pipe. Bytes may come in parts."""

    __slots__ = ("_handle", "_handles", "_left", "_offset", "_side")

    def __init__(self, handles: Handles, handle: Handle, side: int, offset: int, size: int) -> None:
        self._handles = handles
        self._handle = handle
        self._side = side
        self._offset = offset
        self._left = size

    def add(self, data: bytes) -> None:
        """Take the next bytes; what is more than announced is none of it."""
        data = data[: self._left]
        self._left -= len(data)
        if data:
            self._handles.data(self._handle, self._side, self._offset, data)
        self._offset += len(data)

    def skip(self, nbytes: int) -> None:
        """Pass over lost bytes."""
        lost = min(nbytes, self._left)
        self._left -= lost
        self._offset += lost
        if lost and self._handle.pipe is not None:
            self._handle.pipe.streams[self._side].gap(lost)


class Handles:
    """All of a flow."""

    __slots__ = ("_connection", "_open", "_pipes", "budget", "trees")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._open: dict[Hashable, Handle] = {}
        """The one opened first comes first."""
        self.budget = Budget(limits.FILES_HELD)
        self._pipes = 0
        self.trees: dict[Hashable, Tree] = {}

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return self.budget.total + _HANDLE * len(self._open) + _HANDLE * len(self.trees) + self._piped()

    def _piped(self) -> int:
        """Return the same of pipes."""
        pipes = (handle.pipe for handle in self._open.values()) if self._pipes else ()
        return sum(pipe.held for pipe in pipes if pipe is not None)

    def connect(self, key: Hashable, tree: Tree) -> None:
        """Keep a share."""
        if len(self.trees) >= limits.TREES and key not in self.trees:
            self.trees.pop(next(iter(self.trees)))
            self.budget.losses.handles += 1
        self.trees[key] = tree

    def find(self, key: Hashable) -> Handle | None:
        """Return what is open under a number."""
        return self._open.get(key)

    def bind(self, key: Hashable, handle: Handle, fuid: str) -> None:
        """Give an open file its number."""
        if key not in self._open and len(self._open) >= limits.HANDLES:
            self.close(next(iter(self._open)))
            self.budget.losses.handles += 1
        if self._open.get(key, handle) is not handle:
            self.close(key)
        handle.fuid = fuid
        handle.key = key
        self._open[key] = handle

    def close(self, key: Hashable) -> None:
        """Forget a number, and end what was under way."""
        handle = self._open.pop(key, None)
        if handle is not None:
            self.end(handle, TO_SERVER)
            self.end(handle, TO_CLIENT)
            self._pipes -= handle.pipe is not None

    def release(self, handle: Handle) -> None:
        """End what was under way in a handle that is closed."""
        if handle.key is not None and self._open.get(handle.key) is handle:
            self.close(handle.key)
        else:
            self.end(handle, TO_SERVER)
            self.end(handle, TO_CLIENT)

    def finish(self) -> None:
        """End all files: the flow is over."""
        for handle in [*self._open.values()]:
            self.end(handle, TO_SERVER, ended=False)
            self.end(handle, TO_CLIENT, ended=False)

    def end(self, handle: Handle, side: int, *, ended: bool = True) -> None:
        """End the file that is written or read."""
        found = handle.transfers[side]
        if found is None:
            return
        handle.transfers[side] = None
        self.budget.forget(found)
        whole = side == TO_SERVER or handle.size < 0 or found.builder.size >= handle.size
        found.close(ended=ended and whole)

    def data(self, handle: Handle, side: int, offset: int, data: bytes) -> None:
        """Take bytes that are written or read."""
        if self._is_pipe(handle, data):
            self._call(handle, side, data)
            return
        found = handle.transfers[side]
        if found is None:
            if handle.tree is not None and handle.tree.pipe:
                return
            found = handle.transfers[side] = self._begin(handle, side)
        if data and found.builder.size > 0 and offset < found.builder.size:
            self._connection.report(AppAnomaly.SMB_FILE_OVERLAP, side)
        found.put(offset, data)
        if found.builder.crowded:
            self._connection.report(_TOO_MANY[side], side)
        if self.budget.settle(found):
            self._connection.report(_TOO_MUCH[side], side)

    def _begin(self, handle: Handle, side: int) -> Transfer:
        context = self._context(handle)
        share = handle.tree.share if handle.tree is not None else b""
        context.buffers["smb.share"] = share
        context.fields |= {"filename": _text(handle.name), "share": _text(share), "fuid": handle.fuid}
        connection = self._connection
        return Transfer(context, side, handle.name, connection.reach, _FILES[side], connection.files)

    def _is_pipe(self, handle: Handle, data: bytes) -> bool:
        """Tell whether a handle is read as DCE/RPC: a PDU goes through it, in a share of pipes or an unknown one.

        What comes first need not be a bind: the capture may have begun later.
        """
        if handle.pipe is not None:
            return True
        if not (handle.tree is None or handle.tree.pipe) or not _begins_pdu(data):
            return False
        if self._pipes >= limits.PIPES:
            self.budget.losses.handles += 1
            return False
        self._pipes += 1
        handle.pipe = Pipe(Association(_ANSWER_HEADER))
        handle.pipe.association.losses = self.budget.losses
        return True

    def _new_call(self, handle: Handle, head: Pdu) -> PipeCall:
        context = self._context(handle)
        context.fields |= {"filename": _text(handle.name)} if handle.name else {}
        context.buffers["smb.named_pipe"] = handle.tree.share if handle.tree is not None else b""
        return PipeCall(context, head.call, little=head.little)

    def _context(self, handle: Handle) -> Exchange:
        context = Exchange(self._connection, handle.command)
        context.session, context.tree = handle.session, handle.tree_id
        return context

    def _call(self, handle: Handle, side: int, data: bytes) -> None:
        pipe = handle.pipe
        if pipe is None:
            return
        make = partial(self._new_call, handle)
        for head, body in pipe.streams[side].feed(data):
            for call, way in pipe.association.pdu(head, body, make):
                self._connection.reach(call, _CALL[way])
        for anomaly, where in pipe.association.odd:
            self._connection.report(anomaly, where)
        pipe.association.odd.clear()


def _begins_pdu(data: bytes) -> bool:
    """Tell whether data are one PDU of DCE/RPC or the beginning of one; of a bind few bytes are enough."""
    if data.startswith(_BIND):
        return True
    head = parse.pdu(data) if len(data) >= parse.HEADER else None
    return head is not None and head.size >= len(data)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
