"""What travels between workers and the one that collects: messages, matches, sums."""

import os
import socket
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import FloodControl, FloodLimits
from sensor.detect.headers.addresses import widen
from sensor.detect.headers.groups import Groups
from sensor.detect.planning.plan import make_plan
from sensor.detect.state.threshold import FarRates
from sensor.engine.crew.channel import MAX_MESSAGE, Channel, ChannelError, pair
from sensor.engine.crew.hostbits import Deferred
from sensor.engine.crew.outbox import LOT, Outbox
from sensor.engine.crew.sharedsets import Asked
from sensor.engine.crew.sums import total
from sensor.engine.crew.verdicts import Verdicts
from sensor.engine.crew.wire import FromWorker, Shut, ToWorker, encode
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer
from sensor.model.scene import (
    AnomalyRecord,
    ArpRecord,
    FileRecord,
    FlowEnd,
    FlowFacts,
    Match,
    PacketRecord,
    Scene,
    TxRecord,
)
from sensor.rules.nodes import All, InList, Rule, Tag, Threshold

DECODER = msgspec.msgpack.Decoder(FromWorker)


def rule(sid=1, **more):
    return Rule(sid=sid, msg="m", proto="ip", body=All(()), **more)


def scene(ts=1, src=b"\x0a\0\0\1", dest=b"\x0a\0\0\2", flow=7, number=1):
    facts = FlowFacts(1, "10.0.0.1", 1, "10.0.0.2", 2, 1, 0, 60, 0)
    return Scene(ts=ts, number=number, source="s", ipv=4, src_ip="10.0.0.1", dest_ip="10.0.0.2", proto=6, src_port=1,
                 dest_port=2, src=src, dest=dest, flow_id=flow, flow=facts, vlan=(3,))  # fmt: skip


def end(flow=7):
    return FlowEnd(scene(flow=flow), 9, "new", "timeout", True, (2, 0), "syn_sent", (0, 1), 3)


class Kept:
    def __init__(self):
        self.events = []

    def write(self, event):
        self.events.append(event)

    def flush(self):
        pass

    reopen = close = flush


def collected(rules, flows=0, burst=0, deferred=None, shut=lambda _closed: None):
    sink = Kept()
    writer = Writer(EveBuilder(), FloodControl(FloodLimits(burst)), Sinks([sink]))
    return Verdicts(writer, make_plan(rules, Groups()), deferred or {}, flows, shut), sink


def through(*records):
    """Records as they arrive at the other end."""
    outbox, found = Outbox(lambda s: s.ts), []
    outbox.send = found.append
    for record in records:
        outbox(record)
    outbox.upto(0)
    return [one for message in found for one in DECODER.decode(message).records]


def test_every_kind_of_record_arrives_as_it_was():
    match = Match(rule(), scene(), b"\0\xff", 2, True, 4, ("http", {"url": "/é", "n": [1, None]}), {"x": {}}, b"f", 1,
                  ("bit",))  # fmt: skip
    others = [end(), TxRecord(scene(), "dns", {"rrname": "a"}, 1, {"b": {}}), AnomalyRecord(scene(), "decode", "e"),
              ArpRecord(scene(), {"opcode": "request"}), PacketRecord(scene(), b"f", 1, ((1, 2, 3, 4),))]  # fmt: skip
    found = through(match, *others)
    assert found[1:] == others
    assert found[0].rule == [1, 1]
    assert replace(found[0], rule=match.rule) == match


@pytest.mark.parametrize("value", ["\udc80", 1 << 70, object()], ids=["text", "number", "object"])
def test_a_record_that_cannot_travel_costs_no_other(value):
    outbox, found = Outbox(lambda s: s.ts), []
    outbox.send = found.append
    for fields in ({"a": 1}, {"a": value}, {"a": 2}):
        outbox(ArpRecord(scene(), fields))
    outbox.upto(5)
    lot = DECODER.decode(found[0])
    assert [record.fields["a"] for record in lot.records] == [1, 2]
    assert (lot.keys, lot.upto, outbox.unsendable) == ([1, 1], 5, 1)
    assert outbox.losses() == {"records that could not be handed over": 1}


