import pytest
from capture_forge import Pcapng, collect

from sensor.capture.files import open_source

INT64_MAX = 2**63 - 1
BAD_LENGTH = "a block length is not a multiple of 4 from 12 to 16777216"
NO_INTERFACE = "a packet belongs to an interface that is not described"
NO_FIT = "a packet is longer than its block"
TOO_LONG = "a packet claims more than 1048576 captured bytes"
LONG_OPTION = b"\x09\x00\x09\x00"


@pytest.fixture
def read(tmp_path):
    """Packets and source of a file."""

    def run(forged, **options):
        path = tmp_path / "a.pcapng"
        path.write_bytes(forged.out if isinstance(forged, Pcapng) else forged)
        source = open_source([str(path)], on_error=lambda error: None, **options)
        return [packet[1:] for packet in collect(source)], source

    return run


def only_error(source):
    (error,) = source.errors
    return str(error).partition(": ")[2]


@pytest.mark.parametrize("order", "<>")
def test_all_kinds_of_packet_blocks(read, order):
    forged = Pcapng(order).section().interface(1, snaplen=5).interface(101)
    forged.enhanced(
        b"one", 1_000_001, wirelen=90, options=forged.option(1, b"a comment") + forged.option(0, b"")
    )
    forged.old_packet(b"three", 2_000_002, interface=1)
    forged.simple(b"fours", wirelen=70)
    forged.simple(b"6", wirelen=1)
    found, source = read(forged)
    assert found == [
        (1, 1_000_001_000, 90, 1, b"one"),
        (2, 2_000_002_000, 5, 101, b"three"),
        (3, 2_000_002_000, 70, 1, b"fours"),
        (4, 2_000_002_000, 1, 1, b"6"),
    ]
    assert source.errors == []


def test_other_blocks_are_passed_over(read):
    forged = Pcapng().section(options=b"\x03\x00\x05\x00linux\0\0\0\0\0\0\0").interface()
    for kind in (4, 5, 0x0A, 0xBAD, 0x80000001):
        forged.block(kind, b"whatever" * 50).enhanced(b"x", 0)
    found, source = read(forged)
    assert [f[0] for f in found] == [1, 2, 3, 4, 5]
    assert source.errors == []


