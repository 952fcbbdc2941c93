"""What rules may test of Xen's migration streams, and at which stage it is known."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_DERIVED, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.xenmigration.state import STAGE_CONFIG, STAGE_MEMORY, MigrationParser

SPEC = ProtocolSpec(
    name="xen-migration",
    transports=(6,),
    ports=(8002,),
    stages=(StageSpec("config", TO_SERVER), StageSpec("memory", TO_SERVER)),
    buffers=(
        BufferSpec("xen_migration.config", STAGE_CONFIG, help="configuration of a guest that moves, as sent by xl"),
        BufferSpec("xen_migration.guest", STAGE_CONFIG, RAW_DERIVED, help="name of a guest that moves"),
    ),
    numbers=(
        NumberSpec("xen_migration.domain_type", STAGE_MEMORY, "type of a guest that moves", 0xFFFFFFFF,
                   MappingProxyType({"x86_pv": 1, "x86_hvm": 2})),
    ),
    new_parser=MigrationParser,
    events=(AppAnomaly.XEN_MIGRATION_MEMORY_IN_CLEAR, AppAnomaly.XEN_MIGRATION_MALFORMED_DATA),
    log_stages=(STAGE_MEMORY,),
    eve_key="xen_migration",
)  # fmt: skip
