"""SMB 2 and 3 of one flow: messages to transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.smb import common, limits, names, smb2, stages
from sensor.proto.smb.common import Negotiation, Request
from sensor.proto.smb.exchange import Exchange, Frame
from sensor.proto.smb.handles import Handle, Sink, Tree
from sensor.proto.smb.wire import Cut

if TYPE_CHECKING:
    from sensor.proto.smb.connection import Connection
    from sensor.proto.smb.handles import Handles
    from sensor.proto.smb.smb2 import Header

_SILENT = frozenset({smb2.READ, smb2.WRITE, smb2.QUERY_INFO, smb2.SET_INFO, smb2.CANCEL})
"""Commands that are no transaction by themselves."""
_FRAME = (stages.FRAME_REQUEST, stages.FRAME_RESPONSE)
_SHARE_TYPES = ("UNKNOWN", "FILE", "PIPE", "PRINT")
_WARNING = 0x80000005
"""STATUS_BUFFER_OVERFLOW: part of a message was read from a pipe."""


class Version2:
    """The requests under way, and what their answers lead to."""

    __slots__ = ("_connection", "_handles", "_last", "_negotiation", "_pending", "held")

    def __init__(self, connection: Connection, handles: Handles, negotiation: Negotiation) -> None:
        self._connection = connection
        self._handles = handles
        self._negotiation = negotiation
        self._pending: dict[int, Request] = {}
        """By message number; the oldest comes first."""
        self.held = 0
        """Bytes of memory that these take, about."""
        self._last: Handle | None = None
        """The file of the request before in a compound."""

    def message(self, data: bytes, size: int) -> Sink | None:
        """Take a compound of `size` bytes, of which `data` are here; return where the rest goes.

        Who sent it is what it says itself: a flow whose start was not seen may have its sides swapped.
        Raises Cut where it is malformed.
        """
        self._last = None
        pos = 0
        for _ in range(limits.CHAIN):
            part = data[pos:]
            head = smb2.header(part)
            end = head.next or size - pos
            if head.next and not smb2.HEADER <= head.next <= size - pos:
                raise Cut
            part = part[:end]
            if self._connection.frames:
                self._connection.reach(Frame("smb2", part, smb2.HEADER), _FRAME[head.response])
            sink = self._answer(head, part) if head.response else self._ask(head, part)
            pos += end
            if not head.next or pos >= len(data):
                return sink
        raise Cut

    def _ask(self, head: Header, data: bytes) -> Sink | None:
        request = Request(head.command)
        sink = None
        if head.command == smb2.WRITE:
            sink = self._write(head, request, data)
        elif head.command == smb2.READ:
            found = smb2.read_request(data)
            request.handle, request.offset, request.size = self._handle(head, found.handle), found.offset, found.size
            if self._connection.max_read and found.size > self._connection.max_read:
                self._connection.report(AppAnomaly.SMB_READ_REQUEST_TOO_LARGE, TO_SERVER)
        elif head.command == smb2.SET_INFO:
            self._rename(head, request, data)
        elif head.command == smb2.IOCTL:
            sink = self._control(head, request, data)
        elif head.command not in _SILENT:
            request.exchange = self._exchange(head)
            self._start(head, request, request.exchange, data)
        if request.exchange is not None:
            self._connection.reach(request.exchange, stages.REQUEST)
        if head.command != smb2.CANCEL:
            self._keep(head.message, request)
        return sink

    def _start(self, head: Header, request: Request, exchange: Exchange, data: bytes) -> None:
        """Read the request of a transaction."""
        match head.command:
            case smb2.NEGOTIATE:
                offered, guid = smb2.dialects(data)
                exchange.fields["client_guid"] = names.guid(guid)
                common.offer(self._connection, self._negotiation, exchange, [names.dialect(one) for one in offered])
            case smb2.SESSION_SETUP:
                common.log_on(self._connection, exchange, smb2.security_request(data))
            case smb2.TREE_CONNECT:
                share = smb2.share(data)
                common.connect(exchange, share)
                request.tree = Tree(share, pipe=common.is_pipe(share))
            case smb2.CREATE:
                found = smb2.create(data)
                common.create(exchange, found)
                request.handle = self._last = self._new(head, found.name)
            case smb2.CLOSE:
                request.handle = self._known(smb2.closed(data))
                if request.handle is not None:
                    self._handles.end(request.handle, TO_SERVER)

    def _answer(self, head: Header, data: bytes) -> Sink | None:
        if head.status == smb2.PENDING:
            return None
        request = self._take(head.message)
        if request is None:
            request = self._unasked(head)
        if request is None or request.command != head.command:
            return None
        sink = None
        good = head.status in {0, _WARNING}
        if good and request.handle is not None and head.command in {smb2.READ, smb2.IOCTL}:
            sink = self._came_out(head, request, request.handle, data)
        exchange = request.exchange
        if exchange is not None:
            exchange.session, exchange.tree = exchange.session or head.session, exchange.tree or head.tree
            if good:
                self._end(head, request, exchange, data)
            elif head.command == smb2.CREATE:
                request.handle = None
            common.answered(self._connection, exchange, names.status(head.status))
        return sink

    def _end(self, head: Header, request: Request, exchange: Exchange, data: bytes) -> None:
        """Read the answer to a transaction that succeeded."""
        match head.command:
            case smb2.NEGOTIATE:
                self._agree(exchange, data)
            case smb2.TREE_CONNECT if request.tree is not None:
                kind = smb2.share_type(data)
                exchange.fields["share_type"] = _SHARE_TYPES[kind] if kind < len(_SHARE_TYPES) else "UNKNOWN"
                self._handles.connect((2, head.session, head.tree), request.tree)
            case smb2.TREE_DISCONNECT:
                self._handles.trees.pop((2, exchange.session, exchange.tree), None)
            case smb2.CREATE if request.handle is not None:
                found = smb2.opened(data)
                fuid = names.guid(found.handle)
                request.handle.size = found.size
                self._handles.bind(found.handle, request.handle, fuid)
                common.opened(exchange, found, fuid)
            case smb2.CLOSE if request.handle is not None:
                self._handles.release(request.handle)

    def _agree(self, exchange: Exchange, data: bytes) -> None:
        found = smb2.negotiated(data)
        connection = self._connection
        connection.dialect = names.dialect(found.dialect)
        connection.max_read, connection.max_write = found.max_read, found.max_write
        exchange.fields["server_guid"] = names.guid(found.server)
        exchange.fields |= {"max_read_size": found.max_read, "max_write_size": found.max_write}
        if found.max_read > limits.TRANSFER:
            connection.report(AppAnomaly.SMB_NEGOTIATE_MAX_READ_SIZE_TOO_LARGE, TO_CLIENT)
        if found.max_write > limits.TRANSFER:
            connection.report(AppAnomaly.SMB_NEGOTIATE_MAX_WRITE_SIZE_TOO_LARGE, TO_CLIENT)

    def _unasked(self, head: Header) -> Request | None:
        """Return the request that an answer of another version's form belongs to: a client of both offers SMB 1."""
        waiting = self._negotiation.exchange
        if head.command != smb2.NEGOTIATE or waiting is None or waiting.status is not None:
            return None
        return Request(smb2.NEGOTIATE, waiting)

    def _write(self, head: Header, request: Request, data: bytes) -> Sink:
        found = smb2.write_request(data, len(data))
        if self._connection.max_write and found.size > self._connection.max_write:
            self._connection.report(AppAnomaly.SMB_WRITE_REQUEST_TOO_LARGE, TO_SERVER)
        request.handle = self._handle(head, found.handle)
        return self._sink(head, request.handle, TO_SERVER, found.offset, found.size, found.data)

    def _control(self, head: Header, request: Request, data: bytes) -> Sink | None:
        """Take a control: a transaction of a pipe is no transaction here, its calls are."""
        code, found = smb2.ioctl_request(data, len(data))
        if code == smb2.PIPE_TRANSCEIVE:
            request.handle = self._handle(head, found.handle)
            return self._sink(head, request.handle, TO_SERVER, 0, found.size, found.data)
        request.exchange = self._exchange(head)
        request.exchange.fields["function"] = names.control(code)
        return None

    def _came_out(self, head: Header, request: Request, handle: Handle, data: bytes) -> Sink:
        """Take what was read from a file or pipe."""
        if head.command == smb2.IOCTL:
            _, found = smb2.ioctl_response(data, len(data))
            return self._sink(head, handle, TO_CLIENT, 0, found.size, found.data)
        size, held = smb2.read_response(data, len(data))
        if size > request.size:
            self._connection.report(AppAnomaly.SMB_READ_RESPONSE_TOO_LARGE, TO_CLIENT)
        return self._sink(head, handle, TO_CLIENT, request.offset, size, held)

    def _sink(self, head: Header, handle: Handle, side: int, offset: int, size: int, held: bytes) -> Sink:
        handle.command = names.smb2_command(head.command)
        sink = Sink(self._handles, handle, side, offset, size)
        sink.add(held)
        return sink

    def _rename(self, head: Header, request: Request, data: bytes) -> None:
        found = smb2.renamed(data)
        if found is None:
            return
        handle = self._handle(head, found[0])
        exchange = request.exchange = self._exchange(head)
        exchange.buffers["smb.filename"] = found[1]
        exchange.fields["set_info"] = {"class": "FILE_INFO", "info_level": "SMB2_FILE_RENAME_INFO"}
        exchange.fields["rename"] = {"from": names.text(handle.name), "to": names.text(found[1])}
        exchange.fields["fuid"] = handle.fuid
        handle.name = found[1]

    def _handle(self, head: Header, key: bytes) -> Handle:
        """Return an open file; one that nobody saw opened gets known."""
        found = self._known(key)
        if found is None:
            found = self._last = self._new(head, b"")
            if key != smb2.LAST_HANDLE:
                self._handles.bind(key, found, names.guid(key))
        return found

    def _known(self, key: bytes) -> Handle | None:
        """Return an open file that was seen before; it is that of the messages behind in the compound, too."""
        if key != smb2.LAST_HANDLE:
            self._last = self._handles.find(key)
        return self._last

    def _new(self, head: Header, name: bytes) -> Handle:
        return Handle(head.session, head.tree, self._handles.trees.get((2, head.session, head.tree)), name)

    def _exchange(self, head: Header) -> Exchange:
        exchange = Exchange(self._connection, names.smb2_command(head.command))
        exchange.session, exchange.tree = head.session, head.tree
        return exchange

    def _keep(self, number: int, request: Request) -> None:
        if len(self._pending) >= limits.PENDING and number not in self._pending:
            self._connection.report(AppAnomaly.SMB_TOO_MANY_TRANSACTIONS, TO_SERVER)
            self._take(next(iter(self._pending)))
        self._take(number)
        self._pending[number] = request
        self.held += request.weigh()

    def _take(self, number: int) -> Request | None:
        request = self._pending.pop(number, None)
        self.held -= request.cost if request is not None else 0
        return request
