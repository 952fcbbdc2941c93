"""The points that transactions of NFS pass."""

from sensor.model.app import TO_CLIENT, TO_SERVER, StageSpec

REQUEST, WRITE_DATA, WRITTEN, READ_DATA, READ, RESPONSE = range(6)

STAGES = (
    StageSpec("request", TO_SERVER),
    StageSpec("write_data", TO_SERVER),
    StageSpec("written", TO_SERVER),
    StageSpec("read_data", TO_CLIENT),
    StageSpec("read", TO_CLIENT),
    StageSpec("response", TO_CLIENT),
)
