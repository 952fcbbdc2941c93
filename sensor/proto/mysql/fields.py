"""What rules may test of MySQL, and at which stage it is known."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, RAW_VERBATIM, TO_CLIENT, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.mysql.state import STAGE_REQUEST, STAGE_RESPONSE, MysqlParser

_COMMAND = "statement that is sent or prepared, or the name of another command: `ping`, `quit`, `login`, …"

SPEC = ProtocolSpec(
    name="mysql",
    transports=(6,),
    ports=(3306,),
    stages=(StageSpec("request", TO_SERVER), StageSpec("response", TO_CLIENT)),
    buffers=(
        BufferSpec("mysql.command", STAGE_REQUEST, RAW_DERIVED, help=_COMMAND),
        BufferSpec("mysql.user", STAGE_REQUEST, RAW_VERBATIM, help="user who logs on"),
        BufferSpec("mysql.version", STAGE_REQUEST, RAW_DERIVED, help="version of the server"),
    ),
    new_parser=MysqlParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("MYSQL_")),
    log_stages=(STAGE_RESPONSE,),
)
