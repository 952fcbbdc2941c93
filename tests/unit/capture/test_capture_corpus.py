"""Real captures: equal to dpkt's readers where those can read them, and no bad file does harm."""

import contextlib
import time
from pathlib import Path

import dpkt
import pytest
from capture_forge import collect

from sensor.capture.files import open_source

SHARED = Path(__file__).resolve().parents[3] / "../shared/captures"

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the captures in ../shared are not there"),
]

SMALL = 3_000_000


def attacks(magics):
    """Files by their first bytes: the names do not always tell the format."""
    for path in sorted((SHARED / "attacks").rglob("*")):
        if path.is_file() and path.stat().st_size < SMALL:
            with path.open("rb") as handle:
                if handle.read(4) in magics:
                    yield path


def by_xensor(path):
    source = open_source([str(path)], on_error=lambda error: None)
    return [(round(f[2] / 1000), f[5]) for f in collect(source)], source.errors


def by_dpkt(reader_type, path):
    """Packets of one of dpkt's readers, as far as it gets."""
    found = []
    with path.open("rb") as handle, contextlib.suppress(dpkt.NeedData):
        found.extend((round(ts * 1_000_000), data) for ts, data in reader_type(handle))
    return found


@pytest.mark.parametrize(
    ("reader_type", "magics", "least"),
    [
        (dpkt.pcap.Reader, {b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1"}, 50_000),
        (dpkt.pcapng.Reader, {b"\n\r\r\n"}, 5_000),
    ],
)
def test_good_files_equal_dpkt(reader_type, magics, least):
    compared = 0
    for path in attacks(magics):
        found, errors = by_xensor(path)
        wanted = by_dpkt(reader_type, path)
        if errors:  # dpkt may return the packet that is cut off
            assert len(wanted) - len(found) in {0, 1}
            wanted = wanted[: len(found)]
        assert found == wanted, path
        compared += len(found)
    assert compared > least


def test_malformed_files_give_packets_or_one_clear_error():
    slow, read, refused = [], 0, 0
    for path in sorted((SHARED / "robust").iterdir()):
        start = time.process_time()
        source = open_source([str(path)], on_error=lambda error: None)
        packets = collect(source)
        if time.process_time() - start > 1:
            slow.append(path.name)
        assert all(str(e).startswith(f"{path}: ") and "\n" not in str(e) for e in source.errors)
        assert len(source.errors) <= 1
        read += bool(packets)
        refused += bool(source.errors)
    assert not slow
    assert read > 450
    assert refused > 50
