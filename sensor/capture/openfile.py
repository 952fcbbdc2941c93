"""Open one input: unpack it where needed, and choose the reader by its magic number."""

from collections.abc import Iterator
from contextlib import contextmanager

from sensor.capture import pcapfile, pcapng
from sensor.capture.decompress import PackedInput, packing
from sensor.capture.limits import MIN_WINDOW
from sensor.capture.rawinput import STDIN, RawInput
from sensor.capture.records import BlockSize, RecordReader
from sensor.capture.stopping import StopSignal
from sensor.capture.window import Window
from sensor.errors import CaptureError

_OTHER_PACKINGS = {
    b"\xfd7zX": "xz",
    b"BZh": "bzip2",
    b"\x04\x22\x4d\x18": "lz4",
    b"PK\x03\x04": "zip",
    b"7z\xbc\xaf": "7z",
}


class NotACaptureError(CaptureError):
    """The input is something else: it is empty, or does not start with a known magic number."""


@contextmanager
def open_reader(
    name: str, stop: StopSignal, size: BlockSize, *, follow: bool = False
) -> Iterator[RecordReader]:
    """Open `name` for reading; `follow` waits for more at its end until `stop`.

    Raises CaptureError where it cannot be opened, NotACaptureError where it is no capture.
    """
    raw = RawInput(name, stop, follow=follow)
    try:
        yield _choose(raw, _window(raw, max(size.bytes, MIN_WINDOW)), size)
    finally:
        raw.close()


def _window(raw: RawInput, size: int) -> Window:
    kind = packing(raw.peek(4))
    return Window(raw, PackedInput(raw, kind) if kind else raw, size)


def _choose(raw: RawInput, window: Window, size: BlockSize) -> RecordReader:
    while window.view.size < 4 and window.more(0):
        pass
    magic = window.view[:4].tobytes()
    if magic == pcapng.MAGIC:
        return pcapng.PcapngReader(raw.name, window, size)
    if pcapfile.byte_order(magic):
        return pcapfile.PcapReader(raw.name, window, size)
    if not magic:
        raise NotACaptureError("standard input is empty" if raw.name == STDIN else f"{raw.name}: the file is empty")
    other = next((text for head, text in _OTHER_PACKINGS.items() if magic.startswith(head)), "")
    if other:
        raise NotACaptureError(f"{raw.name}: is packed with {other}, which is not supported: unpack it first")
    raise NotACaptureError(f"{raw.name}: is not a capture file (magic {magic.hex()})")
