import gzip
import tracemalloc
import zlib

import pytest
import zstandard
from capture_forge import collect, expected, frames, pcap

from sensor.capture.files import open_source


@pytest.fixture
def read(tmp_path):
    """Packets and the message of the one error, without the path; empty: none."""

    def run(data, name="a.pcap", **options):
        path = tmp_path / name
        path.write_bytes(data)
        source = open_source([str(path)], on_error=lambda error: None, **options)
        found = collect(source)
        assert len(source.errors) <= 1
        text = str(source.errors[0]).partition(": ")[2] if source.errors else ""
        assert not found or found[0][0] == str(path)
        return found, text

    return run


def zst(data, **options):
    return zstandard.ZstdCompressor(**options).compress(data)


PACKETS = frames(3000)
FILE = pcap(PACKETS)
WANTED = [p.data for p in PACKETS]

PACKED = {
    "gzip": gzip.compress(FILE),
    "gzip stored": gzip.compress(FILE, compresslevel=0),
    "gzip members": gzip.compress(FILE[:1000]) + gzip.compress(b"") + gzip.compress(FILE[1000:]),
    "gzip padded": gzip.compress(FILE) + bytes(1000),
    "zstd": zst(FILE),
    "zstd checked": zst(FILE, write_checksum=True, level=19),
    "zstd frames": zst(FILE[:777]) + zst(b"") + zst(FILE[777:]),
    "zstd skippable": b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zst(FILE),
}


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("block_bytes", [1, 100_000, 1 << 22])
def test_packed_files_read_like_plain_ones(read, tmp_path, kind, block_bytes):
    found, text = read(PACKED[kind], block_bytes=block_bytes)
    assert text == ""
    assert found == expected(PACKETS, str(tmp_path / "a.pcap"))


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_a_packed_file_cut_off_gives_the_packets_before(read, pack):
    for size in (len(pack(FILE)) - 1, len(pack(FILE)) * 2 // 3):
        found, text = read(pack(FILE)[:size])
        assert len(found) > 1000  # zstd gives whole blocks of 128 KiB only
        assert [f[5] for f in found] == WANTED[: len(found)]
        assert "cut off" in text
    assert [f[5] for f in read(gzip.compress(FILE)[:-1])[0]] == WANTED


@pytest.mark.parametrize("kind", ["gzip", "gzip stored"])
def test_packets_before_damaged_gzip_data_are_not_lost(read, kind):
    data = bytearray(PACKED[kind])
    at = len(data) * 3 // 4
    data[at : at + 20] = b"\xff" * 20
    found, text = read(bytes(data))
    assert len(found) > 1000
    assert text.startswith(("damaged gzip data before byte ", "damaged at byte "))


def test_a_wrong_checksum_is_damage_but_loses_no_packet(read):
    data = bytearray(PACKED["gzip"])
    data[-8] ^= 1
    found, text = read(bytes(data))
    assert [f[5] for f in found] == WANTED
    assert text == f"damaged gzip data before byte {len(data)}: incorrect data check"


def test_a_damaged_zstd_frame_is_one_error(read):
    data = bytearray(zst(FILE, write_checksum=True))
    data[-1] ^= 1
    assert read(bytes(data))[1].startswith(f"damaged zstd data before byte {len(data)}: ")


@pytest.mark.parametrize("kind", ["gzip", "zstd"])
def test_bytes_behind_the_last_stream_are_reported(read, kind):
    found, text = read(PACKED[kind] + b"what is this")
    assert len(found) == 3000
    assert text.endswith("bytes that belong to no stream follow its end")


@pytest.mark.parametrize("pack", [gzip.compress, zst])
def test_what_is_packed_must_be_a_capture(read, pack):
    assert read(pack(b"hello world"))[1] == "is not a capture file (magic 68656c6c)"
    assert read(pack(b""))[1] == "the file is empty"


def test_damage_inside_packed_data_names_the_unpacked_offset(read):
    assert read(zst(FILE[:-3]))[1].startswith(
        f"damaged at byte {len(FILE) - len(PACKETS[-1].data) - 16} of the unpacked"
    )


def test_a_bomb_is_unpacked_in_bounded_pieces(tmp_path):
    """64 MiB from 2 KiB: no more than a window and one piece of it is in memory at a time."""
    path = tmp_path / "bomb.pcap.zst"
    path.write_bytes(zst(pcap([]) + bytes(64 << 20)))
    tracemalloc.start()
    try:
        n = sum(block.n for block in open_source([str(path)]).blocks())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n == (64 << 20) // 16
    assert peak < 48 << 20


def test_zlib_without_gzip_header_is_no_capture(read):
    assert "is not a capture file" in read(zlib.compress(FILE))[1]
