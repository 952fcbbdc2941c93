"""Writer and sinks: order, counts, isolation."""

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import SECOND, FloodControl, FloodLimits
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer
from sensor.errors import OutputError
from sensor.model.records import Event
from sensor.model.scene import AnomalyRecord, Match, Scene
from sensor.rules.nodes import All, Rule

RULE = Rule(sid=7, msg="m", proto="tcp", body=All(()))


def scene(ts):
    return Scene(
        ts=ts, number=1, source="", ipv=4, src_ip="10.0.0.1", dest_ip="10.0.0.2", proto=6, src_port=1,
        dest_port=2, src=b"aaaa", dest=b"bbbb",
    )  # fmt: skip


def match(ts=0, rule=RULE):
    return Match(rule=rule, scene=scene(ts))


class Kept:
    def __init__(self, fail_at=""):
        self.events = []
        self.closed = False
        self.fail_at = fail_at

    def write(self, event):
        if self.fail_at == "write":
            raise OutputError("disk full")
        self.events.append(event)

    def flush(self):
        if self.fail_at == "flush":
            raise ValueError("odd")

    def reopen(self):
        if self.fail_at == "reopen":
            raise OutputError("no such folder")
        self.events.append("reopened")

    def close(self):
        if self.fail_at == "close":
            raise OutputError("cannot close")
        self.closed = True


def writer(sinks, burst=1000, **more):
    return Writer(EveBuilder(), FloodControl(FloodLimits(burst, 60 * SECOND)), sinks, **more)


def test_counts_and_order():
    kept = Kept()
    last = writer(Sinks([kept]))
    last(match(1))
    last(AnomalyRecord(scene(2), "decode", "decoder.x"))
    last.stats(3, {"uptime": 0})
    last.flush()
    last.finish()
    assert [e.kind for e in kept.events] == ["alert", "anomaly", "stats"]
    assert kept.events[2].fields == {
        "timestamp": "1970-01-01T00:00:00.000000+0000", "event_type": "stats", "stats": {"uptime": 0},
    }  # fmt: skip
    assert last.by_rule == {(1, 7): 1}
    assert last.events == {"alert": 1, "anomaly": 1, "stats": 1}
    assert kept.closed


def test_flood_is_summed_up_and_counted():
    kept = Kept()
    last = writer(Sinks([kept]), burst=2)
    for ts in range(10):
        last(match(ts))
    assert len(kept.events) == 2
    last.close_floods()
    assert [e.fields.get("xen") for e in kept.events] == [
        None, None, {"flood_alerts": 8, "flood_start": "1970-01-01T00:00:00.000000+0000"},
    ]  # fmt: skip
    assert last.by_rule.total() == 10
    last.finish()
    assert len(kept.events) == 3


def test_alerts_can_be_counted_only():
    kept = Kept()
    last = writer(Sinks([kept]), alerts=False)
    last(match())
    last.finish()
    assert kept.events == []
    assert last.by_rule.total() == 1


def test_a_sink_that_fails_gets_nothing_more_and_hurts_no_other():
    for fail_at in ("write", "flush", "close"):
        bad, good, told = Kept(fail_at), Kept(), []
        sinks = Sinks([bad, good], told.append)
        last = writer(sinks)
        last(match(1))
        last.flush()
        last(match(2))
        last.finish()
        assert len(good.events) == 2
        assert good.closed
        assert bad.closed == (fail_at != "close")
        assert len(told) == len(sinks.errors) == 1, fail_at
        assert all(isinstance(error, OutputError) for error in sinks.errors)
        assert len(bad.events) == {"write": 0, "flush": 1, "close": 2}[fail_at]
    assert str(told[0]) == "cannot close"


def test_errors_of_other_kinds_name_the_sink():
    sinks = Sinks([Kept("flush")])
    sinks.flush()
    assert str(sinks.errors[0]) == "Kept: ValueError('odd')"


def test_a_lasting_sink_is_tried_again_and_its_error_told_once():
    bad, good, told = Kept("write"), Kept(), []
    sinks = Sinks([bad, good], told.append, lasting=True)
    events = [Event("alert", {"n": n}) for n in range(4)]
    for event in events[:3]:
        sinks.write(event)
    assert (good.events, bad.events) == (events[:3], [])
    assert ([str(e) for e in told], sinks.failures) == (["disk full"], 3)
    bad.fail_at = ""
    sinks.write(events[3])
    assert bad.events == [events[3]]
    bad.fail_at = "reopen"
    sinks.reopen()
    assert good.events[-1] == "reopened"
    assert [str(e) for e in told] == ["disk full", "no such folder"]
    assert len(sinks.errors) == 1


def test_events_that_are_shed_reach_no_sink():
    kept = Kept()
    last = writer(Sinks([kept], sheds=lambda kind: kind == "anomaly"))
    last(match(1))
    last(AnomalyRecord(scene(2), "decode", "decoder.x"))
    assert [e.kind for e in kept.events] == ["alert"]
