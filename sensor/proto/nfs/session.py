"""Calls and replies of one flow to transactions."""

from __future__ import annotations

import msgspec

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.nfs import basic, compound, limits, rpc, stages
from sensor.proto.nfs.files import Files, Sink
from sensor.proto.nfs.log import Log
from sensor.proto.nfs.transaction import NfsCall
from sensor.proto.reader import Reader, WireError

_SILENT = frozenset({"READ", "WRITE", "COMMIT"})
"""Procedures that are seen as files only."""


_CALL, _OPERATION = 1500, 300
"""Bytes that a call, and an operation of one, takes besides its text."""


class _Waiting(msgspec.Struct, gc=False):
    """A call that waits for its reply."""

    version: int
    procedure: int
    tx: NfsCall | None
    asked: basic.Arguments | None = None
    operations: list[compound.Operation] = []
    handles: list[bytes] = []
    """Handle at hand at each operation; empty: not known."""

    @property
    def cost(self) -> int:
        """Bytes of memory that it takes, about."""
        asked = len(self.asked.name) + len(self.asked.data) if self.asked is not None else 0
        return _CALL + asked + sum(_OPERATION + len(one.name) + len(one.data) for one in self.operations)


class Session:
    """One flow."""

    __slots__ = ("_bytes", "_waiting", "crowded", "files", "log")

    def __init__(self) -> None:
        self.log = Log()
        self.crowded = False
        """A call gave way to others while it waited for its reply."""
        self._waiting: dict[int, _Waiting] = {}
        """By the call's number; the oldest comes first."""
        self._bytes = 0
        """Of memory that these take, about."""
        self.files = Files(self.log)

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return self._bytes + self.files.held

    def versions(self) -> dict[int, int]:
        """Return the version of NFS of the calls that wait, by their numbers."""
        return {xid: waiting.version for xid, waiting in self._waiting.items()}

    def call(self, data: bytes) -> Sink | None:
        """Take a call or reply of which these bytes are there; return where the rest goes. Raises WireError."""
        reader = Reader(data)
        found = rpc.call(reader)
        if found is None:
            return self._reply(Reader(data))
        if found.program != rpc.NFS:
            return None  # another service
        if not found.procedure:
            self._ping(found)
            return None
        if found.version == 4:
            return self._compound(found, reader)
        if found.version not in {2, 3}:
            raise WireError("unknown version of NFS", 12)
        return self._basic(found, reader)

    def _ping(self, head: rpc.Call) -> None:
        """Take procedure 0, which does nothing: rules may ask for it, it has no record."""
        if head.version in {2, 3}:
            self.log.reach(NfsCall(-1, head.version, head.procedure), stages.REQUEST)

    # ---- versions 2 and 3

    def _basic(self, head: rpc.Call, reader: Reader) -> Sink | None:
        name = basic.procedure(head.version, head.procedure)
        try:
            asked = basic.arguments(reader, head.version, name)
        except WireError:
            # What is called can be read, and has no record.
            self.log.reach(NfsCall(-1, head.version, head.procedure), stages.REQUEST)
            raise
        tx = None
        if name not in _SILENT:
            tx = self.log.new(head.version, head.procedure)
            tx.rpc = {"xid": head.xid, **rpc.caller(head)}
            tx.fields["procedure"] = name
            tx.file_name = asked.name or self.files.name(asked.handle)
            if name == "RENAME":
                tx.fields["rename"] = {"from": _text(asked.name), "to": _text(asked.to_name)}
            self.log.reach(tx, stages.REQUEST)
        self._keep(head.xid, _Waiting(head.version, head.procedure, tx, asked))
        if name != "WRITE":
            return None
        sink = self.files.data(asked.handle, TO_SERVER, head.version, head.procedure, asked.offset, asked.size)
        sink.add(asked.data)
        return sink

    def _reply_basic(self, waiting: _Waiting, asked: basic.Arguments, reader: Reader) -> Sink | None:
        name = asked.procedure
        found = basic.results(reader, waiting.version, name)
        if waiting.tx is not None:
            waiting.tx.status = basic.status(found.status)
        self.files.learn(found.handle, asked.name)
        if name == "COMMIT" and not found.status:
            self.files.end(asked.handle, TO_SERVER, ended=True)
        if name != "READ" or found.status:
            return None
        return self._was_read(waiting, asked.handle, asked.offset, found.size, found.data, end=found.end)

    def _was_read(
        self, waiting: _Waiting, handle: bytes, offset: int, size: int, data: bytes, *, end: bool
    ) -> Sink | None:
        procedure = compound.READ if waiting.version == 4 else waiting.procedure  # the operation says what it is
        sink = self.files.data(handle, TO_CLIENT, waiting.version, procedure, offset, size)
        sink.add(data)
        if end and len(data) == size:
            self.files.end(handle, TO_CLIENT, ended=True)
            return None
        return sink

    # ---- version 4

    def _compound(self, head: rpc.Call, reader: Reader) -> Sink | None:
        operations = compound.call(reader)
        tx = self.log.new(4, head.procedure)
        tx.rpc = {"xid": head.xid, **rpc.caller(head)}
        tx.visible = False
        tx.fields["procedure"] = "COMPOUND"
        waiting = _Waiting(4, head.procedure, tx, None, operations, _at_hand(operations))
        tx.file_name = next((one.name for one in operations if one.name), b"")
        for one in operations:
            if one.number == compound.RENAME:
                tx.fields["rename"] = {"from": _text(one.name), "to": _text(one.to_name)}
        self.log.reach(tx, stages.REQUEST)
        self._keep(head.xid, waiting)
        sink = None
        for one, handle in zip(operations, waiting.handles, strict=True):
            if one.number == compound.WRITE:
                sink = self.files.data(handle, TO_SERVER, 4, compound.WRITE, one.offset, one.size)
                sink.add(one.data)
        return sink

    def _reply_compound(self, waiting: _Waiting, reader: Reader) -> Sink | None:
        status, results = compound.reply(reader)
        if waiting.tx is not None:
            waiting.tx.status = basic.status(status)
        name, sink = b"", None
        for asked, handle, found in zip(waiting.operations, waiting.handles, results, strict=False):
            if asked.number != found.number or found.status:
                break
            if asked.number in {compound.OPEN, compound.LOOKUP}:
                name = asked.name
            elif asked.number == compound.GETFH:
                self.files.learn(found.handle, name)
            elif asked.number == compound.READ:
                sink = self._was_read(waiting, handle, asked.offset, found.size, found.data, end=found.end)
            elif asked.number in {compound.CLOSE, compound.COMMIT}:
                self.files.end(handle, TO_SERVER, ended=True)
                if asked.number == compound.CLOSE:
                    self.files.end(handle, TO_CLIENT, ended=False)
        return sink

    # ---- both

    def _reply(self, reader: Reader) -> Sink | None:
        xid, word, results = rpc.reply(reader)
        waiting = self._take(xid)
        if waiting is None:
            return None
        sink = None
        try:
            if results and waiting.asked is not None:
                sink = self._reply_basic(waiting, waiting.asked, reader)
            elif results:
                sink = self._reply_compound(waiting, reader)
        finally:
            if waiting.tx is not None:
                waiting.tx.status = waiting.tx.status or "ERR_RPC"
                waiting.tx.rpc = {**waiting.tx.rpc, "status": word}  # alerts may hold the object as it was
                self.log.reach(waiting.tx, stages.RESPONSE)
        return sink

    def _keep(self, xid: int, waiting: _Waiting) -> None:
        if len(self._waiting) >= limits.CALLS and xid not in self._waiting:
            self._take(next(iter(self._waiting)))
            self.crowded = True
        self._take(xid)
        self._waiting[xid] = waiting
        self._bytes += waiting.cost

    def _take(self, xid: int) -> _Waiting | None:
        waiting = self._waiting.pop(xid, None)
        self._bytes -= waiting.cost if waiting is not None else 0
        return waiting


def _at_hand(operations: list[compound.Operation]) -> list[bytes]:
    """Return the file handle at hand at each operation of a call."""
    found: list[bytes] = []
    current = saved = b""
    for one in operations:
        if one.number == compound.PUTFH:
            current = one.handle
        elif one.number == compound.SAVEFH:
            saved = current
        elif one.number == compound.RESTOREFH:
            current = saved
        elif one.number in {compound.PUTROOTFH, compound.LOOKUP, compound.OPEN, compound.CREATE}:
            current = b""
        found.append(current)
    return found


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
