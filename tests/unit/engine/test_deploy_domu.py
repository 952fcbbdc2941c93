"""What is shipped for the monitoring DomU is accepted by what is shipped with it."""

import shlex
from pathlib import Path

from sensor.cli.run import parser
from sensor.config.load import load

FOLDER = Path(__file__).resolve().parents[3] / "deploy/domu"


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
