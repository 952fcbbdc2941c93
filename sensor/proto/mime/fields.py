"""Buffers of the files that mails carry to a side."""

from __future__ import annotations

from sensor.model.app import RAW_DERIVED, BufferSpec
from sensor.model.files import HASHES


def file_buffers(stage: int, side: str = "") -> tuple[BufferSpec, ...]:
    """Return the specifications; side: empty, or `@to_client`."""
    return (
        BufferSpec(
            f"file.data{side}", stage, RAW_DERIVED, True, (f"file_data{side}",), help="each attachment, decoded"
        ),
        BufferSpec(f"file.name{side}", stage, RAW_DERIVED, False, (f"file_name{side}",), help="its name"),
        BufferSpec(f"file.size{side}", stage, RAW_DERIVED, help="bytes of it, eight bytes big-endian"),
        BufferSpec(f"file.magic{side}", stage, RAW_DERIVED, aliases=(f"file_magic{side}",), help="its kind, in words"),
        *(BufferSpec(f"file.{key}{side}", stage, RAW_DERIVED, lowercase=True, help="hash of it") for key in HASHES),
    )
