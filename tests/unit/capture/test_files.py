import gzip
import os
import threading
import time
from pathlib import Path

import pytest
from capture_forge import Packet, Pcapng, collect, expected, frames, pcap

from sensor.capture.files import FileSource, open_source
from sensor.errors import CaptureError

WAIT = 20


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


@pytest.fixture
def background():
    """Run a source in a thread; returns its packets as they come, and a way to wait for the end."""
    started = []

    class Running:
        def __init__(self, source):
            self.source, self.packets, self.error = source, [], None
            self.thread = threading.Thread(target=self.run, daemon=True)
            self.thread.start()
            started.append(self)

        def run(self):
            try:
                for block in self.source.blocks():
                    self.packets += [block.number(i) for i in range(block.n)]
            except CaptureError as error:
                self.error = error

        def wait_for(self, n):
            end = time.monotonic() + WAIT
            while len(self.packets) < n and time.monotonic() < end:
                time.sleep(0.005)
            assert len(self.packets) == n

        def join(self):
            self.thread.join(WAIT)
            assert not self.thread.is_alive()

    yield Running
    for each in started:
        each.source.stop()
        each.thread.join(WAIT)
        each.source.close()


def test_numbers_restart_and_names_are_as_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "x" / "a.pcap", pcap(frames(3)))
    write(tmp_path / "b.pcapng", Pcapng().section().interface().enhanced(b"z", 0).out)
    found = collect(open_source(["./x/../x/a.pcap", "b.pcapng"]))
    assert [f[:2] for f in found] == [
        ("./x/../x/a.pcap", 1),
        ("./x/../x/a.pcap", 2),
        ("./x/../x/a.pcap", 3),
        ("b.pcapng", 1),
    ]


def test_a_damaged_file_does_not_end_the_source(tmp_path):
    files = [
        write(tmp_path / "1.pcap", pcap(frames(3))[:-1]),
        write(tmp_path / "2.pcap", b""),
        write(tmp_path / "3.pcap", pcap(frames(2))),
    ]
    told = []
    source = open_source(files, on_error=told.append)
    assert [f[:2] for f in collect(source)] == [(files[0], 1), (files[0], 2), (files[2], 1), (files[2], 2)]
    assert [str(e).partition(": ")[0] for e in source.errors] == files[:2]
    assert told == source.errors
    assert source.counters.snapshot() == {
        "bytes": sum(len(p.data) for p in frames(2)) * 2, "files": 3, "files_damaged": 2, "packets": 4,
        "packets_filtered": 0, "packets_unsupported": 0,
    }  # fmt: skip


def test_without_on_error_several_damaged_files_are_summed_up_at_the_end(tmp_path):
    files = [write(tmp_path / f"{i}.pcap", b"nonsense" if i else pcap(frames(1))) for i in range(3)]
    source = open_source([*files[1:], files[0]])
    seen = []
    with pytest.raises(CaptureError) as caught:
        seen.extend(block.n for block in source.blocks())
    assert seen == [1]
    assert (
        str(caught.value)
        == f"2 of 3 captures are damaged; first: {files[1]}: is not a capture file (magic 6e6f6e73)"
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing.pcap", "No such file"),
        ("a\0b", "null byte"),
        ("x" * 300, "too long"),
        ("file/in/file", "Not a dir"),
    ],
)
def test_paths_that_do_not_exist_are_refused_at_once(tmp_path, name, text):
    write(tmp_path / "file", b"")
    with pytest.raises(CaptureError, match=text):
        open_source([str(tmp_path / name)])


def test_a_file_that_vanishes_is_an_error_of_its_own(tmp_path):
    name = write(tmp_path / "a.pcap", pcap(frames(1)))
    source = open_source([name])
    Path(name).unlink()
    with pytest.raises(CaptureError, match=r"a\.pcap: No such file or directory"):
        list(source.blocks())


def test_a_directory_is_sorted_by_first_packet_then_name(tmp_path):
    def at(sec):
        return [Packet(sec, 0, b"x")]

    write(tmp_path / "z.pcap", pcap(at(100)))
    write(tmp_path / "b.pcap.gz", gzip.compress(pcap(at(200))))
    write(tmp_path / "a", Pcapng().section().block(5, b"stat").interface().enhanced(b"x", 200_000_000).out)
    write(tmp_path / "c.pcap", pcap(at(50)))
    write(tmp_path / "none.pcap", pcap([]))
    write(tmp_path / "broken.pcap", b"oops, no capture")
    write(tmp_path / "notes.txt", b"not a capture, and not named like one")
    write(tmp_path / "empty", b"")
    write(tmp_path / "sub" / "deep.pcap", pcap(at(10)))
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo.pcap")

    def names(**options):
        return [os.path.relpath(f, tmp_path) for f in open_source([str(tmp_path)], **options).files]

    assert names() == ["c.pcap", "z.pcap", "a", "b.pcap.gz", "broken.pcap", "none.pcap"]
    assert names(recursive=True) == [
        "sub/deep.pcap",
        "c.pcap",
        "z.pcap",
        "a",
        "b.pcap.gz",
        "broken.pcap",
        "none.pcap",
    ]
    source = open_source([str(tmp_path)], on_error=lambda error: None)
    assert len(collect(source)) == 4
    assert [str(e) for e in source.errors] == [
        f"{tmp_path}/broken.pcap: is not a capture file (magic 6f6f7073)"
    ]


