"""What rules may test of NFS, and at which stage it is known."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_VERBATIM, BufferSpec, NumberSpec, ProtocolSpec
from sensor.proto.files import file_buffers, of_stage
from sensor.proto.nfs import frames, stages
from sensor.proto.nfs.state import NfsParser, datagram_parser

SPEC = ProtocolSpec(
    name="nfs",
    by_sender=True,
    transports=(6, 17),
    ports=(2049,),
    stages=stages.STAGES,
    buffers=(
        *file_buffers(stages.WRITE_DATA, stages.WRITTEN, ""),
        *file_buffers(stages.READ_DATA, stages.READ, "@to_client"),
        *(
            BufferSpec(f"frame.{name}{side}", stage, RAW_VERBATIM, help=text)
            for stage, side in ((stages.CALL_FRAME, ""), (stages.REPLY_FRAME, "@to_client"))
            for name, text in frames.HELP.items()
        ),
    ),
    numbers=(
        NumberSpec("nfs.version", stages.REQUEST, "version of NFS called", 0xFFFFFFFF, aliases=("nfs_version",)),
        NumberSpec("nfs.procedure", stages.REQUEST, "procedure that is called", 0xFFFFFFFF, aliases=("nfs_procedure",)),
    ),
    new_parser=NfsParser,
    new_datagram_parser=datagram_parser,
    flow_state=True,
    files=of_stage,
    events=tuple(one for one in AppAnomaly if one.name.startswith("NFS_")),
    frame_stages=stages.FRAMES,
    log_stages=(stages.WRITTEN, stages.READ, stages.RESPONSE),
)
