"""Where reports come from. A socket stands for the device of xenstore: both carry the same messages."""

import os
import socket
import struct

import pytest

from sensor.xen.report import ReportError
from sensor.xen.sources import FileSource, StoreSource, open_source

HEADER = struct.Struct("=IIII")


@pytest.fixture
def store():
    here, there = socket.socketpair()
    source = StoreSource(os.dup(here.fileno()), "data/ids/mirror")
    here.close()
    there.setblocking(False)
    yield source, there
    source.close()
    there.close()


def question(there):
    kind, number, transaction, length = HEADER.unpack(there.recv(16))
    assert (kind, transaction) == (2, 0)
    assert there.recv(length) == b"data/ids/mirror\0"
    return number


def answer(there, number, body, kind=2):
    there.send(HEADER.pack(kind, number, 0, len(body)) + body)


def test_a_value_is_given_once(store):
    source, there = store
    assert source.poll() is None
    number = question(there)
    assert source.poll() is None
    with pytest.raises(BlockingIOError):  # one question at a time
        there.recv(1)
    answer(there, number, b"one")
    assert source.poll() == "one"
    answer(there, question(there), b"one")
    assert source.poll() is None
    answer(there, question(there), b"two")
    assert source.poll() == "two"


def test_an_answer_may_come_byte_by_byte(store):
    source, there = store
    source.poll()
    whole = HEADER.pack(2, question(there), 0, 3) + b"one"
    for at in range(len(whole)):
        assert source.poll() is None
        there.send(whole[at : at + 1])
    assert source.poll() == "one"


def test_an_error_is_told_and_the_question_asked_again(store):
    source, there = store
    source.poll()
    answer(there, question(there), b"ENOENT\0", kind=16)
    with pytest.raises(ReportError, match="ENOENT"):
        source.poll()
    answer(there, question(there), b"one")
    assert source.poll() == "one"


def test_an_absurd_length_is_refused(store):
    source, there = store
    source.poll()
    there.send(HEADER.pack(2, question(there), 0, 1 << 30))
    with pytest.raises(ReportError, match="1073741824"):
        source.poll()


def test_an_answer_to_something_else_is_dropped(store):
    source, there = store
    source.poll()
    number = question(there)
    answer(there, number + 5, b"stray")
    assert source.poll() is None
    answer(there, number, b"one")
    assert source.poll() == "one"


def test_a_file_is_read_when_it_was_replaced(tmp_path):
    path = tmp_path / "report.json"
    source = FileSource(str(path))
    with pytest.raises(ReportError, match="No such file"):
        source.poll()
    path.write_text("one")
    assert source.poll() == "one"
    assert source.poll() is None
    fresh = tmp_path / "fresh"
    fresh.write_text("two")
    fresh.replace(path)
    assert source.poll() == "two"
    path.write_bytes(b"x" * 1_000_000)
    assert len(source.poll()) < 70_000


def test_settings(tmp_path, monkeypatch):
    monkeypatch.setattr("sensor.xen.sources.DEVICE", str(tmp_path / "none"))
    assert open_source("no") is open_source("auto") is None
    assert isinstance(open_source(str(tmp_path / "file")), FileSource)
    with pytest.raises(ReportError, match="No such file"):
        open_source("xenstore")
    (tmp_path / "none").touch()
    found = open_source("auto")
    assert isinstance(found, StoreSource)
    found.close()
