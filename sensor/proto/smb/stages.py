"""The points that SMB's transactions pass. A rule on several is judged at the last one."""

from __future__ import annotations

from sensor.model.app import TO_CLIENT, TO_SERVER, StageSpec

(
    FRAME_REQUEST,
    FRAME_RESPONSE,
    REQUEST,
    CALL_REQUEST,
    WRITE_DATA,
    WRITTEN,
    READ_DATA,
    READ,
    CALL_RESPONSE,
    RESPONSE,
) = range(10)

STAGES = (
    StageSpec("frame_request", TO_SERVER),
    StageSpec("frame_response", TO_CLIENT),
    StageSpec("request", TO_SERVER),
    StageSpec("call_request", TO_SERVER),
    StageSpec("write_data", TO_SERVER),
    StageSpec("written", TO_SERVER),
    StageSpec("read_data", TO_CLIENT),
    StageSpec("read", TO_CLIENT),
    StageSpec("call_response", TO_CLIENT),
    StageSpec("response", TO_CLIENT),
)