def test_a_directory_without_captures_is_an_error(tmp_path):
    write(tmp_path / "notes.txt", b"nothing here")
    with pytest.raises(CaptureError, match="no capture files in this directory"):
        open_source([str(tmp_path)])


def test_a_directory_inside_the_list_of_files_is_refused_by_the_reader(tmp_path):
    source = FileSource([str(tmp_path)])
    with pytest.raises(CaptureError, match="is a directory"):
        list(source.blocks())


def test_position_grows_to_the_total(tmp_path):
    files = [write(tmp_path / f"{i}.pcap", pcap(frames(2000))) for i in range(2)]
    source = open_source(files, block_bytes=1000)
    seen = [source.position()]
    for _ in source.blocks():
        seen.append(source.position())  # noqa: PERF401  # position is read between the blocks
    seen.append(source.position())
    total = sum(Path(f).stat().st_size for f in files)
    assert {t for _, t in seen} == {total}
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == total
    assert len(set(done)) > 4


def test_stop_ends_at_the_next_block(tmp_path):
    files = [write(tmp_path / f"{i}.pcap", pcap(frames(50))) for i in range(2)]
    source = open_source(files, block_packets=10)
    blocks = source.blocks()
    next(blocks)
    source.stop()
    assert list(blocks) == []
    assert source.errors == []
    assert source.counters.packets == 10


def test_close_before_the_end_is_harmless(tmp_path):
    source = open_source([write(tmp_path / "a.pcap", pcap(frames(50)))], block_packets=10)
    blocks = source.blocks()
    next(blocks)
    source.close()
    source.close()
    source.stop()
    assert list(blocks) == []


def test_a_pipe_is_read_as_it_comes(tmp_path, background):
    reader, writer = os.pipe()
    packets = frames(6)
    data = pcap(packets)
    running = background(open_source([f"/dev/fd/{reader}"]))
    half = len(data) - sum(len(p.data) + 16 for p in packets[3:]) + 5
    os.write(writer, data[:half])
    running.wait_for(3)
    os.write(writer, data[half:])
    running.wait_for(6)
    os.close(writer)
    running.join()
    os.close(reader)
    assert running.error is None
    assert running.packets == [1, 2, 3, 4, 5, 6]


def test_a_trickle_flows(background):
    reader, writer = os.pipe()
    running = background(open_source([f"/dev/fd/{reader}"]))
    data = pcap(frames(60))
    for at in range(0, len(data), 100):
        os.write(writer, data[at : at + 100])
        time.sleep(0.005)
        if at > len(data) // 2 and running.packets:
            break
    assert running.packets
    os.close(writer)
    running.join()
    os.close(reader)


@pytest.mark.parametrize("sent", [b"", b"\xd4\xc3", pcap([]), pcap(frames(3))[:-2]])
def test_stop_ends_the_wait_for_a_pipe(background, sent):
    reader, writer = os.pipe()
    source = open_source([f"/dev/fd/{reader}"])
    running = background(source)
    os.write(writer, sent)
    time.sleep(0.05)
    source.stop()
    running.join()
    os.close(writer)
    os.close(reader)
    assert running.error is None
    assert source.errors == []


def test_a_pipe_that_breaks_off_is_cut_off(background):
    reader, writer = os.pipe()
    running = background(open_source([f"/dev/fd/{reader}"]))
    os.write(writer, pcap(frames(3))[:-2])
    os.close(writer)
    running.join()
    os.close(reader)
    assert running.packets == [1, 2]
    assert "cut off" in str(running.error)


def test_standard_input(tmp_path, monkeypatch):
    packets = frames(5)
    name = write(tmp_path / "a.pcap.gz", gzip.compress(pcap(packets)))
    kept = os.dup(0)
    fd = os.open(name, os.O_RDONLY)
    try:
        os.dup2(fd, 0)
        source = open_source(["-"])
        assert source.position() == (0, 0)
        assert collect(source) == expected(packets, "-")
        os.fstat(0)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(fd)


def test_closed_standard_input_is_an_error():
    kept = os.dup(0)
    os.close(0)
    try:
        with pytest.raises(CaptureError, match="-: Bad file descriptor"):
            list(open_source(["-"]).blocks())
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def test_follow_waits_for_more_until_stop(tmp_path, background):
    path = tmp_path / "growing.pcap"
    path.write_bytes(b"")
    other = write(tmp_path / "done.pcap", pcap(frames(2)))
    source = open_source([other, str(path)], follow=True)
    running = background(source)
    running.wait_for(2)
    data = pcap(frames(4))
    with path.open("ab", buffering=0) as out:
        for at in range(0, len(data), 60):
            out.write(data[at : at + 60])
            time.sleep(0.01)
        running.wait_for(6)
        out.write(data[24:50])
        time.sleep(0.05)
    source.stop()
    running.join()
    assert running.packets == [1, 2, 1, 2, 3, 4]
    assert source.errors == []


def test_no_descriptor_stays_open(tmp_path):
    def count():
        return len(list(Path("/proc/self/fd").iterdir()))

    files = [write(tmp_path / "a.pcap", pcap(frames(5))), write(tmp_path / "b.pcap", pcap(frames(5))[:-1])]
    before = count()
    for _ in range(5):
        source = open_source([*files, str(tmp_path)], block_packets=2, on_error=lambda error: None)
        blocks = source.blocks()
        next(blocks)
        blocks.close()
        collect(open_source(files, on_error=lambda error: None))
    assert count() == before
