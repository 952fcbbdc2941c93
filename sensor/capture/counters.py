"""What a capture source counts."""

from sensor.model.counters import Counters


class CaptureCounters(Counters):
    """Files, packets and what was left out."""

    __slots__ = ("bytes", "files", "files_damaged", "packets", "packets_filtered", "packets_unsupported")

    files: int
    files_damaged: int
    packets: int
    """Yielded."""
    bytes: int
    """Captured bytes of those."""
    packets_filtered: int
    """Held back by the capture filter."""
    packets_unsupported: int
    """Of link types that cannot be decoded."""
