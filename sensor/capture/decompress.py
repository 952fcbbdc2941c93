"""gzip (RFC 1952) and zstd (RFC 8878) inputs, unpacked piece by piece into bounded memory."""

import zlib

import zstandard

from sensor.capture.limits import PACKED_BYTES, UNPACK_BYTES, ZSTD_MAX_WINDOW, ZSTD_PIECE
from sensor.capture.rawinput import RawInput
from sensor.errors import CaptureError

GZIP_MAGIC = b"\x1f\x8b"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def packing(head: bytes) -> str:
    """Name the compression that starts with `head` (four bytes): `gzip`, `zstd`, or empty."""
    if head[:2] == GZIP_MAGIC:
        return "gzip"
    skippable = len(head) == 4 and head[0] & 0xF0 == 0x50 and head[1:] == b"\x2a\x4d\x18"
    return "zstd" if head == ZSTD_MAGIC or skippable else ""


class CodecError(Exception):
    """The packed data is damaged. `output` is what came out before."""

    def __init__(self, message: str, output: bytes = b"") -> None:
        super().__init__(message)
        self.output = output


class GzipCodec:
    """One gzip member.

    `at_end`: the member is complete; `rest`: input not consumed, either what follows the member or what had
    no room.
    """

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self.at_end = False
        self.rest = b""

    def unpack(self, data: bytes, room: int) -> bytes:
        """Return at most `room` bytes."""
        before = self._inflate.copy()
        try:
            output = self._inflate.decompress(data, room)
        except zlib.error as error:
            raise CodecError(str(error).rpartition(": ")[2], _up_to_damage(before, data)) from error
        self.at_end = self._inflate.eof
        self.rest = self._inflate.unused_data if self.at_end else self._inflate.unconsumed_tail
        return output


def _up_to_damage(inflate: "zlib._Decompress", data: bytes) -> bytes:
    """Unpack byte by byte, once per file: zlib drops the output of the call that fails."""
    output = bytearray()
    for i in range(len(data)):
        try:
            output += inflate.decompress(data[i : i + 1])
        except zlib.error:
            break
    return bytes(output)


class ZstdCodec:
    """One zstd frame; attributes as in GzipCodec. The context is shared by the frames of an input."""

    def __init__(self, context: zstandard.ZstdDecompressor) -> None:
        self._frame = context.decompressobj()
        self.at_end = False
        self.rest = b""

    def unpack(self, data: bytes, room: int) -> bytes:
        """Return `room` bytes or a bit more: what one ZSTD_PIECE unpacks to comes whole."""
        outputs: list[bytes] = []
        got = at = 0
        try:
            while got < room and at < len(data) and not self._frame.eof:
                outputs.append(self._frame.decompress(data[at : at + ZSTD_PIECE]))
                at += ZSTD_PIECE
                got += len(outputs[-1])
        except zstandard.ZstdError as error:
            raise CodecError(str(error).rpartition(": ")[2], b"".join(outputs)) from error
        self.at_end = self._frame.eof
        self.rest = self._frame.unused_data + data[at:]
        return b"".join(outputs)


class PackedInput:
    """The unpacked bytes of a RawInput, with its `read_into`. Members and frames in a row are one input."""

    def __init__(self, raw: RawInput, kind: str) -> None:
        self._raw = raw
        self._kind = kind
        self._context = zstandard.ZstdDecompressor(max_window_size=ZSTD_MAX_WINDOW)
        self._codec: GzipCodec | ZstdCodec | None = None
        self._input = b""
        self._output = memoryview(b"")
        self._error: CaptureError | None = None

    def read_into(self, room: memoryview, *, wait: bool) -> int:
        """Fill `room` from its start and return the number of bytes; see RawInput.read_into.

        Raises CaptureError where the packed data is damaged or cut off.
        """
        while not self._output:
            if self._error is not None:
                raise self._error
            if not self._input:
                self._input = self._raw.read(PACKED_BYTES, wait=wait)
            if not self._input:
                if wait and self._codec is not None:
                    raise self._damage("cut off")
                return 0
            self._step(len(room))
        data, self._output = self._output[: len(room)], self._output[len(room) :]
        room[: len(data)] = data
        return len(data)

    def _step(self, room: int) -> None:
        if self._codec is None:
            self._next_member()
            if self._codec is None:
                return
        try:
            output = self._codec.unpack(self._input, min(room, UNPACK_BYTES))
        except CodecError as error:
            output = error.output
            self._error = self._damage(str(error))
        self._output = memoryview(output)
        self._input = self._codec.rest
        if self._codec.at_end:
            self._codec = None

    def _next_member(self) -> None:
        """Start on what follows: another member, or padding (some tools fill up with zeros)."""
        self._input = self._input.lstrip(b"\0")
        if not self._input:
            return
        while len(self._input) < 4 and (more := self._raw.read(4 - len(self._input), wait=True)):
            self._input += more
        if packing(self._input[:4]) == self._kind:
            self._codec = GzipCodec() if self._kind == "gzip" else ZstdCodec(self._context)
        else:
            self._error = self._damage("bytes that belong to no stream follow its end")
            self._input = b""

    def _damage(self, what: str) -> CaptureError:
        return CaptureError(
            f"{self._raw.name}: damaged {self._kind} data before byte {self._raw.done}: {what}"
        )
