import struct

import pytest
from capture_forge import NS_MAGIC, PATCHED_MAGIC, US_MAGIC, Packet, collect, expected, frames, pcap

from sensor.capture.files import open_source
from sensor.errors import CaptureError


@pytest.fixture
def read(tmp_path):
    def run(data, **options):
        path = tmp_path / "a.pcap"
        path.write_bytes(data)
        return collect(open_source([str(path)], **options)), str(path)

    return run


@pytest.fixture
def damage(tmp_path):
    """Packets before the damage, and the message without the path."""

    def run(data):
        path = tmp_path / "a.pcap"
        path.write_bytes(data)
        source = open_source([str(path)], on_error=lambda error: None)
        found = collect(source)
        assert len(source.errors) == 1
        name, _, text = str(source.errors[0]).partition(": ")
        assert name == str(path)
        return found, text

    return run


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "frac_ns"), [(US_MAGIC, 1000), (NS_MAGIC, 1), (PATCHED_MAGIC, 1000)])
def test_every_magic_and_byte_order(read, order, magic, frac_ns):
    packets = frames(50)
    found, name = read(pcap(packets, order, magic))
    assert found == expected(packets, name, frac_ns)


def test_header_only_has_no_packets(read):
    assert read(pcap([]))[0] == []


@pytest.mark.parametrize(
    "limits", [{"block_packets": 1}, {"block_packets": 7}, {"block_bytes": 1}, {"block_bytes": 333}]
)
def test_blocks_are_bounded_and_their_cut_changes_nothing(tmp_path, limits):
    packets = frames(40)
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(packets))
    sizes = [(b.n, b.buf.size) for b in open_source([str(path)], **limits).blocks()]
    assert max(n for n, _ in sizes) <= limits.get("block_packets", 40)
    assert max(size for _, size in sizes) <= limits.get("block_bytes", 10**6) + 200
    assert len(sizes) > 5
    assert collect(open_source([str(path)], **limits)) == expected(packets, str(path))


def test_columns_have_the_types_of_the_contract(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames(3)))
    (block,) = open_source([str(path)]).blocks()
    kinds = [getattr(block, c).dtype.name for c in ("buf", "off", "caplen", "wirelen", "ts", "linktype")]
    assert kinds == ["uint8", "int64", "int32", "int32", "int64", "uint16"]
    assert not block.buf.flags.writeable
    assert block.numbers is None
    assert (block.first, block.n, block.number(2)) == (1, 3, 3)


def test_records_larger_than_the_window(read):
    packets = [Packet(1, 0, bytes(1 << 20)), Packet(2, 0, b"x" * 70_000), Packet(3, 0, b"")]
    found, name = read(pcap(packets), block_bytes=1000)
    assert found == expected(packets, name)


def test_odd_but_harmless_fields(read):
    packets = [
        Packet(5, 2_500_000, b"abcd", wirelen=1),
        Packet(0xFFFFFFFF, 0xFFFFFFFF, b"x", wirelen=0xFFFFFFFF),
    ]
    found, name = read(pcap(packets))
    assert found == [
        (name, 1, 7_500_000_000, 4, 1, b"abcd"),
        (name, 2, 0xFFFFFFFF * 1_000_001_000, 0x7FFFFFFF, 1, b"x"),
    ]


@pytest.mark.parametrize("raw", [12, 14, 101])
def test_raw_ip_has_one_number(read, raw):
    assert read(pcap(frames(1), linktype=raw))[0][0][4] == 101


@pytest.mark.parametrize("flags", [0x30000000, 0x44000000, 0xF8000000])
def test_check_sequence_bits_are_masked(read, flags):
    assert read(pcap(frames(1), linktype=flags | 113))[0][0][4] == 113


@pytest.mark.parametrize(
    ("linktype", "text"),
    [
        (127, "link type 127 (IEEE802_11_RADIOTAP) is not supported"),
        (60001, "link type 60001 (unknown) is not supported"),
        (0x300001, "link type 3145729 (unknown) is not supported"),
    ],
)
def test_other_link_types_are_refused_by_name(damage, linktype, text):
    assert damage(pcap(frames(3), linktype=linktype)) == ([], text)


def test_a_file_cut_off_anywhere_gives_every_whole_packet(damage):
    packets = frames(5, size=8)
    data = pcap(packets)
    ends = [24 + sum(16 + len(p.data) for p in packets[:i]) for i in range(6)]
    for size in range(25, len(data)):
        if size in ends:
            continue
        found, text = damage(data[:size])
        whole = sum(end <= size for end in ends) - 1
        assert [f[5] for f in found] == [p.data for p in packets[:whole]]
        where = f"the file is cut off {size - ends[whole]} bytes into a packet record"
        assert text == f"damaged at byte {ends[whole]}: {where}"


def test_a_hostile_length_ends_the_file(damage):
    good = frames(3)
    data = pcap(good) + pcap([Packet(1, 2, bytes((1 << 20) + 1))])[24:] + pcap(good)[24:]
    found, text = damage(data)
    assert [f[5] for f in found] == [p.data for p in good]
    assert text == f"damaged at byte {len(pcap(good))}: a packet claims more than 1048576 captured bytes"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "the file is empty"),
        (b"ab", "is not a capture file (magic 6162)"),
        (b"#!/bin/sh\necho\n", "is not a capture file (magic 23212f62)"),
        (b"BZh91AY&SY", "is packed with bzip2, which is not supported: unpack it first"),
        (pcap([])[:23], "damaged at byte 0: the file is cut off 23 bytes into the file header"),
        (pcap([], version=(2, 5)), "version 2.5 of the pcap format is not supported"),
        (pcap([], version=(3, 4)), "version 3.4 of the pcap format is not supported"),
    ],
)
def test_what_is_no_capture_says_so(damage, data, text):
    assert damage(data) == ([], text)


@pytest.mark.parametrize("minor", [1, 3])
def test_old_versions_have_the_lengths_in_either_order(tmp_path, minor):
    good = frames(3)
    data = bytearray(pcap(good, version=(2, minor)))
    at = 24
    data[at + 8 : at + 16] = struct.pack("<II", 1500, len(good[0].data))
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    assert [f[5] for f in collect(open_source([str(path)]))] == [p.data for p in good]


def test_without_on_error_the_damage_is_raised_after_the_packets(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap(frames(4))[:-1])
    blocks = open_source([str(path)]).blocks()
    assert next(blocks).n == 3
    with pytest.raises(CaptureError, match="cut off"):
        next(blocks)
