"""What is shipped for dom0 and the monitoring DomU is accepted by what is shipped with it, and by systemd."""

import ast
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from sensor.cli.run import parser
from sensor.config.load import load

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
FOLDER = DEPLOY / "domu"
UNITS = [FOLDER / "xensor.service", FOLDER / "xensor-vif@.service", DEPLOY / "dom0/xensor-mirror.service"]


def run(*words):
    if shutil.which(words[0]) is None:
        pytest.skip(f"there is no {words[0]}: install systemd")
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_the_configuration_loads_and_all_of_it_has_an_effect():
    made = load(str(FOLDER / "sensor.yaml"))
    assert made.ignored == []
    assert made.settings.run.log_dir == "/var/log/xensor"


def test_the_unit_starts_a_command_that_exists():
    lines = (FOLDER / "xensor.service").read_text().splitlines()
    settings = [line for line in lines if line and line[0] not in "#["]
    for name in ("ExecStart", "ExecStartPre"):
        (line,) = [line for line in settings if line.startswith(f"{name}=")]
        program, command, *words = shlex.split(line.partition("=")[2])
        assert (Path(program).name, command) == ("xensor", "run")
        args = parser().parse_args(words)
        assert args.interfaces == ["eth1"]
        assert args.config == "/etc/xensor/sensor.yaml"
    # numba cannot be imported under it.
    assert not [line for line in settings if line.startswith("MemoryDenyWriteExecute")]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(tmp_path, unit):
    # Programs are not installed here: another that is stands for them.
    text = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", unit.read_text(), flags=re.MULTILINE)
    copy = tmp_path / unit.name.replace("@", "@eth1")
    copy.write_text(text)
    done = run("systemd-analyze", "verify", "--man=no", str(copy))
    assert unit.stem.partition("@")[0] not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_units_are_hardened(unit):
    done = run("systemd-analyze", "security", "--offline=true", "--threshold=30", str(unit))
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_unit_lets_the_sensor_confine_itself():
    """systemd 252 (Debian 12) has Landlock in none of its groups of system calls."""
    text = (FOLDER / "xensor.service").read_text()
    allowed = {word for line in text.splitlines() if line.startswith("SystemCallFilter=") for word in line[17:].split()}
    assert allowed >= {"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "capset"}


def test_the_user_and_its_folders_are_made(tmp_path):
    (tmp_path / "etc").mkdir()
    assert run("systemd-sysusers", f"--root={tmp_path}", str(FOLDER / "sysusers.conf")).returncode == 0
    assert (tmp_path / "etc/passwd").read_text().startswith("xensor:")
    done = run("systemd-tmpfiles", "--create", f"--root={tmp_path}", str(FOLDER / "tmpfiles.conf"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "var/log/xensor").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "etc/xensor/rules").is_dir()


def test_the_guest_has_the_vifs_that_the_other_files_name():
    values = {}
    for node in ast.parse((FOLDER / "xensor.cfg").read_text()).body:
        values[node.targets[0].id] = ast.literal_eval(node.value)
    management, mirror = values["vif"]
    assert "bridge=xenbr0" in management
    assert "bridge=xenmon0" in mirror
    assert "Name=eth1\n" in (FOLDER / "mirror.network").read_text()
    mtu = re.search(r"^XENSOR_MTU=(\d+)", (FOLDER / "default").read_text(), re.MULTILINE)[1]
    assert f"mtu={mtu}" in mirror
    assert values["memory"] == 512
    assert 1 <= values["vcpus"] <= 2


@pytest.mark.parametrize("script", ["build-image", "xensor-vif"])
def test_scripts_are_posix(script):
    done = run("sh", "-n", str(FOLDER / script))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_image_gets_every_file():
    text = (FOLDER / "build-image").read_text()
    named = set(re.findall(r"^put \d+ (\S+)", text, re.MULTILINE))
    others = {"build-image", "xensor.cfg"}
    assert named | others == {path.name for path in FOLDER.iterdir()}


def test_building_says_what_it_needs():
    done = run("sh", str(FOLDER / "build-image"), "--help")
    assert done.returncode == 0
    assert "--wheel " in done.stdout
    assert run("sh", str(FOLDER / "build-image"), "--nonsense").returncode == 2
    assert "--wheel FILE is needed" in run("sh", str(FOLDER / "build-image")).stderr
