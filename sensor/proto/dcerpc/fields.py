"""What rules may test of DCE/RPC; SMB has the same of the pipes that it carries."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_CLIENT, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.dcerpc.state import STAGE_REQUEST, STAGE_RESPONSE, DcerpcParser


def buffers(request: int, response: int) -> tuple[BufferSpec, ...]:
    """Return the buffers of calls. request, response: the stages at which a protocol has them."""
    iface = "interface that is called, if the server accepted it: UUID, blank, major version"
    # Stub data is joined from fragments.
    return (
        BufferSpec("dcerpc.iface", request, RAW_DERIVED, lowercase=True, help=iface),
        BufferSpec("dcerpc.iface@to_client", response, RAW_DERIVED, lowercase=True),
        BufferSpec("dcerpc.stub_data", request, RAW_DERIVED, aliases=("dce_stub_data",), help="arguments of a call"),
        BufferSpec("dcerpc.stub_data@to_client", response, RAW_DERIVED, aliases=("dce_stub_data@to_client",)),
    )


def numbers(request: int, response: int) -> tuple[NumberSpec, ...]:
    """Return the numbers of calls."""
    orders = MappingProxyType({"big": 0, "little": 1})
    return (
        NumberSpec("dcerpc.opnum", request, "operation that is called", 0xFFFF, reply_stage=response),
        NumberSpec("dcerpc.byte_order", request, "of the numbers in stub data", 1, orders, reply_stage=response),
    )


SPEC = ProtocolSpec(
    name="dcerpc",
    transports=(6, 17),
    ports=(135,),
    stages=(StageSpec("request", TO_SERVER), StageSpec("response", TO_CLIENT)),
    buffers=buffers(STAGE_REQUEST, STAGE_RESPONSE),
    numbers=numbers(STAGE_REQUEST, STAGE_RESPONSE),
    new_parser=DcerpcParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("DCERPC_")),
    log_stages=(STAGE_RESPONSE,),
)