@pytest.mark.parametrize(
    ("tsresol", "ticks", "ns"),
    [
        (None, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
        (0, 1_700_000_000, 1_700_000_000_000_000_000),
        (3, 1_700_000_000_123, 1_700_000_000_123_000_000),
        (9, 1_700_000_000_123_456_789, 1_700_000_000_123_456_789),
        (12, 17_000_000_123_456_789_999, 17_000_000_123_456_789),
        (19, 2**64 - 1, (2**64 - 1) // 10**10),
        (28, 2**64 - 1, 1),
        (29, 2**64 - 1, 0),
        (127, 2**64 - 1, 0),
        (0x80, 1_700_000_000, 1_700_000_000_000_000_000),
        (0x80 | 10, 1_700_000_000 * 1024 + 512, 1_700_000_000_500_000_000),
        (0x80 | 31, 2**63 + 2**30, 2**32 * 10**9 + 500_000_000),
        (0x80 | 32, (1_700_000_000 << 32) + 3, 1_700_000_000_000_000_000),
        (0x80 | 33, (1_700_000_000 << 33) + 2**32 + 9, 1_700_000_000_500_000_001),
        (0x80 | 64, 2**63, 500_000_000),
        (0x80 | 64, 2**64 - 1, 999_999_999),
        (0x80 | 94, 2**64 - 1, ((2**64 - 1) * 10**9) >> 94),
        (0x80 | 127, 2**64 - 1, 0),
        (6, 2**64 - 1, INT64_MAX),
        (9, 2**63, INT64_MAX),
        (0, 2**34, INT64_MAX),
        (0x80, 2**34, INT64_MAX),
        (0x80 | 20, 2**64 - 1, INT64_MAX),
    ],
)  # fmt: skip
def test_time_resolutions(read, tsresol, ticks, ns):
    found, source = read(Pcapng().section().interface(tsresol=tsresol).enhanced(b"x", ticks))
    assert source.errors == []
    assert found[0][1] == ns


@pytest.mark.parametrize(
    ("offset", "ns"),
    [
        (3600, 3_601_000_000_000),
        (-3600, -3_599_000_000_000),
        (2**63 - 1, INT64_MAX),
        (-(2**63), -INT64_MAX + 10**9),
    ],
)
def test_time_offsets(read, offset, ns):
    found, _ = read(Pcapng().section().interface(tsoffset=offset).enhanced(b"x", 1_000_000))
    assert found[0][1] == ns


def test_interfaces_have_their_own_link_type_and_clock(read):
    forged = Pcapng().section().interface(1).interface(276, tsresol=9).interface(14, tsresol=0x80)
    for i, ticks in enumerate((1_000_000, 2_000_000_000, 3)):
        forged.enhanced(b"x", ticks, interface=i)
    found, _ = read(forged)
    assert [(ts, link) for _, ts, _, link, _ in found] == [(10**9, 1), (2 * 10**9, 276), (3 * 10**9, 101)]


def test_sections_of_both_byte_orders_with_interfaces_of_their_own(read):
    forged = Pcapng("<").section().interface(1).enhanced(b"one", 1)
    forged.order = ">"
    forged.section(version=(1, 2)).interface(113).interface(101).enhanced(b"two", 2, interface=1)
    forged.order = "<"
    forged.section()
    found, source = read(forged)
    assert [(number, link, data) for number, _, _, link, data in found] == [(1, 1, b"one"), (2, 101, b"two")]
    assert source.errors == []


def test_many_interfaces(read):
    forged = Pcapng().section()
    for i in range(300):
        forged.interface(1 if i % 2 else 101)
    forged.enhanced(b"x", 0, interface=299).enhanced(b"y", 0, interface=298)
    found, _ = read(forged)
    assert [link for _, _, _, link, _ in found] == [1, 101]


@pytest.mark.parametrize("block_packets", [1, 2, 3, 16384])
def test_packets_of_other_link_types_are_skipped_counted_and_keep_their_numbers(read, block_packets):
    forged = Pcapng().section().interface(1).interface(127).interface(189)
    for i, interface in enumerate((1, 0, 0, 1, 2, 1, 0, 0, 1)):
        forged.enhanced(bytes([i]), i, interface=interface)
    found, source = read(forged, block_packets=block_packets)
    assert [(number, data[0]) for number, *_, data in found] == [(2, 1), (3, 2), (7, 6), (8, 7)]
    assert source.skipped == {127: 4, 189: 1}
    assert source.counters.packets_unsupported == 5
    assert source.problems == [
        "packets skipped: 4 of link type 127 (IEEE802_11_RADIOTAP), which is not supported",
        "packets skipped: 1 of link type 189 (USB_LINUX), which is not supported",
    ]
    assert source.errors == []


def test_a_file_with_nothing_decodable_is_refused(read):
    found, source = read(Pcapng().section().interface(127).enhanced(b"x", 0))
    assert found == []
    assert only_error(source) == "link type 127 (IEEE802_11_RADIOTAP) is not supported"


def packet_file():
    return Pcapng().section().interface().enhanced(b"good", 1)


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda f: f.block(6, b"", length=8), BAD_LENGTH),
        (lambda f: f.block(6, b"", length=41), BAD_LENGTH),
        (lambda f: f.block(9, b"", length=2**32 - 4), BAD_LENGTH),
        (lambda f: f.enhanced(b"x", 0, interface=1), NO_INTERFACE),
        (lambda f: f.old_packet(b"x", 0, interface=9), NO_INTERFACE),
        (lambda f: f.section().simple(b"x"), NO_INTERFACE),
        (lambda f: f.enhanced(b"abcd", 0, caplen=5), NO_FIT),
        (lambda f: f.enhanced(b"abcd", 0, caplen=2**32 - 1), TOO_LONG),
        (lambda f: f.enhanced(bytes(2**20 + 4), 0), TOO_LONG),
        (lambda f: f.block(6, bytes(16)), NO_FIT),
        (lambda f: f.block(3, b""), NO_FIT),
        (lambda f: f.block(9, b"abcd", trailer=20), "the two lengths of a block differ"),
        (lambda f: f.block(1, bytes(8), trailer=24), "the two lengths of a block differ"),
        (lambda f: f.block(1, b""), "an interface block of 12 bytes"),
        (lambda f: f.block(1, bytes(8) + LONG_OPTION), "an option of an interface is longer than its block"),
        (lambda f: f.block(0x0A0D0D0A, bytes(16)), "a section without a byte-order mark (00000000)"),
        (lambda f: f.block(0x0A0D0D0A, b"\x4d\x3c\x2b\x1a"), "a section block of 16 bytes"),
        (lambda f: f.section(version=(2, 0)), "version 2.0 of the pcapng format is not supported"),
    ],
)  # fmt: skip
def test_damage_is_named_with_its_place_and_ends_the_file(read, damage, text):
    forged = packet_file()
    start = len(forged.out)
    if damage(forged).out[start:].startswith(b"\n\r\r\n") and "not described" in text:
        start += 28  # the section is sound, the block behind it is not
    forged.enhanced(b"never seen", 2)
    found, source = read(forged)
    assert [f[-1] for f in found] == [b"good"]
    assert only_error(source) == f"damaged at byte {start}: {text}"


def test_a_file_cut_off_anywhere_gives_every_whole_packet(read):
    forged = Pcapng().section().interface()
    whole = {}
    for i in range(4):
        whole[len(forged.out)] = i
        forged.enhanced(bytes([i]) * i, i)
    whole[len(forged.out)] = 4
    for size in range(30, len(forged.out)):
        found, source = read(forged.out[:size])
        if size in whole:
            assert source.errors == []
            assert len(found) == whole[size]
        elif size != 28:
            assert "cut off" in only_error(source)
            assert len(found) == max((n for end, n in whole.items() if end < size), default=0)


def test_a_large_block_grows_the_window(read):
    forged = Pcapng().section().interface().block(9, bytes(9_000_000)).enhanced(b"x", 0)
    found, source = read(forged, block_bytes=1000)
    assert len(found) == 1
    assert source.errors == []
