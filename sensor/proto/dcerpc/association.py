"""One association, a connection or a pipe: PDUs of both sides to calls and the sides of them that are complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.dcerpc import parse
from sensor.proto.dcerpc.call import MAX_STUB, Call
from sensor.proto.dcerpc.parse import Context, Pdu

MAX_CALLS = 64
"""Calls of an association that wait for their end; the oldest is forgotten then."""

MAX_HELD = 262_144
"""Bytes of stub data in them, together."""

MAX_BOUND = 256
"""Contexts of an association; further ones are not known."""

_REQUESTS = frozenset({parse.REQUEST, parse.BIND, parse.ALTER})
_ANSWERS = frozenset({parse.RESPONSE, parse.FAULT, parse.BIND_ACK, parse.BIND_NAK, parse.ALTER_ACK})


class Done(NamedTuple):
    """A side of a call that is complete: 0 its request, 1 its answer."""

    call: Call
    side: int


class Association:
    """Who binds what, and the calls that are under way.

    make: makes the transaction of a call. answer_skip: bytes between the common header of a response and what counts
    as its stub data: none over TCP (as rules of Suricata expect, stub data begin with the 8 bytes of the response's
    header), 8 in pipes.
    """

    __slots__ = ("_answer_skip", "_bound", "_calls", "_held", "_make", "odd")

    def __init__(self, make: Callable[[Pdu], Call], answer_skip: int = 0) -> None:
        self._make = make
        self._answer_skip = answer_skip
        self._bound: dict[int, Context] = {}
        """Contexts that the server accepted, by number."""
        self._calls: dict[int, Call] = {}
        """By the number that the client gave them; the oldest comes first."""
        self._held = 0
        self.odd: list[tuple[AppAnomaly, int]] = []
        """What was odd; whoever reads it empties it."""

    def pdu(self, head: Pdu, body: bytes) -> Done | None:
        """Take a PDU, `body` being what follows the common header; return what it completes."""
        if head.kind in _REQUESTS:
            return self._request(head, body)
        return self._answer(head, body) if head.kind in _ANSWERS else None

    def unanswered(self) -> list[Done]:
        """Return the other side of complete calls to which no answer has come, and forget all."""
        waiting = [Done(call, TO_CLIENT) for call in self._calls.values() if call.called and call.kinds[TO_CLIENT] < 0]
        self._calls.clear()
        self._held = 0
        return waiting

    def _request(self, head: Pdu, body: bytes) -> Done | None:
        call = self._calls.get(head.call)
        if call is None or head.flags & parse.FIRST or call.kinds[TO_SERVER] != head.kind:
            call = self._open(head)
        call.kinds[TO_SERVER] = head.kind
        if head.kind != parse.REQUEST:
            call.contexts, sound = parse.contexts(body, head.order)
            if not sound:
                self._report(AppAnomaly.DCERPC_MALFORMED, TO_SERVER)
            return Done(call, TO_SERVER)
        found = parse.request(body, head.order)
        if found is None:
            self._report(AppAnomaly.DCERPC_MALFORMED, TO_SERVER)
            return None
        number, call.opnum = found
        call.bound = self._bound.get(number)
        self._stub(call, TO_SERVER, body[8:])
        call.called = bool(head.flags & parse.LAST)
        return Done(call, TO_SERVER) if call.called else None

    def _answer(self, head: Pdu, body: bytes) -> Done | None:
        call = self._calls.get(head.call)
        if call is None:
            call = self._open(head)
        call.kinds[TO_CLIENT] = head.kind
        if head.kind in {parse.BIND_ACK, parse.ALTER_ACK}:
            self._accept(call, parse.results(body, head.order))
        elif head.kind == parse.RESPONSE:
            self._stub(call, TO_CLIENT, body[self._answer_skip :])
            if not head.flags & parse.LAST:
                return None
        self._forget(head.call)
        return Done(call, TO_CLIENT)

    def _accept(self, call: Call, results: tuple[tuple[int, int], ...] | None) -> None:
        if results is None:
            self._report(AppAnomaly.DCERPC_MALFORMED, TO_CLIENT)
            return
        call.results = results
        for context, (result, _) in zip(call.contexts, results, strict=False):
            if result == 0 and (context.number in self._bound or len(self._bound) < MAX_BOUND):
                self._bound[context.number] = context

    def _open(self, head: Pdu) -> Call:
        self._forget(head.call)
        if len(self._calls) >= MAX_CALLS:
            self._report(AppAnomaly.DCERPC_TOO_MANY_CALLS, TO_SERVER)
            self._forget(next(iter(self._calls)))
        call = self._calls[head.call] = self._make(head)
        return call

    def _forget(self, number: int) -> None:
        call = self._calls.pop(number, None)
        if call is not None:
            self._held -= call.stubs[TO_SERVER].held + call.stubs[TO_CLIENT].held

    def _stub(self, call: Call, side: int, piece: bytes) -> None:
        stub = call.stubs[side]
        before = stub.held
        room = MAX_HELD - self._held
        stub.add(piece if len(piece) <= room else piece[:room])
        self._held += stub.held - before
        if len(piece) > room or stub.size > MAX_STUB:
            self._report(AppAnomaly.DCERPC_STUB_TOO_LONG, side)

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if (anomaly, side) not in self.odd:
            self.odd.append((anomaly, side))
