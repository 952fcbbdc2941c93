"""A file of lines over months: rotation, full disks, folders that nobody may write, names that others move."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from outkit import Clock, small_disk

from sensor.errors import OutputError
from sensor.outputs.limits import FileOptions
from sensor.outputs.logfile import LogFile, rotated_name


@pytest.fixture
def told():
    return []


def opened(folder, told, clock=None, **options):
    return LogFile(folder / "eve.json", FileOptions(**options), told.append, clock or Clock())


def rotated(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != "eve.json")


def test_rotates_by_size_at_a_line(tmp_path, told):
    clock = Clock()
    file = opened(tmp_path, told, clock, rotate_size=4096, rotate_seconds=0)
    for n in range(100):
        clock.now += 2
        file.write(b"%03d" % n + b"x" * 100)
        file.flush()
    file.close()
    old = rotated(tmp_path)
    assert len(old) == 2 == file.counters.rotations
    assert all(4096 <= (tmp_path / name).stat().st_size < 4096 + 105 for name in old)
    lines = b"".join((tmp_path / name).read_bytes() for name in [*old, "eve.json"]).splitlines()
    assert [int(line[:3]) for line in lines] == list(range(100))
    assert told == []


def test_rotates_by_time_at_the_turn_of_a_period(tmp_path, told):
    clock = Clock(1_700_006_400.0 - 3)  # 2023-11-15 00:00 UTC
    file = opened(tmp_path, told, clock, rotate_seconds=86_400)
    file.write(b"yesterday")
    file.flush()
    clock.now += 2
    file.flush()
    assert rotated(tmp_path) == []
    clock.now += 2
    file.write(b"today")
    file.flush()
    file.close()
    assert rotated(tmp_path) == ["eve-20231115T000001Z.json"]
    assert (tmp_path / "eve.json").read_bytes() == b"today\n"


def test_an_empty_file_is_not_rotated_and_an_old_one_is_at_once(tmp_path, told):
    clock = Clock()
    file = opened(tmp_path, told, clock, rotate_seconds=60)
    clock.now += 1000
    file.flush()
    file.close()
    assert rotated(tmp_path) == []
    (tmp_path / "eve.json").write_bytes(b"old\n")
    os.utime(tmp_path / "eve.json", (1, 1))
    file = opened(tmp_path, told, clock, rotate_seconds=60)
    file.flush()
    file.close()
    assert len(rotated(tmp_path)) == 1


def test_names_within_one_second_differ(tmp_path):
    first = rotated_name(tmp_path / "eve.json", 0)
    assert first.name == "eve-19700101T000000Z.json"
    first.touch()
    assert rotated_name(tmp_path / "eve.json", 0).name == "eve-19700101T000000Z-001.json"


def test_a_clock_that_is_set_back_stops_nothing(tmp_path, told):
    clock = Clock()
    file = opened(tmp_path, told, clock, rotate_size=4096)
    file.flush()
    clock.now -= 10**6
    file.write(b"x" * 5000)
    file.flush()
    clock.now += 2
    file.flush()
    assert file.counters.rotations == 1
    file.close()


@pytest.mark.parametrize("reopen", [True, False], ids=["told", "not told"])
def test_a_file_that_was_moved_away_is_made_anew(tmp_path, told, reopen):
    clock = Clock()
    file = opened(tmp_path, told, clock)
    file.write(b"one")
    file.flush()
    (tmp_path / "eve.json").rename(tmp_path / "eve.json.1")
    clock.now += 2
    if reopen:
        file.reopen()
    file.write(b"two")
    file.flush()
    file.close()
    assert (tmp_path / "eve.json.1").read_bytes() == b"one\n"
    assert (tmp_path / "eve.json").read_bytes() == b"two\n"


def test_a_folder_that_was_deleted_is_made_anew(tmp_path, told):
    clock = Clock()
    file = opened(tmp_path / "logs", told, clock)
    shutil.rmtree(tmp_path / "logs")
    clock.now += 2
    file.write(b"one")
    file.flush()
    assert (tmp_path / "logs/eve.json").read_bytes() == b"one\n"
    file.close()


def test_a_torn_line_is_ended_at_the_next_start(tmp_path, told):
    (tmp_path / "eve.json").write_bytes(b'{"whole":1}\n{"torn":')
    file = opened(tmp_path, told)
    file.write(b'{"next":1}')
    file.close()
    assert (tmp_path / "eve.json").read_bytes() == b'{"whole":1}\n{"torn":\n{"next":1}\n'


def test_a_sensor_starts_on_a_full_disk_with_a_torn_line(tmp_path, told):
    with small_disk(tmp_path / "disk", 16 << 10) as folder:
        torn = b"x" * (8 << 10)  # ends with a page
        (folder / "eve.json").write_bytes(torn)
        (folder / "ballast").write_bytes(b"x" * (8 << 10))
        file = opened(folder, told, rotate_seconds=0)
        file.write(b"one", dear=True)
        file.flush()
        assert (file.waiting, file.failing) == (1, "No space left on device")
        (folder / "ballast").unlink()
        file.close()
        assert (folder / "eve.json").read_bytes() == torn + b"\none\n"


def test_a_full_disk_loses_no_alert_and_recovers(tmp_path, told):
    with small_disk(tmp_path / "disk", 64 << 10) as folder:
        file = opened(folder, told, hold=1 << 20)
        ballast = folder / "ballast"
        ballast.write_bytes(b"x" * (48 << 10))
        for n in range(400):
            file.write(b"%03d" % n + b"a" * 96, dear=True)
        file.flush()
        assert "No space left on device" in file.failing
        assert (file.counters.errors, len(told)) == (1, 1)
        assert 0 < file.waiting < 400
        file.flush()
        assert (file.counters.errors, len(told)) == (1, 1), "told once"
        ballast.unlink()
        file.flush()
        assert (file.failing, file.waiting) == ("", 0)
        assert "is written again; 0 alerts" in told[1]
        file.close()
        lines = (folder / "eve.json").read_bytes().splitlines()
        assert [int(line[:3]) for line in lines] == list(range(400))
        assert {len(line) for line in lines} == {99}


def test_what_waits_is_bounded_and_alerts_are_kept_longest(tmp_path, told):
    with small_disk(tmp_path / "disk", 8 << 10) as folder:
        file = opened(folder, told, hold=1 << 16)
        (folder / "ballast").write_bytes(b"x" * (8 << 10))
        for _ in range(1000):
            file.write(b"f" * 99)
        assert file.waiting == (1 << 15) // 100, "other events take half"
        file.flush()
        for _ in range(1000):
            file.write(b"a" * 99, dear=True)
        assert file.waiting == (1 << 16) // 100
        assert file.counters.shed == 1000, "all others gave way"
        assert file.counters.lost == 1000 - (1 << 16) // 100
        with pytest.raises(OutputError, match=r"eve\.json: No space left on device: 655 lines could not be written"):
            file.close()


def test_a_line_torn_by_a_full_disk_is_whole_in_a_new_file(tmp_path, told):
    clock = Clock()
    with small_disk(tmp_path / "disk", 16 << 10) as folder:
        file = opened(folder, told, clock)
        file.write(b"a" * (20 << 10), dear=True)
        file.flush()
        assert file.waiting == 1
        (folder / "eve.json").unlink()
        file.write(b"b", dear=True)
        clock.now += 2
        file.flush()  # the deleted file is given back, but not all of the line fits
        subprocess.run(["mount", "-o", "remount,size=64k", str(folder)], check=True)
        file.flush()
        file.close()
        assert (folder / "eve.json").read_bytes() == b"a" * (20 << 10) + b"\nb\n"


def test_a_folder_that_may_not_be_written_stops_no_alert(tmp_path):
    """Run as nobody: root may write anywhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    folder = tmp_path / "logs"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    for parent in (tmp_path, *tmp_path.parents[:3]):
        parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, str(folder)], capture_output=True, text=True, check=False,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{folder}/eve.json: cannot be rotated: Permission denied"]
    assert len((folder / "eve.json").read_bytes().splitlines()) == 1
    (old,) = rotated(folder)
    assert len((folder / old).read_bytes().splitlines()) == 10


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from sensor.outputs.limits import FileOptions
from sensor.outputs.logfile import LogFile
folder = Path(sys.argv[1])
os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
now = [1000.0]
file = LogFile(folder / "eve.json", FileOptions(rotate_size=4096, rotate_seconds=0), print, lambda: now[0])
folder.chmod(0o555)
for n in range(10):
    file.write(b"x" * 999, dear=True); file.flush(); now[0] += 2
