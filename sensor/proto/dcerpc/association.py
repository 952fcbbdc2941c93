"""One association, a connection or a pipe: PDUs of both sides to calls and the sides of them that are complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.losses import Losses
from sensor.proto.dcerpc import parse
from sensor.proto.dcerpc.call import MAX_STUB, Call
from sensor.proto.dcerpc.parse import Context, Pdu

MAX_CALLS = 64
"""Calls of an association that wait for their end; the oldest is judged as it is then."""

MAX_HELD = 262_144
"""Bytes of stub data in them, together; beyond, that at hand is judged as it is."""

MAX_BOUND = 256
"""Contexts of an association; further ones are not known."""

_CALL, _CONTEXT = 700, 150
"""Bytes that a call, and a context, takes."""

_REQUESTS = frozenset({parse.REQUEST, parse.BIND, parse.ALTER})
_ANSWERS = frozenset({parse.RESPONSE, parse.FAULT, parse.BIND_ACK, parse.BIND_NAK, parse.ALTER_ACK})


Make = Callable[[Pdu], Call]
"""Makes the transaction of a call."""


class Done(NamedTuple):
    """A side of a call that is complete, or will not be waited for: 0 its request, 1 its answer."""

    call: Call
    side: int


class Association:
    """Who binds what, and the calls that are under way.

    answer_skip: bytes between the common header of a response and what counts
    as its stub data: none over TCP (as rules of Suricata expect, stub data begin with the 8 bytes of the response's
    header), 8 in pipes.
    """

    __slots__ = ("_answer_skip", "_bound", "_calls", "_done", "_held", "losses", "odd")

    def __init__(self, answer_skip: int = 0) -> None:
        self._answer_skip = answer_skip
        self._bound: dict[int, Context] = {}
        """Contexts that the server accepted, by number."""
        self._calls: dict[int, Call] = {}
        """By the number that the client gave them; the oldest comes first."""
        self._done: list[Done] = []
        """What the PDU at hand completes."""
        self._held = 0
        self.losses = Losses()
        self.odd: list[tuple[AppAnomaly, int]] = []
        """What was odd; whoever reads it empties it."""

    def pdu(self, head: Pdu, body: bytes, make: Make) -> list[Done]:
        """Take a PDU, `body` being what follows the common header; return what it completes.

        make is not kept: whoever makes calls holds the association, and would outlive its flow.
        """
        if head.kind in _REQUESTS:
            self._request(head, body, make)
        elif head.kind in _ANSWERS:
            self._answer(head, body, make)
        done, self._done = self._done, []
        return done

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        contexts = len(self._bound) + sum(len(call.contexts) for call in self._calls.values())
        return self._held + _CALL * len(self._calls) + _CONTEXT * contexts

    def unanswered(self) -> list[Done]:
        """Return the sides of calls that will not be complete any more, and forget all."""
        for call in self._calls.values():
            if call.kinds[TO_SERVER] in {parse.BIND, parse.ALTER}:
                continue
            self._break_off(call)
            self._done.append(Done(call, TO_CLIENT))
        self._calls.clear()
        self._held = 0
        done, self._done = self._done, []
        return done

    def _request(self, head: Pdu, body: bytes, make: Make) -> None:
        call = self._calls.get(head.call)
        if call is None or head.flags & parse.FIRST or call.kinds[TO_SERVER] != head.kind:
            call = self._open(head, make)
        call.kinds[TO_SERVER] = head.kind
        if head.kind != parse.REQUEST:
            call.contexts, sound = parse.contexts(body, head.order)
            if not sound:
                self._report(AppAnomaly.DCERPC_MALFORMED, TO_SERVER)
            self._done.append(Done(call, TO_SERVER))
            return
        found = parse.request(body, head.order)
        if found is None:
            self._report(AppAnomaly.DCERPC_MALFORMED, TO_SERVER)
            return
        number, call.opnum = found
        call.bound = self._bound.get(number)
        call.called = bool(head.flags & parse.LAST)
        self._stub(head, call, TO_SERVER, body[8:], make)
        if call.called:
            self._done.append(Done(call, TO_SERVER))

    def _answer(self, head: Pdu, body: bytes, make: Make) -> None:
        call = self._calls.get(head.call)
        if call is None:
            call = self._open(head, make)
        call.kinds[TO_CLIENT] = head.kind
        if head.kind in {parse.BIND_ACK, parse.ALTER_ACK}:
            self._accept(call, parse.results(body, head.order))
        elif head.kind == parse.RESPONSE:
            self._stub(head, call, TO_CLIENT, body[self._answer_skip :], make)
            if not head.flags & parse.LAST:
                return
        self._forget(head.call)
        self._done.append(Done(call, TO_CLIENT))

    def _accept(self, call: Call, results: tuple[tuple[int, int], ...] | None) -> None:
        if results is None:
            self._report(AppAnomaly.DCERPC_MALFORMED, TO_CLIENT)
            return
        call.results = results
        for context, (result, _) in zip(call.contexts, results, strict=False):
            if result == 0 and (context.number in self._bound or len(self._bound) < MAX_BOUND):
                self._bound[context.number] = context
            else:
                self.losses.handles += result == 0

    def _open(self, head: Pdu, make: Make) -> Call:
        if head.call in self._calls:
            self._break_off(self._forget(head.call))
        if len(self._calls) >= MAX_CALLS:
            self._report(AppAnomaly.DCERPC_TOO_MANY_CALLS, TO_SERVER)
            self._break_off(self._forget(next(iter(self._calls))))
        call = self._calls[head.call] = make(head)
        return call

    def _forget(self, number: int) -> Call:
        call = self._calls.pop(number)
        self._held -= call.stubs[TO_SERVER].size + call.stubs[TO_CLIENT].size
        return call

    def _break_off(self, call: Call) -> None:
        """Have what is there of a request judged, the rest of which is not waited for."""
        if not call.called and call.stubs[TO_SERVER].fragments:
            self._done.append(Done(call, TO_SERVER))

    def _stub(self, head: Pdu, call: Call, side: int, piece: bytes, make: Make) -> None:
        stub = call.stubs[side]
        stub.add(piece)
        self._held += len(piece)
        if (stub.size >= MAX_STUB or self._held >= MAX_HELD) and not head.flags & parse.LAST:
            self._part(head, call, side, make)

    def _part(self, head: Pdu, call: Call, side: int, make: Make) -> None:
        """Have the first part of a long call judged; what follows is a call like it."""
        self._report(AppAnomaly.DCERPC_STUB_TOO_LONG, side)
        self._forget(head.call)
        self._done.append(Done(call, side))
        rest = self._calls[head.call] = make(head)
        rest.kinds, rest.opnum, rest.bound, rest.called = list(call.kinds), call.opnum, call.bound, call.called

    def _report(self, anomaly: AppAnomaly, side: int) -> None:
        if (anomaly, side) not in self.odd:
            self.odd.append((anomaly, side))
