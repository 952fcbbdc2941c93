"""Files that are fetched in byte ranges."""

import hashlib

import pytest

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.keeping import FilePolicy
from sensor.proto.http1 import limits
from sensor.proto.http1.fields import SPEC
from sensor.proto.http1.transaction import RESPONSE_COMPLETE

FILE = bytes(range(100))


def fetch(*parts, data=FILE, total=None, name=b"/f.bin?x", policy=None, code=b"206 Partial Content"):
    """Return the files that are joined when a client fetches (start, stop) parts."""
    parser = SPEC.new_parser()
    if policy is not None:
        parser.treat_files(policy)
    joined = []
    for start, stop in parts:
        head = b"HTTP/1.1 %s\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n" % (
            code, start, stop - 1, total or len(data), stop - start,
        )  # fmt: skip
        parser.feed(TO_SERVER, b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % name, 0)
        stages = parser.feed(TO_CLIENT, head + data[start:stop], 0)
        joined += [stage.file for stage in stages if stage.file is not None and stage.stage == RESPONSE_COMPLETE]
    return joined


@pytest.mark.parametrize(
    "parts",
    [
        [(0, 50), (50, 100)], [(50, 100), (0, 50)], [(0, 60), (40, 100)], [(0, 25), (75, 100), (25, 50), (50, 75)],
        [(10, 90), (0, 20), (80, 100)],
    ],
)  # fmt: skip
def test_parts_make_a_file(parts):
    (file,) = fetch(*parts)
    assert (file.name, file.data, file.size, file.complete) == (b"/f.bin", FILE, 100, True)
    assert file.buffer("file.sha256") == (hashlib.sha256(FILE).hexdigest().encode(),)


@pytest.mark.parametrize("parts", [[(0, 100)], [(0, 50)], [(0, 40), (60, 100)], [(50, 100)]])
def test_what_is_missing_makes_no_file(parts):
    assert fetch(*parts) == []


def test_the_status_does_not_matter():
    assert len(fetch((0, 50), (50, 100), code=b"200 OK")) == 1


@pytest.mark.parametrize("value", [b"bytes 50-0/100", b"bytes 0-49/*", b"bytes 0-200/100", b"bytes x", b"bytes 0-49"])
def test_values_that_say_nothing(value):
    parser = SPEC.new_parser()
    head = b"HTTP/1.1 206 P\r\nContent-Range: %s\r\nContent-Length: 50\r\n\r\n" % value
    for _ in range(2):
        parser.feed(TO_SERVER, b"GET /f HTTP/1.1\r\nHost: h\r\n\r\n", 0)
        assert all(stage.file is None for stage in parser.feed(TO_CLIENT, head + bytes(50), 0))


def test_a_long_file_is_hashed_if_it_comes_in_order():
    data, step = FILE * 6000, 60_000
    parts = [(at, at + step) for at in range(0, len(data), step)]
    (file,) = fetch(*parts, data=data, policy=FilePolicy(hashed=True))
    assert (file.size, len(file.data)) == (len(data), limits.RESPONSE_BODY)
    assert file.digest("sha256") == hashlib.sha256(data).hexdigest().encode()
    assert fetch(*parts, data=data)[0].digest("sha256") == b""
    assert fetch(*reversed(parts), data=data) == []


def test_files_of_a_connection_are_bounded():
    parser = SPEC.new_parser()
    asked = [*range(limits.RANGED_FILES + 1)] * 2
    found = []
    for turn, n in enumerate(asked):
        start = 50 * (turn >= len(asked) // 2)
        parser.feed(TO_SERVER, b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n, 0)
        head = b"HTTP/1.1 206 P\r\nContent-Range: bytes %d-%d/100\r\nContent-Length: 50\r\n\r\n" % (start, start + 49)
        found += [s.file.name for s in parser.feed(TO_CLIENT, head + bytes(50), 0) if s.file is not None]
    assert b"/0" not in found
