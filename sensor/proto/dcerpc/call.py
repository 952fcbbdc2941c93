"""One call, or one bind, of DCE/RPC: the transaction that rules and EVE see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.dcerpc import parse
from sensor.proto.dcerpc.parse import Context

MAX_STUB = 65_536
"""Bytes of stub data behind which a side of a call is judged, and what follows is a call by itself; real calls rarely
pass one fragment (5,840 bytes)."""

_NAMES: Mapping[int, str] = MappingProxyType(
    {
        parse.REQUEST: "REQUEST", parse.RESPONSE: "RESPONSE", parse.FAULT: "FAULT", parse.BIND: "BIND",
        parse.BIND_ACK: "BINDACK", parse.BIND_NAK: "BINDNAK", parse.ALTER: "ALTER_CONTEXT",
        parse.ALTER_ACK: "ALTER_CONTEXT_RESP",
    }
)  # fmt: skip


class Stub:
    """Stub data of one side, joined from its fragments."""

    __slots__ = ("_data", "fragments")

    def __init__(self) -> None:
        self._data = bytearray()
        self.fragments = 0

    @property
    def data(self) -> bytes:
        """All of it."""
        return bytes(self._data)

    @property
    def size(self) -> int:
        """Bytes seen."""
        return len(self._data)

    def add(self, piece: bytes) -> None:
        """Append a fragment's."""
        self.fragments += 1
        self._data += piece


class Call:
    """A request and its response, or a bind and its answer."""

    __slots__ = ("bound", "call", "called", "contexts", "id", "kinds", "little", "opnum", "results", "stubs")

    def __init__(self, number: int, call: int, *, little: bool) -> None:
        self.id = number
        self.call = call
        """The number by which an answer names its request."""
        self.little = little
        self.kinds = [-1, -1]
        """PDU types of the request and of the answer; -1: not seen."""
        self.opnum = -1
        self.called = False
        """All of the request was seen."""
        self.bound: Context | None = None
        """The request's context, if the server accepted it."""
        self.contexts: tuple[Context, ...] = ()
        """What a bind offers."""
        self.results: tuple[tuple[int, int], ...] = ()
        """What the server says to each, and why."""
        self.stubs = (Stub(), Stub())
        """By the side that sent it."""

    @property
    def interface(self) -> bytes:
        """The interface that is called, as rules see it; empty: it is not known."""
        return self.bound.text if self.bound is not None else b""

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        read = _BUFFERS.get(name)
        value = read(self) if read else b""
        return (value,) if value else ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return the value of a number; empty where it is absent."""
        if self.opnum < 0:
            return ()
        return (self.opnum,) if name == "dcerpc.opnum" else (int(self.little),)

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        return {**self.summary(), "call_id": self.call, "rpc_version": "5.0"}

    def summary(self) -> dict[str, Any]:
        """Return what EVE says of request and response, over TCP and in SMB."""
        request, response = self.kinds
        found: dict[str, Any] = {"request": _NAMES.get(request, "REQUEST_LOST")}
        if request == parse.REQUEST:
            found["req"] = {"opnum": self.opnum, **_sizes(self.stubs[TO_SERVER])}
        elif request in {parse.BIND, parse.ALTER}:
            found["interfaces"] = [self._interface(i) for i in range(len(self.contexts))]
        found["response"] = _NAMES.get(response, "UNREPLIED")
        if response == parse.RESPONSE:
            found["res"] = _sizes(self.stubs[TO_CLIENT])
        return found

    def _interface(self, index: int) -> dict[str, Any]:
        offered = self.contexts[index]
        found: dict[str, Any] = {"uuid": offered.interface, "version": f"{offered.version}.{offered.minor}"}
        return found | {"ack_result": self.results[index][0]} if index < len(self.results) else found


def _sizes(stub: Stub) -> dict[str, int]:
    return {"frag_cnt": stub.fragments, "stub_data_size": stub.size}


_BUFFERS: Mapping[str, Callable[[Call], bytes]] = MappingProxyType(
    {
        "dcerpc.iface": lambda call: call.interface,
        "dcerpc.iface@to_client": lambda call: call.interface,
        "dcerpc.stub_data": lambda call: call.stubs[TO_SERVER].data,
        "dcerpc.stub_data@to_client": lambda call: call.stubs[TO_CLIENT].data,
    }
)
