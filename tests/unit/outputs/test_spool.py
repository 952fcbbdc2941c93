"""What waits on the disk: nothing is lost below the bound, whatever ends the process."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from outkit import small_disk

from sensor.errors import OutputError
from sensor.outputs.backlog import OutputCounters
from sensor.outputs.limits_remote import SEGMENT
from sensor.outputs.spool import Spool

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def told():
    return []


def spool(folder, told, limit=16 << 20):
    return Spool(folder / "spool", limit, OutputCounters(), told.append)


def put(made, lines, *, dear=True):
    for line in lines:
        made.append(line, dear=dear)
    made.flush()


def take(made, octets=1 << 20):
    found = []
    while lines := made.read(octets):
        found += lines
    return found


def test_lines_come_out_in_order_once_they_are_flushed(tmp_path, told):
    made = spool(tmp_path, told)
    made.append(b"one", dear=True)
    assert made.read(100) == []
    made.flush()
    put(made, [b"two", b"three"])
    assert made.read(8) == [b"one", b"two"]
    assert made.read(2) == [b"three"], "a line longer than asked for comes whole"
    assert made.read(100) == []
    assert made.waiting == 3


def test_what_is_not_committed_is_read_again(tmp_path, told):
    made = spool(tmp_path, told)
    put(made, [b"one", b"two"])
    made.read(4)
    made.commit(made.mark())
    assert made.read(100) == [b"two"]
    made.rewind()
    assert made.read(100) == [b"two"]
    assert (made.waiting, made.size) == (1, 4)
    made.commit(made.mark())
    assert (made.waiting, made.size) == (0, 0)


def test_a_new_process_goes_on_where_the_last_one_was(tmp_path, told):
    first = spool(tmp_path, told)
    put(first, [b"%d" % n for n in range(10)])
    first.read(6)
    first.commit(first.mark())
    first.read(4)
    first.close()
    for _ in range(2):
        again = spool(tmp_path, told)
        assert again.waiting == 7
        assert take(again) == [b"%d" % n for n in range(3, 10)]
        again.close()


def test_files_that_are_delivered_are_deleted(tmp_path, told):
    made = spool(tmp_path, told)
    for n in range(5):
        put(made, [b"%d" % n + b"x" * SEGMENT])
    assert len(list(made.folder.glob("*.spool"))) == 5
    for n in range(5):
        (line,) = made.read(100)
        assert line[:1] == b"%d" % n
        made.commit(made.mark())
    assert len(list(made.folder.glob("*.spool"))) == 1
    assert made.size == 0


def test_alerts_go_beyond_the_bound_of_other_events_and_all_that_is_lost_is_counted(tmp_path, told):
    counters = OutputCounters()
    made = Spool(tmp_path / "spool", 1 << 20, counters, told.append)
    put(made, [b"f" * 1023] * 1000, dear=False)
    assert made.waiting == 512
    put(made, [b"a" * 1023] * 1000)
    assert made.waiting == 1024
    assert (counters.shed, counters.lost) == (488, 488)
    assert made.size <= 1 << 20
    made.read(1 << 19)
    made.commit(made.mark())
    put(made, [b"a" * 1023])
    assert made.waiting == 1024 - 512 + 1, "room again once something was delivered"


def test_a_torn_line_of_a_dead_process_is_left_out(tmp_path, told):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/00000001.spool").write_bytes(b"one\ntwo\ntor")
    made = spool(tmp_path, told)
    put(made, [b"three"])
    assert take(made) == [b"one", b"two", b"three"]
    made.commit(made.mark())
    assert (made.size, made.waiting) == (0, 0)


@pytest.mark.parametrize("text", ["", "x y", "1", "1 2 3", "\0\0\0\0"])
def test_a_damaged_position_loses_nothing(tmp_path, told, text):
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool/00000003.spool").write_bytes(b"one\n")
    (tmp_path / "spool/position").write_text(text)
    assert take(spool(tmp_path, told)) == [b"one"]


def test_files_that_somebody_deleted(tmp_path, told):
    made = spool(tmp_path, told)
    put(made, [b"x" * SEGMENT])
    put(made, [b"two"])
    (made.folder / "00000001.spool").unlink()
    assert take(made) == [b"two"]
    made.commit(made.mark())
    assert made.size == 0
    for path in made.folder.glob("*.spool"):
        path.unlink()
    again = spool(tmp_path, told)
    put(again, [b"three"])
    assert take(again) == [b"three"]


def test_a_full_disk_is_told_and_waited_for(tmp_path, told):
    with small_disk(tmp_path / "disk", 64 << 10) as folder:
        made = spool(folder, told)
        (folder / "ballast").write_bytes(b"x" * (32 << 10))
        put(made, [b"%03d" % n + b"x" * 96 for n in range(500)])
        put(made, [b"last"])
        assert [text.split(": ")[1] for text in told] == ["No space left on device"]
        part = take(made)
        made.commit(made.mark())
        (folder / "ballast").unlink()
        put(made, [])
        made.flush()
        rest = take(made)
        assert [line[:3] for line in part + rest] == [*(b"%03d" % n for n in range(500)), b"las"]
        made.close()


def test_what_a_full_disk_did_not_take_is_told_at_the_end(tmp_path, told):
    with small_disk(tmp_path / "disk", 16 << 10) as folder:
        made = spool(folder, told)
        put(made, [b"x" * 1000] * 100)
        with pytest.raises(OutputError, match=r"No space left on device: \d+ events could not be written"):
            made.close()


def test_a_folder_that_cannot_be_made(tmp_path, told):
    (tmp_path / "spool").write_text("")
    with pytest.raises(OutputError, match="spool"):
        spool(tmp_path, told)


def test_what_was_flushed_survives_a_kill(tmp_path, told):
    child = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "spool")], stdout=subprocess.PIPE,
                             text=True, cwd=ROOT)  # fmt: skip
    with child:
        flushed = [int(child.stdout.readline()) for _ in range(50)]
        child.send_signal(signal.SIGKILL)
    assert [int(line) for line in take(spool(tmp_path, told))][:50] == flushed


WRITER = """
import sys
from pathlib import Path
from sensor.outputs.backlog import OutputCounters
from sensor.outputs.spool import Spool
spool = Spool(Path(sys.argv[1]), 1 << 20, OutputCounters(), print)
n = 0
while True:
    spool.append(b"%d" % n, dear=True)
    spool.flush()
    print(n, flush=True)
    n += 1
"""


def test_a_folder_that_somebody_deleted_is_made_anew(tmp_path, told):
    made = spool(tmp_path, told)
    put(made, [b"one"])
    shutil.rmtree(made.folder)
    put(made, [b"two"])
    assert take(made) == [b"two"]
    made.commit(made.mark())
    assert (made.size, made.waiting) == (0, 1), "the deleted line never arrives"
    assert take(spool(tmp_path, told)) == []
