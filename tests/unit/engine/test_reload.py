"""Rules exchanged while packets come: what runs is not disturbed, what changed is in force, errors change nothing."""

import sys
import threading
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "proto"))  # the forged bytes of the parsers' tests

import enginekit
import forgekit
import pytest
import smbforge
from enginekit import TESTS

from sensor.capture.memory import MemorySource
from sensor.engine.live.reload import Reloader, implausible
from sensor.engine.offline.forge import Conversation
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.errors import RuleError
from sensor.rules.ruleset import RuleSet

CAPTURES = sorted((TESTS.parent / "pcaps").glob("*.pcap"))


class Restless(Pipeline):
    """Exchanges its rules for the same ones before each block."""

    rules: RuleSet

    def process(self, block):
        self.replace_rules(self.prepare(enginekit.ready(self.rules)))
        super().process(block)


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda path: path.stem)
def test_the_same_rules_again_change_nothing(capture, monkeypatch):
    rules = enginekit.load(TESTS.parent / "rules")
    expected = enginekit.run(capture, rules, block=97)
    monkeypatch.setattr(Restless, "rules", rules, raising=False)
    monkeypatch.setattr(enginekit, "Pipeline", Restless)
    found = enginekit.run(capture, rules, block=97)
    assert isinstance(found.pipeline, Restless)
    assert enginekit.difference(expected, found) == ""


def datagram():
    talk = Conversation(b"\x0a\0\0\1", b"\x0a\0\0\2", 4000, 5000, 1_700_000_000 * 10**9)
    talk.udp(0, b"an old-needle and a new-needle")
    return next(MemorySource(talk.frames).blocks())


def test_rules_go_and_come(tmp_path):
    text = "rules:\n  - {id: %d, title: word, protocol: udp, severity: low, match: [{payload: {content: %s}}]}\n"
    old = enginekit.rules_of(text % (1, "old-needle"), tmp_path)
    new = enginekit.rules_of(text % (2, "new-needle"), tmp_path)
    raised = []
    options = EngineOptions(enginekit.settings_of(["alert"], run={"dedup": False}))
    pipeline = Pipeline(old, options, lambda match: raised.append(match.rule.sid))
    pipeline.process(datagram())
    pipeline.replace_rules(pipeline.prepare(new))
    pipeline.process(datagram())
    assert raised == [1, 2]
    assert pipeline.judge.counters.alerts == 2


def outcome(reloader):
    assert reloader.start()
    end = time.monotonic() + 10
    while (done := reloader.take()) is None:
        assert time.monotonic() < end
        time.sleep(0.001)
    assert reloader.take() is None
    return done


def test_rules_are_prepared_in_a_thread_of_their_own():
    reloader = Reloader(RuleSet, lambda rules: ("ready", len(rules)))
    assert outcome(reloader).book == ("ready", 0)
    assert outcome(reloader).book == ("ready", 0)


def test_an_error_is_told_and_the_next_try_is_free():
    def load():
        raise RuleError("line 7 is off")

    reloader = Reloader(load, lambda rules: rules)
    for _ in range(2):
        done = outcome(reloader)
        assert (done.book, done.error) == (None, "line 7 is off")


def test_one_at_a_time():
    gate = threading.Event()
    reloader = Reloader(lambda: gate.wait(10) and RuleSet(), lambda rules: rules)
    assert reloader.start()
    assert not reloader.start()
    assert reloader.take() is None
    gate.set()
    while (done := reloader.take()) is None:
        time.sleep(0.001)
    assert done.error == ""


def test_a_match_that_began_under_the_old_rules_is_found(monkeypatch):
    talk = forgekit.Flow().open()
    for part in (b"here is the first-part of it", b", then words", b", and the second one"):
        talk.send(0, part)
    talk.close()
    frames = talk.frames()
    expected = enginekit.run(frames, enginekit.oracle_rules(), types=["alert"], block=1)
    assert 21 in expected.sids
    monkeypatch.setattr(Restless, "rules", enginekit.oracle_rules(), raising=False)
    monkeypatch.setattr(enginekit, "Pipeline", Restless)
    found = enginekit.run(frames, enginekit.oracle_rules(), types=["alert"], block=1)
    assert enginekit.difference(expected, found) == ""


def test_a_reload_that_loses_most_rules_is_implausible():
    assert implausible(10, 5) == implausible(0, 0) == implausible(3, 300) == ""
    assert "only 4 of 10 rules are left" in implausible(10, 4)
    assert implausible(1, 0)


def test_flows_that_are_parsed_show_their_messages_once_a_rule_asks(tmp_path):
    flow = forgekit.Flow(dport=445).open()
    talk = smbforge.file_talk()
    for side, octets in talk[:6]:
        flow.send(side, octets)
    first = flow.frames()
    for side, octets in talk[6:]:
        flow.send(side, octets)
    header = 'alert smb any any -> any any (msg:"x"; '
    rules, asked = [], ('smb.share; content:"ADMIN";', 'frame:smb2.data; content:"e|00|v|00|i|00|l";')
    for number, body in enumerate(asked, 1):
        path = tmp_path / f"{number}.rules"
        path.write_text(f"{header}{body} sid:{number};)")
        rules.append(enginekit.load(path))
    raised = []
    options = EngineOptions(enginekit.settings_of(["alert"], run={"dedup": False}))
    pipeline = Pipeline(rules[0], options, lambda match: raised.append(match.rule.sid))
    pipeline.process(next(MemorySource(first).blocks()))
    pipeline.replace_rules(pipeline.prepare(rules[1]))
    pipeline.process(next(MemorySource(flow.frames()[len(first) :]).blocks()))
    assert raised == [1, 2]