def test_keys_never_fall_and_lots_are_bounded():
    outbox, found = Outbox(lambda s: s.ts), []
    outbox.send = found.append
    for ts in (5, 3, 9):
        outbox(AnomalyRecord(scene(ts=ts), "decode", "e"))
    outbox.upto(20)
    outbox(AnomalyRecord(scene(ts=10), "decode", "e"))
    outbox.upto(15)
    for _ in range(LOT):
        outbox(AnomalyRecord(scene(ts=30), "decode", "e"))
    lots = [DECODER.decode(message) for message in found]
    assert [(lot.keys, lot.upto) for lot in lots[:2]] == [([5, 5, 9], 20), ([20], 20)]
    assert lots[2].keys == [30] * LOT
    assert lots[2].upto == 30


def test_messages_arrive_whole_however_they_are_cut():
    ours, theirs = pair()
    with closing(Channel(ours)) as here, theirs:
        assert list(here.read()) == []
        data = b"".join(len(m).to_bytes(4, "big") + m for m in (b"one", b"", b"x" * 300))
        found = []
        for at in range(0, len(data), 7):
            theirs.send(data[at : at + 7])
            found += here.read()
        assert found == [b"one", b"", b"x" * 300]
        Channel(theirs).send(b"last")
        theirs.send(b"\0\0\0\5half")
        theirs.close()
        assert list(here.read()) == [b"last"]
        assert not here.ended
        assert list(here.read()) == []
        assert here.ended


def files_of_process():
    return sorted(int(path.name) for path in Path("/proc/self/fd").iterdir())


def test_files_go_with_their_messages(tmp_path):
    before = files_of_process()
    ours, theirs = pair()
    with closing(Channel(ours)) as here, closing(Channel(theirs, takes_files=True)) as there:
        for name in ("a", "b"):
            (tmp_path / name).write_text(name)
            file = os.open(tmp_path / name, os.O_RDONLY)
            here.post(b"x" * 6_000_000)  # more than the kernel takes at once
            here.post(name.encode(), file)
            os.close(file)
        here.post(b"end")
        found = []
        while not found or found[-1] != b"end":
            found += there.read()
            here.flush()
        assert [m[:3] for m in found] == [b"xxx", b"a", b"xxx", b"b", b"end"]
        for name in ("a", "b"):
            file = there.take_file()
            assert not os.get_inheritable(file)
            assert os.read(file, 9) == name.encode()
            os.close(file)
        assert there.take_file() == -1
        here.post(b"x" * 6_000_000)
        file = os.open(tmp_path / "a", os.O_RDONLY)
        here.post(b"never read", file)
        os.close(file)
    assert files_of_process() == before


def test_who_takes_no_files_gets_none(tmp_path):
    (tmp_path / "a").write_text("a")
    before = files_of_process()
    ours, theirs = pair()
    with closing(Channel(ours)) as here, closing(Channel(theirs)) as there:
        with (tmp_path / "a").open() as file:
            there.post(b"take this", file.fileno())
        assert list(here.read()) == [b"take this"]
        assert here.take_file() == -1
    assert files_of_process() == before


def test_a_message_that_claims_too_much_is_refused():
    ours, theirs = pair()
    with closing(Channel(ours)) as here, theirs:
        theirs.send((MAX_MESSAGE + 1).to_bytes(4, "big"))
        with pytest.raises(ChannelError):
            list(here.read())


def test_nobody_there_is_told_to_the_sender():
    ours, theirs = socket.socketpair()
    ours.close()
    with closing(Channel(theirs)) as channel, pytest.raises(BrokenPipeError):
        channel.send(b"x")


