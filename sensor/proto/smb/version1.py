"""SMB 1 of one flow: messages to transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.smb import common, limits, names, smb1, stages
from sensor.proto.smb.common import Negotiation, Request
from sensor.proto.smb.exchange import Exchange, Frame
from sensor.proto.smb.handles import Handle, Sink, Tree

if TYPE_CHECKING:
    from sensor.proto.smb.connection import Connection
    from sensor.proto.smb.handles import Handles
    from sensor.proto.smb.smb1 import Block, Header

_FRAME = (stages.FRAME_REQUEST, stages.FRAME_RESPONSE)
_SUCCESS = frozenset({0, 0x80000005, 0xC0000016})
"""Statuses of answers that hold what was asked for; the last one goes on with a log-on."""


class Version1:
    """The requests under way, and what their answers lead to."""

    __slots__ = ("_connection", "_handles", "_negotiation", "_pending", "held")

    def __init__(self, connection: Connection, handles: Handles, negotiation: Negotiation) -> None:
        self._connection = connection
        self._handles = handles
        self._negotiation = negotiation
        self._pending: dict[tuple[int, int], list[Request]] = {}
        """Chains by process and multiplex number; the oldest comes first."""
        self.held = 0
        """Bytes of memory that these take, about."""

    def message(self, data: bytes, size: int) -> Sink | None:
        """Take a message of `size` bytes, of which `data` are here; return where the rest goes.

        Who sent it is what it says itself: a flow whose start was not seen may have its sides swapped.
        Raises Cut where it is malformed.
        """
        head = smb1.header(data)
        if self._connection.frames:
            self._connection.reach(Frame("smb1", data, smb1.HEADER), _FRAME[head.response])
        key = head.process, head.multiplex
        blocks = smb1.chain(data, head.command, size)
        if head.response:
            return self._answers(head, blocks, self._take(key), data)
        sink = None
        requests: list[Request] = []
        for block in blocks:
            request = Request(block.command)
            requests.append(request)
            sink = self._ask(head, block, request, data) or sink
        self._keep(key, requests)
        return sink

    def _ask(self, head: Header, block: Block, request: Request, data: bytes) -> Sink | None:
        if block.command == smb1.WRITE_ANDX:
            found = smb1.write_request(data, block)
            request.handle = self._handle(head, found.handle)
            return self._sink(block, request.handle, TO_SERVER, found.offset, found.size, found.data)
        if block.command == smb1.READ_ANDX:
            found = smb1.read_request(data, block)
            request.handle, request.offset = self._handle(head, found.handle), found.offset
            return None
        piped = smb1.pipe_request(data, block) if block.command == smb1.TRANS else None
        if piped is not None:
            request.handle = self._handle(head, piped.handle)
            return self._sink(block, request.handle, TO_SERVER, 0, piped.size, piped.data)
        exchange = request.exchange = self._exchange(head, block.command)
        self._start(head, block, request, exchange, data)
        self._connection.reach(exchange, stages.REQUEST)
        return None

    def _start(self, head: Header, block: Block, request: Request, exchange: Exchange, data: bytes) -> None:
        """Read the request of a transaction."""
        match block.command:
            case smb1.NEGOTIATE:
                self._offer(exchange, block, data)
            case smb1.SESSION_SETUP:
                self._log_on(head, exchange, block, data)
            case smb1.TREE_CONNECT:
                path, service = smb1.share(data, block, unicode=head.wide)
                share = path[1:] or path  # Suricata leaves the first backslash out, of SMB 1 alone
                common.connect(exchange, share)
                exchange.fields["service"] = {"request": names.text(service)}
                request.tree = Tree(share, pipe=common.is_pipe(share))
            case smb1.NT_CREATE:
                found = smb1.create(data, block, unicode=head.wide)
                common.create(exchange, found)
                request.handle = self._new(head, found.name)
            case smb1.CLOSE:
                request.handle = self._handles.find((1, head.tree, smb1.closed(data, block)))
                if request.handle is not None:
                    self._handles.end(request.handle, TO_SERVER)

    def _answers(self, head: Header, blocks: list[Block], requests: list[Request], data: bytes) -> Sink | None:
        """Read the answers of a chain: to the requests of the chain, in their order."""
        sink = None
        for block, request in zip(blocks, requests, strict=False):
            if block.command != request.command:
                break
            sink = self._answer(head, block, request, data) or sink
        return sink

    def _answer(self, head: Header, block: Block, request: Request, data: bytes) -> Sink | None:
        good = head.status in _SUCCESS
        exchange = request.exchange
        if exchange is None:
            return self._came_out(block, request, data) if good and block.word_count else None
        exchange.session, exchange.tree = exchange.session or head.user, head.tree
        if good and block.word_count:
            self._end(head, block, request, exchange, data)
        if block.command == smb1.CLOSE and good and request.handle is not None:
            self._handles.release(request.handle)
        status = names.status(head.status) if head.nt_status else names.dos_status(head.status)
        common.answered(self._connection, exchange, status)
        return None

    def _came_out(self, block: Block, request: Request, data: bytes) -> Sink | None:
        """Take what was read from a file or pipe."""
        if request.handle is None or block.command == smb1.WRITE_ANDX:
            return None
        read = smb1.read_response if block.command == smb1.READ_ANDX else smb1.pipe_response
        size, held = read(data, block)
        return self._sink(block, request.handle, TO_CLIENT, request.offset, size, held)

    def _end(self, head: Header, block: Block, request: Request, exchange: Exchange, data: bytes) -> None:
        """Read the answer to a transaction that succeeded."""
        match block.command:
            case smb1.NEGOTIATE:
                chosen, offered = smb1.dialect_index(data, block), self._negotiation.dialects
                self._connection.dialect = offered[chosen] if chosen < len(offered) else "unknown"
                if offered and chosen >= len(offered):
                    self._connection.report(AppAnomaly.SMB_NEGOTIATE_MALFORMED_DIALECTS, TO_CLIENT)
            case smb1.SESSION_SETUP:
                os, lm = smb1.logged_on(data, block, unicode=head.wide)
                exchange.fields["response"] = {"native_os": names.text(os), "native_lm": names.text(lm)}
            case smb1.TREE_CONNECT if request.tree is not None:
                # A new object: an alert at the request holds the old one until it is written.
                service = names.text(smb1.service(data, block))
                exchange.fields["service"] = {**exchange.fields["service"], "response": service}
                self._handles.connect((1, head.tree), request.tree)
            case smb1.NT_CREATE if request.handle is not None:
                found = smb1.opened(data, block)
                request.handle.size = found.size
                self._bind(head, found.handle, request.handle)
                common.opened(exchange, found, _fuid(found.handle))

    def _offer(self, exchange: Exchange, block: Block, data: bytes) -> None:
        found, sound = smb1.dialects(data, block)
        if not sound:
            self._connection.report(AppAnomaly.SMB_NEGOTIATE_MALFORMED_DIALECTS, TO_SERVER)
        self._negotiation.dialects = [names.text(one) for one in found]
        common.offer(self._connection, self._negotiation, exchange, self._negotiation.dialects)

    def _log_on(self, head: Header, exchange: Exchange, block: Block, data: bytes) -> None:
        found = smb1.log_on(data, block, unicode=head.wide)
        exchange.fields["request"] = {
            "native_os": names.text(found.native_os), "native_lm": names.text(found.native_lm)
        }  # fmt: skip
        if found.blob:
            common.log_on(self._connection, exchange, found.blob)
        else:
            exchange.buffers |= {"smb.ntlmssp_user": found.user, "smb.ntlmssp_domain": found.domain}

    def _sink(self, block: Block, handle: Handle, side: int, offset: int, size: int, held: bytes) -> Sink:
        handle.command = names.smb1_command(block.command)
        sink = Sink(self._handles, handle, side, offset, size)
        sink.add(held)
        return sink

    def _handle(self, head: Header, number: bytes) -> Handle:
        """Return an open file; one that nobody saw opened gets known."""
        found = self._handles.find((1, head.tree, number))
        if found is None:
            found = self._new(head, b"")
            self._bind(head, number, found)
        return found

    def _bind(self, head: Header, number: bytes, handle: Handle) -> None:
        self._handles.bind((1, head.tree, number), handle, _fuid(number))

    def _new(self, head: Header, name: bytes) -> Handle:
        return Handle(head.user, head.tree, self._handles.trees.get((1, head.tree)), name)

    def _exchange(self, head: Header, command: int) -> Exchange:
        exchange = Exchange(self._connection, names.smb1_command(command))
        exchange.session, exchange.tree = head.user, head.tree
        return exchange

    def _keep(self, key: tuple[int, int], requests: list[Request]) -> None:
        if len(self._pending) >= limits.PENDING and key not in self._pending:
            self._connection.report(AppAnomaly.SMB_TOO_MANY_TRANSACTIONS, TO_SERVER)
            self._take(next(iter(self._pending)))
        self._take(key)
        self._pending[key] = requests
        self.held += sum(request.weigh() for request in requests)

    def _take(self, key: tuple[int, int]) -> list[Request]:
        requests = self._pending.pop(key, [])
        self.held -= sum(request.cost for request in requests)
        return requests


def _fuid(number: bytes) -> str:
    """Return a handle as EVE shows it."""
    return number[::-1].hex()
