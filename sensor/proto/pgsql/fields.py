"""What rules may test of PostgreSQL, and at which stage it is known."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_VERBATIM, TO_CLIENT, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.pgsql.state import STAGE_REQUEST, STAGE_RESPONSE, PgsqlParser

SPEC = ProtocolSpec(
    name="pgsql",
    transports=(6,),
    ports=(5432,),
    stages=(StageSpec("request", TO_SERVER), StageSpec("response", TO_CLIENT)),
    buffers=(
        BufferSpec("pgsql.query", STAGE_REQUEST, RAW_VERBATIM, help="statement that is sent, simple or to be prepared"),
        BufferSpec("pgsql.user", STAGE_REQUEST, RAW_VERBATIM, help="user who logs on"),
    ),
    new_parser=PgsqlParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("PGSQL_")),
    log_stages=(STAGE_RESPONSE,),
    rule_names=("postgresql",),
)
