"""What rules may test of IMAP."""

from __future__ import annotations

from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, TO_CLIENT, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.files import of_stage
from sensor.proto.imap.state import STAGE_COMMAND, STAGE_DONE, STAGE_FETCHED, STAGE_STORED, ImapParser
from sensor.proto.mime.fields import file_buffers

SPEC = ProtocolSpec(
    name="imap",
    transports=(6,),
    ports=(143,),
    stages=(
        StageSpec("command", TO_SERVER),
        StageSpec("stored", TO_SERVER),
        StageSpec("fetched", TO_CLIENT),
        StageSpec("done", TO_CLIENT),
    ),
    buffers=(
        BufferSpec("imap.command", STAGE_COMMAND, RAW_DERIVED, help="command without its tag, in capitals"),
        BufferSpec("imap.arguments", STAGE_COMMAND, RAW_VERBATIM, help="what follows the command in its first line"),
        BufferSpec("imap.response", STAGE_DONE, RAW_VERBATIM, help="the line that completes the command, without tag"),
        *file_buffers(STAGE_STORED),
        *file_buffers(STAGE_FETCHED, "@to_client"),
    ),
    new_parser=ImapParser,
    files=of_stage,
    log_stages=(STAGE_DONE,),
)
