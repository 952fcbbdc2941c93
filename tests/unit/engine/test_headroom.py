"""What memory is left, from what the kernel tells of the machine and of control groups."""

import pytest

from sensor.engine.live.headroom import available, refusal

MIB = 1 << 20


def machine(root, free=400, groups=(), own="/system.slice/xensor.service"):
    """Make the kernel's files. groups: path → (max, high, current, files), in MiB or `max`."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/meminfo").write_text(f"MemTotal: 500000 kB\nMemAvailable: {free << 10} kB\n")
    (root / "proc/self/cgroup").write_text(f"4:memory:/old\n0::{own}\n")
    for path, (most, high, current, files) in dict(groups).items():
        folder = root / "sys/fs/cgroup" / path.strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in (("max", most), ("high", high), ("current", current)):
            (folder / f"memory.{name}").write_text(f"{value if value == 'max' else value * MIB}\n")
        (folder / "memory.stat").write_text(f"anon 5\ninactive_file {files * MIB}\nactive_file {MIB}\n")
    return str(root)


SERVICE, SLICE = "/system.slice/xensor.service", "/system.slice"


@pytest.mark.parametrize(("free", "groups", "left"), [
    (400, {}, 400),
    (400, {SERVICE: (448, 384, 300, 20)}, 384 - 300 + 20 + 1),
    (50, {SERVICE: (448, 384, 300, 20)}, 50),
    (400, {SERVICE: (448, "max", 300, 0)}, 149),
    (400, {SERVICE: ("max", "max", 300, 0)}, 400),
    (400, {SERVICE: ("max", "max", 300, 0), SLICE: (310, "max", 300, 0)}, 11),
    (400, {SERVICE: (100, "max", 300, 0)}, 0),
])  # fmt: skip
def test_the_nearest_limit_counts(tmp_path, free, groups, left):
    assert available(machine(tmp_path, free, groups)) == left * MIB


def test_where_nothing_is_told_nothing_is_in_the_way(tmp_path):
    assert available(str(tmp_path)) > 1 << 50
    assert 0 < available() < 1 << 50


def test_rules_that_do_not_fit_beside_those_that_run_are_refused(tmp_path):
    rules = tmp_path / "a.rules"
    rules.write_text("# " + "x" * (20 * MIB) + "\n" + "alert tcp any any -> any any (sid: 1;)\n" * 60_000)
    assert refusal([str(rules), str(tmp_path / "none")], 100 * MIB) == ""
    assert refusal([str(rules)], 40 * MIB) == (
        "new rules need about 51 MiB beside the old ones, and 40 MiB are left: give the sensor more memory, or restart "
        "it with the new rules"
    )