assert (file.waiting, file.counters.rotations, file.counters.errors) == (0, 0, 1)
folder.chmod(0o755)
file.flush(); now[0] += 2
file.write(b"y", dear=True)
file.close()
"""


def test_what_must_be_there_before_is_written_before(tmp_path, told):
    seen = []
    file = LogFile(tmp_path / "eve.json", FileOptions(), told.append,
                   ahead=lambda: seen.append((tmp_path / "eve.json").read_bytes()))  # fmt: skip
    file.flush()
    assert seen == []
    file.write(b"one")
    file.flush()
    file.write(b"x" * (1 << 19))  # written at once, being long
    assert seen == [b"", b"one\n"]
    file.close()


def test_what_was_flushed_survives_a_kill(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).resolve().parents[3],
    )  # fmt: skip
    with child:
        flushed = [int(child.stdout.readline()) for _ in range(50)]
        child.send_signal(signal.SIGKILL)
    lines = (tmp_path / "eve.json").read_bytes().splitlines()
    assert [int(line) for line in lines][:50] == flushed


WRITER = """
import sys
from pathlib import Path
from sensor.outputs.limits import FileOptions
from sensor.outputs.logfile import LogFile
file = LogFile(Path(sys.argv[1]) / "eve.json", FileOptions(), print)
n = 0
while True:
    file.write(b"%d" % n, dear=True)
    file.flush()
    print(n, flush=True)
    n += 1
"""
