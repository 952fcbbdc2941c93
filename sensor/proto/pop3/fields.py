"""What rules may test of POP3. Clients send no files: the buffers of their side stay empty."""

from __future__ import annotations

from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, TO_CLIENT, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.files import of_stage
from sensor.proto.mime.fields import file_buffers
from sensor.proto.pop3.state import STAGE_COMMAND, STAGE_DONE, STAGE_FILE, Pop3Parser

SPEC = ProtocolSpec(
    name="pop3",
    transports=(6,),
    ports=(110,),
    stages=(StageSpec("command", TO_SERVER), StageSpec("file", TO_CLIENT), StageSpec("done", TO_CLIENT)),
    buffers=(
        BufferSpec("pop3.command", STAGE_COMMAND, RAW_DERIVED, help="command, in capitals"),
        BufferSpec("pop3.arguments", STAGE_COMMAND, RAW_VERBATIM, help="what follows the command"),
        BufferSpec("pop3.response", STAGE_DONE, RAW_VERBATIM, help="first line of the reply"),
        *file_buffers(STAGE_COMMAND),
        *file_buffers(STAGE_FILE, "@to_client"),
    ),
    new_parser=Pop3Parser,
    files=of_stage,
    log_stages=(STAGE_DONE,),
)