def test_thresholds_count_the_matches_of_all_workers():
    limited = rule(thresholds=(Threshold("threshold", "by_src", 3, 60),))
    verdicts, sink = collected([limited])
    for n in range(6):
        for match in through(Match(limited, scene(dest=bytes([10, 0, 0, n]), flow=n))):
            verdicts.take(match)
    assert len(sink.events) == 2
    assert verdicts.alerts == 2


def test_packets_are_logged_for_the_matches_that_count():
    limits = Threshold("detection_filter", "by_src", 1, 60)
    verdicts, sink = collected([rule(1, thresholds=(limits,), tags=(Tag("session"),)), rule(2)])
    match, packet = Match((1, 1), scene(1)), PacketRecord(scene(2), b"f", 1, ((1, 1, 1, 7),))
    verdicts.take(match)
    verdicts.take(packet)
    assert sink.events == []
    verdicts.take(replace(match, scene=scene(3)))
    verdicts.take(replace(packet, causes=((1, 1, 1, 7), (1, 1, 3, 7))))
    verdicts.take(replace(packet, causes=((1, 2, 3, 7),)))
    assert [event.kind for event in sink.events] == ["alert", "packet"]


def test_workers_are_told_what_need_not_come_any_more():
    told, far = [], FarRates()
    limited = rule(thresholds=(Threshold("limit", "by_src", 2, 60),))
    verdicts, _ = collected([limited], shut=told.append)
    for n in range(4):
        for match in through(Match(limited, scene(ts=(1 + n) * 10**9, flow=n))):
            verdicts.take(match)
    assert told == [(1, 1, widen(scene().src), 10**9, 61 * 10**9)]
    message = msgspec.msgpack.Decoder(ToWorker).decode(encode(Shut(told[0])))
    far.close(message.closed)
    ends = widen(scene().src), widen(scene().dest), 7
    assert far.verdict(limited, 61 * 10**9, *ends) is None
    assert far.verdict(limited, 61 * 10**9 + 1, *ends) == "alert"
    assert far.verdict(limited, 10**9 - 1, *ends) == "alert"
    assert far.verdict(limited, 2 * 10**9, ends[1], ends[0], 7) == "alert"
    assert far.verdict(rule(2), 2 * 10**9, *ends) == "alert"
    far.clear()
    assert far.verdict(limited, 61 * 10**9, *ends) == "alert"


@pytest.mark.parametrize("kind", ["threshold", "detection_filter"])
def test_matches_that_still_count_are_asked_for(kind):
    told = []
    counted = rule(thresholds=(Threshold(kind, "by_src", 2, 60),))
    verdicts, _ = collected([counted], shut=told.append)
    for n in range(5):
        for match in through(Match(counted, scene(ts=10**9 + n))):
            verdicts.take(match)
    assert told == []


def test_matches_that_change_bits_of_hosts_are_asked_for():
    told = []
    limited = rule(thresholds=(Threshold("limit", "by_src", 1, 60),))
    verdicts, _ = collected([limited], deferred={(1, 1): Deferred((), silent=False, asked=Asked(()))}, shut=told.append)
    for match in through(*(Match(limited, scene(ts=10**9 + n)) for n in range(3))):
        verdicts.take(match)
    assert told == []


def test_matches_beyond_a_limit_that_have_packets_logged_are_asked_for():
    told = []
    limited = rule(thresholds=(Threshold("limit", "by_src", 1, 60),), tags=(Tag("session"),))
    verdicts, sink = collected([limited], shut=told.append)
    for match in through(*(Match(limited, scene(ts=10**9 + n, flow=n)) for n in range(1, 4))):
        verdicts.take(match)
    assert told == []
    verdicts.take(PacketRecord(scene(2 * 10**9), b"f", 1, ((1, 1, 10**9 + 3, 3),)))
    assert [event.kind for event in sink.events] == ["alert", "packet"]


