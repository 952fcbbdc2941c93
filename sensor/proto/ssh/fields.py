"""What rules may test of SSH, and at which stage it is known."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import (
    RAW_DERIVED,
    RAW_VERBATIM,
    TO_CLIENT,
    TO_SERVER,
    BufferSpec,
    ProtocolSpec,
    StageSpec,
)
from sensor.proto.ssh.parts import FRAMING
from sensor.proto.ssh.state import (
    STAGE_CLIENT_BANNER,
    STAGE_CLIENT_KEX,
    STAGE_ESTABLISHED,
    STAGE_SERVER_BANNER,
    STAGE_SERVER_KEX,
    SshParser,
)

SPEC = ProtocolSpec(
    name="ssh",
    transports=(6,),
    ports=(22, 2222),
    stages=(
        StageSpec("client_banner", TO_SERVER),
        StageSpec("server_banner", TO_CLIENT),
        StageSpec("client_kex", TO_SERVER),
        StageSpec("server_kex", TO_CLIENT),
        StageSpec("established", TO_SERVER),
    ),
    buffers=(
        BufferSpec("ssh.proto", STAGE_CLIENT_BANNER, RAW_VERBATIM, aliases=("ssh_proto",)),
        BufferSpec("ssh.proto@to_client", STAGE_SERVER_BANNER, RAW_VERBATIM),
        BufferSpec("ssh.software", STAGE_CLIENT_BANNER, RAW_VERBATIM, aliases=("ssh_software",)),
        BufferSpec("ssh.software@to_client", STAGE_SERVER_BANNER, RAW_VERBATIM),
        BufferSpec("ssh.hassh", STAGE_CLIENT_KEX, RAW_DERIVED, lowercase=True),
        BufferSpec("ssh.hassh.string", STAGE_CLIENT_KEX, RAW_DERIVED),
        BufferSpec("ssh.hassh.server", STAGE_SERVER_KEX, RAW_DERIVED, lowercase=True),
        BufferSpec("ssh.hassh.server.string", STAGE_SERVER_KEX, RAW_DERIVED),
    ),
    new_parser=SshParser,
    tunnelled=True,
    events=tuple(one for one in AppAnomaly if one.name.startswith("SSH_")),
    log_stages=(STAGE_ESTABLISHED,),
    framing=FRAMING,
)
