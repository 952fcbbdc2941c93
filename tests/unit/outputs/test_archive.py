"""Rotated files: cut down to their alerts, deleted in the end, nothing else touched."""

import json
import os

import pytest
from outkit import small_disk

from sensor.outputs.archive import Archive
from sensor.outputs.limits import KeepOptions

DAY = 86_400
NOW = 2_000_000_000.0


def lines(alerts, others):
    rows = [{"timestamp": "t", "event_type": "alert", "n": n} for n in range(alerts)]
    # What an attacker may put into a text looks like an alert to no reader.
    rows += [{"timestamp": "t", "event_type": "http", "url": '"event_type":"alert"', "n": n} for n in range(others)]
    return b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)


def put(folder, name, data, days=0.0):
    path = folder / name
    path.write_bytes(data)
    os.utime(path, (NOW - days * DAY,) * 2)
    return path


@pytest.fixture
def told():
    return []


def archive(folder, told, **options):
    limits = {"max_bytes": 0, "max_days": 0, "alert_bytes": 0, "alert_days": 0} | options
    return Archive([folder / "eve.json", folder / "fast.log"], KeepOptions(**limits), told.append)


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def test_nothing_is_touched_within_the_bounds(tmp_path, told):
    put(tmp_path, "eve-20200101T000000Z.json", lines(1, 1), days=10_000)
    kept = archive(tmp_path, told)
    kept.sweep(NOW)
    assert names(tmp_path) == ["eve-20200101T000000Z.json"]
    assert kept.octets == {"all": len(lines(1, 1)), "alerts": 0}
    assert kept.counters.snapshot() == {"cut": 0, "deleted": 0, "errors": 0}


def test_an_old_file_is_cut_down_to_its_alerts_and_keeps_its_age(tmp_path, told):
    put(tmp_path, "eve-20200101T000000Z.json", lines(3, 50), days=31)
    put(tmp_path, "eve-20200102T000000Z-001.json", lines(1, 1), days=29)
    kept = archive(tmp_path, told, max_days=30, alert_days=60)
    kept.sweep(NOW)
    assert names(tmp_path) == ["eve-20200101T000000Z.alerts.json", "eve-20200102T000000Z-001.json"]
    cut = tmp_path / "eve-20200101T000000Z.alerts.json"
    assert cut.read_bytes() == lines(3, 0)
    assert kept.octets == {"all": len(lines(1, 1)), "alerts": len(lines(3, 0))}
    kept.sweep(NOW + 29 * DAY)
    assert cut.exists()
    kept.sweep(NOW + 30 * DAY)
    assert not cut.exists()
    assert kept.counters.snapshot() == {"cut": 2, "deleted": 1, "errors": 0}


def test_bytes_beyond_the_bound_go_oldest_first(tmp_path, told):
    for n in range(5):
        put(tmp_path, f"eve-2020010{n}T000000Z.json", lines(2, 20), days=5 - n)
    size = len(lines(2, 20))
    kept = archive(tmp_path, told, max_bytes=2 * size, alert_bytes=2 * len(lines(2, 0)))
    kept.sweep(NOW)
    assert names(tmp_path) == [
        "eve-20200101T000000Z.alerts.json", "eve-20200102T000000Z.alerts.json",
        "eve-20200103T000000Z.json", "eve-20200104T000000Z.json",
    ]  # fmt: skip


def test_files_without_alerts_go_and_those_of_alerts_only_are_renamed(tmp_path, told):
    put(tmp_path, "eve-20200101T000000Z.json", lines(0, 9), days=9)
    put(tmp_path, "eve-20200102T000000Z.json", lines(9, 0), days=8)
    put(tmp_path, "fast-20200102T000000Z.log", b"an alert\n", days=8)
    archive(tmp_path, told, max_days=1).sweep(NOW)
    assert names(tmp_path) == ["eve-20200102T000000Z.alerts.json", "fast-20200102T000000Z.alerts.log"]
    assert (tmp_path / "eve-20200102T000000Z.alerts.json").read_bytes() == lines(9, 0)


def test_other_files_are_none_of_its_business(tmp_path, told):
    mine = ["eve.json", "fast.log", "eve-x.json", "eve-20200101T000000Z.json.gz", "other-20200101T000000Z.json",
            "eve-20200101T000000Z.log"]  # fmt: skip
    for name in mine:
        put(tmp_path, name, lines(0, 1), days=1000)
    archive(tmp_path, told, max_days=1, alert_days=1, max_bytes=1, alert_bytes=1).sweep(NOW)
    assert names(tmp_path) == sorted(mine)


def test_room_is_made_of_the_oldest_file_and_alerts_stay(tmp_path, told):
    put(tmp_path, "eve-20200101T000000Z.json", lines(1, 9), days=9)
    put(tmp_path, "eve-20200102T000000Z.json", lines(1, 9), days=8)
    kept = archive(tmp_path, told)
    assert kept.make_room()
    assert names(tmp_path) == ["eve-20200101T000000Z.alerts.json", "eve-20200102T000000Z.json"]
    assert kept.make_room()
    assert not kept.make_room()
    assert sum((tmp_path / name).stat().st_size for name in names(tmp_path)) == 2 * len(lines(1, 0))


def test_a_disk_without_room_for_the_alerts_loses_none(tmp_path, told):
    with small_disk(tmp_path / "disk", 64 << 10) as folder:
        data = lines(1000, 0)[: 60 << 10] + lines(0, 1)
        put(folder, "eve-20200101T000000Z.json", data, days=9)
        kept = archive(folder, told)
        assert not kept.make_room()
        assert names(folder) == ["eve-20200101T000000Z.json"]
        assert (folder / "eve-20200101T000000Z.json").read_bytes() == data
        assert kept.counters.errors == 1
        assert "No space left on device" in told[0]
        kept.make_room()
        assert len(told) == 1


def test_a_folder_that_is_gone_is_no_error(tmp_path, told):
    kept = archive(tmp_path / "none", told)
    kept.sweep(NOW)
    assert not kept.make_room()


def test_files_of_several_folders(tmp_path, told):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        put(tmp_path / name, f"{name}-20200101T000000Z.json", lines(1, 9), days=9)
    Archive([tmp_path / "a/a.json", tmp_path / "b/b.json"], KeepOptions(max_days=1), told.append).sweep(NOW)
    assert names(tmp_path / "a") == ["a-20200101T000000Z.alerts.json"]
    assert names(tmp_path / "b") == ["b-20200101T000000Z.alerts.json"]
