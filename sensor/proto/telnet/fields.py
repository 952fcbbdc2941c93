"""What rules may test of Telnet: frames, as Suricata names them."""

from __future__ import annotations

from sensor.model.app import RAW_DERIVED, TO_CLIENT, TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.telnet.state import STAGE_CLIENT, STAGE_SERVER, TelnetParser

_FRAMES = (("pdu", "each line or control sequence"), ("data", "each line"), ("ctl", "each control sequence"))

# Control sequences may stand inside a line, and zeros are left out of it.
SPEC = ProtocolSpec(
    name="telnet",
    transports=(6,),
    ports=(23,),
    stages=(StageSpec("client", TO_SERVER), StageSpec("server", TO_CLIENT)),
    buffers=(
        *(BufferSpec(f"frame.telnet.{name}", STAGE_CLIENT, RAW_DERIVED, help=text) for name, text in _FRAMES),
        *(BufferSpec(f"frame.telnet.{name}@to_client", STAGE_SERVER, RAW_DERIVED, help=text) for name, text in _FRAMES),
    ),
    new_parser=TelnetParser,
    log_stages=(STAGE_CLIENT, STAGE_SERVER),
)
