"""What gives way as a disk fills, and that it comes back."""

import pytest
from outkit import small_disk

from sensor.outputs.disk import FULL, ROOMY, SCARCE, TIGHT, Disk
from sensor.outputs.limits import DiskOptions

KIB = 1 << 10


@pytest.fixture
def told():
    return []


def kinds(disk):
    return {kind for kind in ("alert", "flow", "http", "anomaly", "stats") if not disk.sheds(kind)}


def test_events_give_way_in_order_and_come_back(tmp_path, told):
    with small_disk(tmp_path / "disk", 1024 * KIB) as folder:
        disk = Disk(folder, DiskOptions(min_free=400 * KIB), told.append)
        ballast = folder / "ballast"
        assert disk.look() == ROOMY
        everything = {"alert", "flow", "http", "anomaly", "stats"}
        assert kinds(disk) == everything
        wanted = (
            (700, TIGHT, {"alert", "http", "anomaly", "stats"}), (900, SCARCE, {"alert", "stats"}),
            (1000, FULL, {"alert"}), (840, SCARCE, {"alert", "stats"}), (0, ROOMY, everything),
        )  # fmt: skip
        for used, level, left in wanted:
            ballast.write_bytes(b"x" * used * KIB)
            assert disk.look() == level
            assert kinds(disk) == left
            assert disk.free == (1024 - used) * KIB
        assert disk.shed == {"flow": 4, "http": 3, "anomaly": 3, "stats": 1}
        assert [text.split(": ")[2] for text in told][:1] == ["flow records and evidence captures are left out"]
        assert len(told) == 5


def test_a_level_is_not_left_for_a_few_bytes(tmp_path, told):
    with small_disk(tmp_path / "disk", 1024 * KIB) as folder:
        disk = Disk(folder, DiskOptions(min_free=400 * KIB), told.append)
        ballast = folder / "ballast"
        for used, level in ((640, TIGHT), (620, TIGHT), (640, TIGHT), (560, ROOMY)):
            ballast.write_bytes(b"x" * used * KIB)
            assert disk.look() == level


def test_no_bound_no_level(tmp_path, told):
    disk = Disk(tmp_path, DiskOptions(min_free=0), told.append)
    assert disk.look() == ROOMY
    assert disk.free > 0


def test_a_folder_that_is_gone_is_told_once(tmp_path, told):
    disk = Disk(tmp_path / "none", DiskOptions(), told.append)
    assert disk.look() == disk.look() == ROOMY
    assert len(told) == 1
