"""Ten seconds of `make fuzz`: nothing is raised, and no input costs out of all measure."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent))

import capturing
import driving
import fuzzcorpus
import hunting

from sensor.proto import registry

TARGETS = driving.targets()
SECONDS = 10


def complaint(report):
    return "\n".join(f"{report.name}, case {number}: {what}" for what, number, _ in report.findings)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_parsers(target):
    hunt = hunting.Hunt(target, "gate")
    hunt.run(SECONDS / 2 / len(TARGETS))
    assert hunt.report.cases > 0
    assert not hunt.report.findings, complaint(hunt.report)


@pytest.mark.slow
def test_pipeline():
    hunt = capturing.CaptureHunt("gate")
    hunt.run(SECONDS / 2)
    assert hunt.report.cases > 0
    assert not hunt.report.findings, complaint(hunt.report)


def test_every_protocol_is_fuzzed():
    assert {spec.name for spec in registry.PROTOCOLS} == {*fuzzcorpus.TALKS, *fuzzcorpus.DATAGRAMS}


def test_an_input_can_be_made_again():
    target = TARGETS[0]
    first, second = hunting.Hunt(target, 3), hunting.Hunt(target, 3)
    assert [first.input(n) for n in range(50)] == [second.input(n) for n in range(50)]
    assert first.input(0) != first.input(1)


class Raiser:
    done = False

    def feed(self, side, data, ts_ns):
        raise KeyError(data[:1])


def test_what_a_parser_raises_is_found():
    target = driving.targets(["mqtt"])[0]
    hunt = hunting.Hunt(target, 3)
    target.new = Raiser
    hunt.run(5)
    assert "KeyError" in complaint(hunt.report)


def test_what_is_slow_is_found(monkeypatch):
    target = driving.targets(["mqtt"])[0]
    hunt = hunting.Hunt(target, 3)
    monkeypatch.setattr(driving, "cost", lambda _target, _talk: 60.0)
    hunt.run(5)
    assert "times a normal input" in complaint(hunt.report)
