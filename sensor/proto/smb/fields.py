"""What rules may test of SMB, and at which stage it is known."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, BufferSpec, Carriage, ProtocolSpec
from sensor.proto.dcerpc import fields as dcerpc
from sensor.proto.files import file_buffers, of_stage
from sensor.proto.smb import stages
from sensor.proto.smb.framing import LOOK_BACK, ContentFinder
from sensor.proto.smb.state import SmbParser


def _text(name: str, text: str, *aliases: str) -> BufferSpec:
    """Return a text of a request, UTF-8 here and UTF-16 on the wire."""
    return BufferSpec(name, stages.REQUEST, RAW_DERIVED, aliases=aliases, help=text)


def _frames(stage: int, side: str) -> tuple[BufferSpec, ...]:
    """Return the bytes of messages, the first 16 KiB of each."""
    kinds = (("nbss", "NetBIOS"), ("smb1", "SMB 1"), ("smb2", "SMB 2"), ("smb3", "encrypted SMB 3"))
    return tuple(
        BufferSpec(f"frame.{kind}.{part}{side}", stage, RAW_VERBATIM, help=f"{text} of a message: {shown}")
        for kind, shown in kinds
        for part, text in (("pdu", "all"), ("hdr", "header"), ("data", "what follows the header"))
    )


SPEC = ProtocolSpec(
    name="smb",
    transports=(6,),
    ports=(445, 139),
    stages=stages.STAGES,
    buffers=(
        _text("smb.named_pipe", "path of the pipe share that is connected to", "smb_named_pipe"),
        _text("smb.share", "path of the share that is connected to", "smb_share"),
        _text("smb.filename", "path that is opened, or to which a file is renamed"),
        _text("smb.ntlmssp_user", "user who logs on by NTLM"),
        _text("smb.ntlmssp_domain", "domain of the user who logs on by NTLM"),
        *file_buffers(stages.WRITE_DATA, stages.WRITTEN, ""),
        *file_buffers(stages.READ_DATA, stages.READ, "@to_client"),
        *dcerpc.buffers(stages.CALL_REQUEST, stages.CALL_RESPONSE),
        *_frames(stages.FRAME_REQUEST, ""),
        *_frames(stages.FRAME_RESPONSE, "@to_client"),
    ),
    numbers=dcerpc.numbers(stages.CALL_REQUEST, stages.CALL_RESPONSE),
    new_parser=SmbParser,
    carriage=Carriage(
        frozenset(range(stages.CALL_REQUEST, stages.CALL_RESPONSE + 1)),
        frozenset({stages.CALL_REQUEST, stages.CALL_RESPONSE}), ContentFinder, LOOK_BACK,
    ),
    files=of_stage,
    frame_stages=(stages.FRAME_REQUEST, stages.FRAME_RESPONSE),
    events=tuple(one for one in AppAnomaly if one.name.startswith("SMB_")),
    log_stages=(stages.WRITTEN, stages.READ, stages.CALL_RESPONSE, stages.RESPONSE),
    also=("dcerpc",),
)
