"""What rules may test of FTP's data connections."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.app import (
    RAW_DERIVED,
    RAW_VERBATIM,
    TO_CLIENT,
    TO_SERVER,
    BufferSpec,
    NumberSpec,
    ProtocolSpec,
    StageSpec,
)
from sensor.model.files import HASHES
from sensor.proto.ftpdata.state import COMMANDS, STAGE_COMMAND, STAGE_RECEIVED, STAGE_SENT, FtpDataParser


def _files(stage: int, side: str = "") -> tuple[BufferSpec, ...]:
    hashes = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256"}
    return (
        BufferSpec(
            f"file.data{side}", stage, RAW_VERBATIM, True, (f"file_data{side}",), help="the file, its first 512 KB"
        ),
        BufferSpec(
            f"file.name{side}", stage, RAW_DERIVED, False, (f"file_name{side}",), help="argument of the command"
        ),
        BufferSpec(f"file.size{side}", stage, RAW_DERIVED, help="bytes of the file, eight bytes big-endian"),
        BufferSpec(f"file.magic{side}", stage, RAW_DERIVED, aliases=(f"file_magic{side}",), help="its kind, in words"),
        *(
            BufferSpec(f"file.{key}{side}", stage, RAW_DERIVED, lowercase=True, help=f"{hashes[key]} of the whole file")
            for key in HASHES
        ),
    )


SPEC = ProtocolSpec(
    name="ftp-data",
    transports=(6,),
    ports=(20,),
    stages=(
        StageSpec("command", TO_CLIENT),
        StageSpec("sent", TO_SERVER),
        StageSpec("received", TO_CLIENT),
    ),
    buffers=(*_files(STAGE_SENT), *_files(STAGE_RECEIVED, "@to_client")),
    numbers=(
        NumberSpec(
            "ftpdata_command",
            STAGE_COMMAND,
            "command that made the connection",
            2,
            MappingProxyType({name.decode(): value for name, value in COMMANDS.items()}),
        ),
    ),
    new_parser=FtpDataParser,
    files=lambda stage: (stage.tx.file,) if stage.stage != STAGE_COMMAND else (),
    log_stages=(STAGE_SENT, STAGE_RECEIVED),
    eve_key="ftp_data",
)
