import hashlib
import os

import pytest

from sensor.outputs.filestore import FileStore
from sensor.outputs.limits import FileStoreOptions

MIB = 1 << 20


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Told(list):
    __call__ = list.append


def store(tmp_path, told=None, **options):
    sheds = options.pop("sheds", lambda: False)
    return FileStore(tmp_path, FileStoreOptions(enabled=True, **options), told if told is not None else Told(), sheds)


def names(tmp_path):
    return sorted(p.name for p in tmp_path.rglob("*") if p.is_file())


def test_files_lie_below_their_hash(tmp_path):
    kept = store(tmp_path)
    assert kept.put(sha(b"one"), b"one")
    path = tmp_path / "filestore" / sha(b"one")[:2] / sha(b"one")
    assert path.read_bytes() == b"one"
    assert path.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == [sha(b"one")]
    assert (kept.size, kept.counters.files, kept.counters.bytes) == (3, 1, 3)


def test_a_file_is_stored_once(tmp_path):
    kept = store(tmp_path)
    kept.put(sha(b"one"), b"one")
    path = tmp_path / "filestore" / sha(b"one")[:2] / sha(b"one")
    os.utime(path, (1, 1))
    assert kept.put(sha(b"one"), b"one")
    assert path.stat().st_mtime > 1
    assert (kept.counters.files, kept.counters.known, kept.size) == (1, 1, 3)


def test_descriptions(tmp_path):
    kept = store(tmp_path)
    kept.put(sha(b"one"), b"one")
    kept.describe(sha(b"one"), 77, 3, b"{}")
    assert names(tmp_path) == [sha(b"one"), f"{sha(b'one')}.77.3.json"]


def test_the_oldest_give_way_also_after_a_restart(tmp_path):
    kept = store(tmp_path, total=MIB)
    files = [bytes([n]) * (MIB // 3) for n in range(5)]
    for n, data in enumerate(files[:3]):
        kept.put(sha(data), data)
        os.utime(tmp_path / "filestore" / sha(data)[:2] / sha(data), (n, n))
    kept = store(tmp_path, total=MIB)
    kept.put(sha(files[0]), files[0])  # seen again: the youngest now
    kept.put(sha(files[3]), files[3])
    assert names(tmp_path) == sorted(sha(files[n]) for n in (0, 2, 3))
    assert kept.counters.deleted == 1
    assert kept.size == 3 * (MIB // 3)


def test_a_file_larger_than_all_is_not_stored(tmp_path):
    told = Told()
    kept = store(tmp_path, told, total=MIB)
    data = bytes(MIB + 1)
    assert not kept.put(sha(data), data)
    assert kept.counters.lost == 1
    assert told


def test_nothing_is_stored_while_the_disk_is_nearly_full(tmp_path):
    full = [False]
    kept = store(tmp_path, sheds=lambda: full[0])
    assert kept.put(sha(b"one"), b"one")
    full[0] = True
    assert not kept.put(sha(b"two"), b"two")
    assert names(tmp_path) == []
    assert (kept.counters.lost, kept.counters.deleted, kept.size) == (1, 1, 0)


def test_a_disk_that_takes_nothing_is_told_of_once(tmp_path):
    told = Told()
    kept = store(tmp_path, told)
    (tmp_path / "filestore").write_text("in the way")
    assert not kept.put(sha(b"one"), b"one")
    assert not kept.put(sha(b"two"), b"two")
    assert (kept.counters.lost, kept.counters.errors, len(told)) == (2, 1, 1)
    (tmp_path / "filestore").unlink()
    assert kept.put(sha(b"one"), b"one")
    assert len(told) == 2


def test_a_link_in_the_way_is_not_followed(tmp_path):
    kept = store(tmp_path)
    folder = tmp_path / "filestore" / sha(b"one")[:2]
    folder.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (folder / f"{sha(b'one')}.part").symlink_to(victim)
    assert not kept.put(sha(b"one"), b"one")
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("total", [0, MIB - 1, (1 << 40) + 1])
def test_sizes_out_of_range(total):
    with pytest.raises(ValueError, match="max-total"):
        FileStoreOptions(total=total)
