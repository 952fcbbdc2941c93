"""Modbus of one flow: requests, and the responses that answer them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER
from sensor.proto.messages import Framing, MessageParser, Reading
from sensor.proto.modbus import parse
from sensor.proto.modbus.parse import ACCESS, EXCEPTION, HEADER, Request

MAX_PENDING = 500
"""Requests that wait for their response; more are a flood."""

_EXCEPTIONS = frozenset({1, 2, 3, 4, 5, 6, 8, 10, 11})
"""Section 7."""
_READS: Mapping[int, int] = MappingProxyType(
    {parse.READ_COILS: 1, parse.READ_DISCRETES: 1, parse.READ_HOLDING: 16, parse.READ_INPUT: 16}
)
"""Function → bits that each address takes in the response."""
FUNCTIONS: Mapping[int, str] = MappingProxyType(
    {
        1: "RdCoils", 2: "RdDiscreteInputs", 3: "RdHoldRegs", 4: "RdInputRegs", 5: "WrSingleCoil", 6: "WrSingleReg",
        7: "RdExcStatus", 8: "Diagnostic", 11: "GetCommEventCtr", 12: "GetCommEventLog", 15: "WrMultCoils",
        16: "WrMultRegs", 17: "ReportServerID", 20: "RdFileRec", 21: "WrFileRec", 22: "MaskWrReg",
        23: "RdWrMultRegs", 24: "RdFIFOQueue", 43: "MEI",
    }
)  # fmt: skip


def _size(head: bytes) -> int:
    length = int.from_bytes(head[4:6], "big")
    return 6 + length if length >= 2 else 0


FRAMING = Framing(6, _size, 512)

_REQUEST = 1300
"""Bytes that a request takes that writes many registers."""


class _Requests:
    """Requests that wait for their response. The parser holds them, and they not the parser."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: dict[tuple[int, int, int], Request] = {}
        """By transaction, unit and function."""

    @property
    def held(self) -> int:
        """Bytes in memory, about."""
        return _REQUEST * len(self._pending)

    def message(self, data: bytes, side: int) -> Reading:
        """Read one message (see `sensor.proto.messages.Read`)."""
        return self._request(data) if side == TO_SERVER else self._response(data)

    def _request(self, data: bytes) -> Reading:
        request = parse.request(data)
        odd = list(_odd(request, len(data)))
        key = request.transaction, request.unit, request.function
        if len(self._pending) >= MAX_PENDING and key not in self._pending:
            odd.append(AppAnomaly.MODBUS_FLOODED)
        else:
            self._pending[key] = request
        fields = _shown(request.transaction, request.protocol, request.unit, request.function)
        if request.address is not None:
            fields |= {"address": request.address, "quantity": request.quantity}
        return Reading({}, _numbers(request), {"request": fields}, tuple(odd))

    def _response(self, data: bytes) -> Reading:
        transaction, protocol, _, unit, function = HEADER.unpack_from(data)
        request = self._pending.pop((transaction, unit, function & ~EXCEPTION), None)
        odd = [AppAnomaly.MODBUS_INVALID_PROTOCOL_ID] if protocol else []
        if request is None:
            odd.append(AppAnomaly.MODBUS_UNSOLICITED_RESPONSE)
        if function & EXCEPTION:
            if data[HEADER.size : HEADER.size + 1] not in map(_byte, _EXCEPTIONS):
                odd.append(AppAnomaly.MODBUS_INVALID_EXCEPTION_CODE)
        elif request is not None and not _fits(request, data[HEADER.size :]):
            odd.append(AppAnomaly.MODBUS_VALUE_MISMATCH)
        return Reading({}, {}, {"response": _shown(transaction, protocol, unit, function)}, tuple(odd))


class ModbusParser(MessageParser):
    """Parser of one flow (see `sensor.model.app.AppParser`)."""

    __slots__ = ("_requests",)

    def __init__(self) -> None:
        self._requests = _Requests()
        super().__init__(self._requests.message, FRAMING, AppAnomaly.MODBUS_INVALID_LENGTH)

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return super().held + self._requests.held


def stream_parser() -> ModbusParser:
    """Return a parser of a TCP flow."""
    return ModbusParser()


def _byte(value: int) -> bytes:
    return bytes([value])


def _odd(request: Request, size: int) -> Iterator[AppAnomaly]:
    if request.protocol:
        yield AppAnomaly.MODBUS_INVALID_PROTOCOL_ID
    if request.bad_length or size > 260:
        yield AppAnomaly.MODBUS_INVALID_LENGTH
    if request.bad_value:
        yield AppAnomaly.MODBUS_INVALID_VALUE
    if not parse.category(request):
        yield AppAnomaly.MODBUS_INVALID_FUNCTION_CODE


def _fits(request: Request, body: bytes) -> bool:
    """Tell whether a response has the size, or repeats the values, that its request asks for."""
    if request.function in _READS:
        return (
            body[:1] == _byte(-(-request.quantity * _READS[request.function] // 8) & 0xFF) and body[0] == len(body) - 1
        )
    if request.function in (parse.WRITE_COIL, parse.WRITE_REGISTER):
        return [int.from_bytes(body[at : at + 2], "big") for at in (0, 2)] == [request.address, *request.written]
    if request.function in (parse.WRITE_COILS, parse.WRITE_REGISTERS):
        return [int.from_bytes(body[at : at + 2], "big") for at in (0, 2)] == [request.address, request.quantity]
    return True


def _numbers(request: Request) -> dict[str, Sequence[int]]:
    """Return what rules compare; addresses count from 1, as in Suricata's rules."""
    found: dict[str, Sequence[int]] = {
        "modbus.function": (request.function,),
        "modbus.unit": (request.unit,),
        "modbus.category": (parse.category(request),),
        "modbus.access": (ACCESS.get(request.function, 0),),
    }
    if request.subfunction is not None:
        found["modbus.subfunction"] = (request.subfunction,)
    if request.address is not None:
        first = request.address + 1
        found["modbus.first"] = (first,)
        found["modbus.last"] = (first + request.quantity - 1,)
        found["modbus.written"] = tuple((first + n) << 16 | value for n, value in enumerate(request.written))
    return found


def _shown(transaction: int, protocol: int, unit: int, function: int) -> dict[str, Any]:
    return {
        "transaction_id": transaction,
        "protocol_id": protocol,
        "unit_id": unit,
        "function_raw": function,
        "function_code": FUNCTIONS.get(function & ~EXCEPTION, "Unknown"),
    }