def test_sets_that_rules_fill_outlive_a_reload():
    adds = InList("", "string", name="seen", action="set")
    deferred = {(1, 1): Deferred((), silent=False, asked=Asked((adds,)))}
    verdicts, sink = collected([rule()], deferred=deferred)
    for value in (b"a", b"a", b"b"):
        for match in through(Match(rule(), scene(), told=((value,),))):
            verdicts.take(match)
        verdicts.learn(make_plan([rule()], Groups()), deferred)
    assert len(sink.events) == 2
    assert sorted(verdicts.sets.of(adds).values()) == [b"a", b"b"]
    assert verdicts.sets.counters.dataset_values_added == 2


def test_flood_control_sees_the_alerts_of_all_workers():
    verdicts, sink = collected([rule()], burst=2)
    for _ in range(5):
        for match in through(Match(rule(), scene())):
            verdicts.take(match)
    assert len(sink.events) == 2
    assert verdicts.alerts == 5


def test_a_flow_alerted_if_its_alert_was_let_through():
    limited = rule(thresholds=(Threshold("limit", "by_src", 1, 60),))
    verdicts, sink = collected([limited], flows=10)
    for record in through(*(Match(limited, scene(flow=n)) for n in (1, 2)), end(1), end(2), end(1)):
        verdicts.take(record)
    assert [e.fields["flow"]["alerted"] for e in sink.events if e.kind == "flow"] == [True, False, False]


def test_flows_whose_end_never_comes_are_forgotten():
    verdicts, sink = collected([rule()], flows=2)
    for record in through(*(Match(rule(), scene(flow=n)) for n in (1, 2, 3)), *(end(n) for n in (1, 2, 3))):
        verdicts.take(record)
    assert [e.fields["flow"]["alerted"] for e in sink.events if e.kind == "flow"] == [False, True, True]


def test_rules_of_a_reload_are_learned_and_old_ones_still_known():
    verdicts, sink = collected([rule(1)])
    for match in through(Match(rule(2), scene())):
        verdicts.take(match)
    assert (verdicts.unknown, sink.events) == (1, [])
    verdicts.learn(make_plan([rule(2)], Groups()), {})
    for match in through(Match(rule(2), scene()), Match(rule(1), scene())):
        verdicts.take(match)
    assert [e.fields["alert"]["signature_id"] for e in sink.events] == [2, 1]


ENGINES = [{"id": 0, "rules_loaded": 9, "rules_failed": 1}]


def body(pkts, size):
    return {"uptime": 3, "decoder": {"pkts": pkts, "bytes": size, "max_pkt_size": size, "avg_pkt_size": 0,
                                     "event": {f"e{pkts}": 1}},
            "detect": {"alert": 5, "host_bits_dropped": 2, "dataset_values_added": 1,
                       "dataset_values_dropped": 0, "engines": ENGINES}}  # fmt: skip


def test_statistics_of_workers_are_summed_where_sums_make_sense():
    verdicts, _ = collected([])
    verdicts.alerts = 7
    found = total([body(2, 100), body(3, 200)], verdicts)
    assert found["decoder"] == {"pkts": 5, "bytes": 300, "max_pkt_size": 200, "avg_pkt_size": 60,
                                "event": {"e2": 1, "e3": 1}}  # fmt: skip
    assert found["detect"] == {
        "alert": 7, "host_bits_dropped": 4, "dataset_values_added": 2, "dataset_values_dropped": 0, "engines": ENGINES,
    }
    assert found["uptime"] == 3


def test_files_travel_with_their_bytes_in_messages_of_bounded_size():
    outbox, found = Outbox(lambda s: s.ts), []
    outbox.send = found.append
    files = [
        FileRecord(scene(ts=n), "http", "http", {}, n, b"x", 9, True, False, {"md5": "ab"}, content=bytes(700_000))
        for n in range(1, 6)
    ]
    for file in files:
        outbox(file)
    outbox.upto(9)
    assert len(found) == 3
    assert [one for message in found for one in DECODER.decode(message).records] == files
