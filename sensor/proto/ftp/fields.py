"""What rules may test of FTP's control connection."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
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
from sensor.proto.ftp.state import STAGE_COMMAND, STAGE_DONE, FtpParser
from sensor.proto.ftp.transaction import ACTIVE_MODE, PASSIVE_MODE

_YES_NO = MappingProxyType({"yes": 1, "no": 0})

SPEC = ProtocolSpec(
    name="ftp",
    transports=(6,),
    ports=(21,),
    stages=(StageSpec("command", TO_SERVER), StageSpec("done", TO_CLIENT)),
    buffers=(
        BufferSpec("ftp.command", STAGE_COMMAND, RAW_DERIVED, help="command, in capitals"),
        BufferSpec("ftp.command_data", STAGE_COMMAND, RAW_VERBATIM, help="what follows the command"),
        BufferSpec("ftp.reply", STAGE_DONE, RAW_VERBATIM, multi=True, help="each line of the reply, without its code"),
        BufferSpec("ftp.completion_code", STAGE_DONE, RAW_VERBATIM, multi=True, help="code of each line of the reply"),
    ),
    numbers=(
        NumberSpec("ftp.bounce", STAGE_COMMAND, "1: PORT or EPRT names another address than the client's", 1),
        NumberSpec(
            "ftp.mode",
            STAGE_DONE,
            "how the data connection is made",
            2,
            MappingProxyType({"active": ACTIVE_MODE, "passive": PASSIVE_MODE}),
        ),
        NumberSpec("ftp.dynamic_port", STAGE_DONE, "port of the data connection", 0xFFFF),
        NumberSpec("ftp.reply_received", STAGE_DONE, "the command was answered", 1, _YES_NO),
    ),
    new_parser=FtpParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("FTP_")),
    log_stages=(STAGE_DONE,),
)
