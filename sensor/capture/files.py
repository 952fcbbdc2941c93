"""Capture files, directories and pipes as one source of blocks."""

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from sensor.capture.bpf import Filter
from sensor.capture.counters import CaptureCounters
from sensor.capture.expand import expand
from sensor.capture.limits import BLOCK_BYTES, BLOCK_PACKETS
from sensor.capture.linktypes import describe
from sensor.capture.openfile import open_reader
from sensor.capture.rawinput import STDIN
from sensor.capture.records import BlockSize, RecordReader
from sensor.capture.stopping import StoppedError, StopSignal
from sensor.errors import CaptureError
from sensor.model.block import PacketBlock


class FileSource:
    """A BlockSource over files, read one after the other.

    Packet numbers start at 1 in each file, and `PacketBlock.source` is the file's name as given.

    A file that cannot be read, or is damaged, does not end the source: all packets before the damage are
    yielded, the error goes into `errors` (and to `on_error` at that moment), and the next file follows. After
    the last file `blocks` raises: the error itself when there was one, a summary when there were more. With
    `on_error` the caller has been told, so `blocks` just ends; `errors` then decides the exit code.

    `stop` may be called from a signal handler or another thread; `blocks` then ends at the next block, and so
    does any wait for a pipe or a growing file.
    """

    def __init__(
        self,
        files: Sequence[str],
        stop: StopSignal | None = None,
        size: BlockSize | None = None,
        *,
        follow: bool = False,
        bpf: Filter | None = None,
        on_error: Callable[[CaptureError], None] | None = None,
    ) -> None:
        self.files = list(files)
        self.errors: list[CaptureError] = []
        self.counters = CaptureCounters()
        self.skipped: dict[int, int] = {}
        """Link types that cannot be decoded → packets passed over (pcapng files with several interfaces)."""
        self._stop = stop or StopSignal()
        self._size = size or BlockSize()
        self.follows = follow
        self._bpf = bpf
        self._on_error = on_error
        self._sizes = [_size_of(name) for name in self.files]
        self._finished = 0
        self._reader: RecordReader | None = None

    def blocks(self) -> Generator[PacketBlock, None, None]:
        """Yield the packets of all files; each block is valid until the next is asked for. To be called once.

        Raises CaptureError after the last file where files were damaged and there is no `on_error`.
        """
        for i, name in enumerate(self.files):
            if self._stop.is_set():
                return
            try:
                yield from self._file(name, follow=self.follows and i == len(self.files) - 1)
            except CaptureError as error:
                self._damaged(error)
            except StoppedError:
                return
            self._finished += self._sizes[i]
        if self.errors and self._on_error is None:
            raise self._summary()

    def _file(self, name: str, *, follow: bool) -> Generator[PacketBlock, None, None]:
        self.counters.files += 1
        with open_reader(name, self._stop, self._size, follow=follow) as reader:
            self._reader = reader
            blocks = reader.blocks()
            try:
                for block in blocks:
                    wanted = self._wanted(block)
                    if wanted.n:
                        yield wanted
                    if self._stop.is_set():
                        raise StoppedError
            finally:
                blocks.close()
                self._reader = None
                self._add_skipped(reader.skipped)

    def _wanted(self, block: PacketBlock) -> PacketBlock:
        kept = block if self._bpf is None else self._bpf.apply(block)
        self.counters.packets += kept.n
        self.counters.bytes += int(kept.caplen.sum())
        self.counters.packets_filtered += block.n - kept.n
        return kept

    def _add_skipped(self, skipped: dict[int, int]) -> None:
        for raw, n in skipped.items():
            self.skipped[raw] = self.skipped.get(raw, 0) + n
            self.counters.packets_unsupported += n

    def _damaged(self, error: CaptureError) -> None:
        self.errors.append(error)
        self.counters.files_damaged += 1
        if self._on_error is not None:
            self._on_error(error)

    def _summary(self) -> CaptureError:
        first = self.errors[0]
        if len(self.errors) == 1:
            return first
        return CaptureError(f"{len(self.errors)} of {len(self.files)} captures are damaged; first: {first}")

    @property
    def problems(self) -> list[str]:
        """What was left out without being an error: one line each, for the operator."""
        lines = [
            f"packets skipped: {n} of {describe(raw)}, which is not supported"
            for raw, n in sorted(self.skipped.items())
        ]
        return lines + (self._bpf.problems if self._bpf is not None else [])

    def position(self) -> tuple[int, int]:
        """Return (bytes done, bytes in total) of all files, as stored; a pipe adds 0 to the total."""
        reader = self._reader
        return self._finished + (0 if reader is None else reader.window.position()), sum(self._sizes)

    def stop(self) -> None:
        """End `blocks` soon, also out of a wait."""
        self._stop.set()

    def close(self) -> None:
        """End `blocks` and give back descriptors; mappings go with the last block that looks into them."""
        self._stop.close()


def _size_of(name: str) -> int:
    try:
        return 0 if name == STDIN else Path(name).stat().st_size
    except OSError:
        return 0


def open_source(
    paths: Sequence[str],
    *,
    follow: bool = False,
    recursive: bool = False,
    block_packets: int = BLOCK_PACKETS,
    block_bytes: int = BLOCK_BYTES,
    bpf: str | None = None,
    on_error: Callable[[CaptureError], None] | None = None,
) -> FileSource:
    """Open capture files (classic pcap, pcapng, either packed with gzip or zstd), directories, or `-`.

    follow: wait for more at the end of the last file until `stop`. recursive: look into subfolders, too.
    block_packets, block_bytes: bounds of one block. bpf: a capture filter in tcpdump's language.
    on_error: see FileSource.

    Raises CaptureError where a path does not exist or a directory holds no capture, UsageError where the
    filter is not valid or libpcap is missing.
    """
    packet_filter = Filter(bpf) if bpf is not None else None
    stop = StopSignal()
    try:
        files = expand(paths, stop, recursive=recursive)
    except CaptureError:
        stop.close()
        raise
    return FileSource(
        files,
        stop,
        BlockSize(block_packets, block_bytes),
        follow=follow,
        bpf=packet_filter,
        on_error=on_error,
    )
