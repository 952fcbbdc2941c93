"""The points that transactions of NFS pass."""

from sensor.model.app import TO_CLIENT, TO_SERVER, StageSpec

REQUEST, WRITE_DATA, WRITTEN, READ_DATA, READ, RESPONSE, CALL_FRAME, REPLY_FRAME = range(8)
FRAMES = (CALL_FRAME, REPLY_FRAME)
"""Mere frames, by side."""

STAGES = (
    StageSpec("request", TO_SERVER),
    StageSpec("write_data", TO_SERVER),
    StageSpec("written", TO_SERVER),
    StageSpec("read_data", TO_CLIENT),
    StageSpec("read", TO_CLIENT),
    StageSpec("response", TO_CLIENT),
    StageSpec("frame", TO_SERVER),
    StageSpec("server_frame", TO_CLIENT),
)
