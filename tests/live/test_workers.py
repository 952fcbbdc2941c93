"""Several workers on one mirror: the alerts of one, whoever of them dies, and nothing left of them in the end."""

import os
import signal
import socket
import time
from collections import Counter
from pathlib import Path

import pytest
from livekit import RULES, Sensor, scrape, unhappy, write_pcap
from loadgen import Load, conversations

from sensor.cli.ctl import ask
from sensor.cli.main import main
from sensor.engine.offline.forge import Conversation

pytestmark = pytest.mark.live

SAY = b"this is a live-needle for you"
MORE = """
  - {id: 11, title: many to one, protocol: udp, match: [{payload: {content: live-datagram}}],
     threshold: {type: threshold, track: by_dst, count: 3, seconds: 3600}}
  - {id: 12, title: seldom, protocol: http, flow: [established, to_server], match: [{http.uri: /live/evil}],
     threshold: {type: limit, track: by_src, count: 2, seconds: 3600}}
  - {id: 13, title: often, protocol: tcp, match: [{content: live-needle}],
     threshold: {type: detection_filter, track: by_rule, count: 20, seconds: 3600}}
  - {id: 14, title: new client, protocol: http, flow: [established, to_server],
     match: [{http.uri: /live/evil}, {ip.src: [{in_list: {name: clients, type: ip, action: set}}]}]}
  - {id: 15, title: known client, protocol: http, flow: [established, to_server],
     match: [{http.uri: /live/evil}, {ip.src: [{in_list: {name: clients, type: ip}}]}]}
"""


def commanded(folder):
    return ("--set", "unix-command.enabled=yes", "--set", f"unix-command.filename={folder}/command.socket")


def tell(folder, command, **arguments):
    return ask(f"{folder}/command.socket", command, arguments)


def workers(sensor):
    """Process ids of the workers."""

    def children(pid):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    (nurse,) = children(sensor.process.pid)
    return children(nurse)


def started(sensor, n, gone=0):
    """Wait until there are so many workers, and one is not among them; return their process ids."""
    sensor._until(lambda: len(found := workers(sensor)) == n and gone not in found, 20, f"{n} workers")
    return workers(sensor)


def talks(hosts=12):
    """Frames of conversations between many hosts, everything interleaved."""
    made = []
    for a in range(1, hosts + 1):
        for b in range(a + 1, hosts + 1):
            port = (80, 7000, 5353)[(a + b) % 3]
            talk = Conversation(bytes([10, 77, 0, a]), bytes([10, 77, 0, b]), 20_000 + a, port, 0)
            if (a + b) % 3 == 0:
                talk.tcp(0, b"GET /live/evil HTTP/1.1\r\nHost: a\r\n\r\n")
            elif (a + b) % 3 == 1:
                talk.tcp(0, b"this is a live-needle" + bytes([a, b]))
            else:
                talk.udp(0, b"a live-datagram" + bytes([a, b]))
            made.append([b"\x02" + frame[1:6] + b"\x02" + frame[7:] for _, frame in talk.frames])
    return [frames[i] for i in range(max(map(len, made))) for frames in made if i < len(frames)]


def essence(alerts):
    return Counter(
        (a["alert"]["signature_id"], a["src_ip"], a["dest_ip"], a.get("src_port"), a.get("dest_port"),
         a.get("payload"), a["flow"]["pkts_toserver"], a["flow"]["bytes_toserver"])
        for a in alerts
    )  # fmt: skip


@pytest.mark.parametrize("number", [1, 4])
def test_live_raises_what_replay_raises(lab, tmp_path, number):
    rules, frames = tmp_path / "rules.yaml", talks()
    rules.write_text(RULES.read_text() + MORE)
    capture = tmp_path / "talks.pcap"
    write_pcap(capture, [(1_700_000_000 * 10**9 + i * 10**6, frame) for i, frame in enumerate(frames)])
    folder = tmp_path / "offline"
    assert main(["replay", "-q", "-S", str(rules), "-l", str(folder), str(capture)]) == 0
    with Sensor(lab, tmp_path, "--workers", str(number), rules=rules) as sensor:
        with lab.raw("g1") as sock:
            for frame in frames:
                sock.send(frame)
        expected = sensor.events(eve=folder / "eve.json")
        sensor.wait_alerts(len(expected), 20)
        last = sensor.stop()
    assert {e["alert"]["signature_id"] for e in expected} >= {1, 2, 4, 11, 12, 13, 14, 15}
    # Which of many equal matches passes a limit depends on their order; how many do, does not.
    unlimited = [[e for e in events if e["alert"]["signature_id"] < 10] for events in (sensor.events(), expected)]
    assert essence(unlimited[0]) == essence(unlimited[1])
    assert Counter(sensor.sids()) == Counter(e["alert"]["signature_id"] for e in expected)
    assert [e["timestamp"] for e in sensor.events()] == sorted(e["timestamp"] for e in sensor.events())
    assert last["decoder"]["pkts"] == last["capture"]["kernel_packets"] == len(frames)
    assert unhappy(sensor.log) == []


def test_work_is_shared_and_figures_are_sums(lab, tmp_path):
    frames = talks()
    with Sensor(lab, tmp_path, "--workers", "3", "--metrics", "127.0.0.1:9191", *commanded(tmp_path)) as sensor:
        with lab.raw("g1") as sock:
            for frame in frames:
                sock.send(frame)
        sensor._until(lambda: tell(tmp_path, "dump-counters")["message"]["decoder"]["pkts"] == len(frames), 10, "all")
        packets = "xensor_decode_packets_total"
        sensor._until(lambda: scrape(lab.monitor, 9191).get(packets) == len(frames), 10, "metrics of all packets")
        found = scrape(lab.monitor, 9191)
        each = [found[f'xensor_worker_packets_total{{worker="{n}"}}'] for n in range(3)]
        assert sum(each) == len(frames) == found[packets]
        assert min(each) > 0
        assert found['xensor_capture_packets_total{interface="eth1"}'] == len(frames)
        assert found['xensor_alerts_total{severity="1"}'] == len(sensor.sids())
        assert (found["xensor_workers"], found["xensor_workers_running"]) == (3, 3)
        beats = [found[f'xensor_worker_heartbeat_time_seconds{{worker="{n}"}}'] for n in range(3)]
        assert time.time() - min(beats) < 5
        assert tell(tmp_path, "iface-stat", iface="eth1")["message"]["pkts"] == len(frames)
        assert tell(tmp_path, "running-mode")["message"] == "workers"
        flow = sensor.events()[0]
        found = tell(tmp_path, "get-flow-stats-by-id", flow_id=flow["flow_id"])["message"]
        assert found["pkts_toserver"] >= flow["flow"]["pkts_toserver"]
        assert tell(tmp_path, "get-flow-stats-by-id", flow_id=1)["return"] == "NOK"
        sensor.stop()


def test_workers_are_bound_to_the_cpus_that_are_named(lab, tmp_path):
    with Sensor(lab, tmp_path, "--workers", "2", "--set", "worker-cpus=[0]") as sensor:
        pids = started(sensor, 2)
        sensor._until(lambda: all(os.sched_getaffinity(pid) == {0} for pid in pids), 5, "both on CPU 0")
        sensor.stop()


def test_a_worker_that_is_killed_under_load_is_replaced(lab, tmp_path):
    with Sensor(lab, tmp_path, "--workers", "2", "--set", "flood.burst=0", *commanded(tmp_path)) as sensor:
        victim, other = started(sensor, 2)
        with Load(lab, conversations(30, 3), 3000) as load:
            sensor._until(lambda: len(sensor.sids()) > 50, 20, "alerts of the load")
            os.kill(victim, signal.SIGKILL)
            sensor.wait_log("another takes its place")
            pids = started(sensor, 2, gone=victim)
            before = len(sensor.sids())
            sensor._until(lambda: len(sensor.sids()) > before + 50, 20, "more alerts of the load")
        assert other in pids
        for _ in range(5):
            lab.say(SAY)
        sensor._until(lambda: sensor.sids()[-5:] == [1] * 5, 10, "the alerts after the load")
        last = sensor.stop()
    flows = [e["flow_id"] for e in sensor.events()]
    assert len(flows) == len(set(flows)), "nothing is raised twice"
    assert last["workers"]["died"] == 1
    assert last["capture"]["kernel_drops"] == 0
    # What the dead one had counted since it last told is missing in its counters, a second of the load at most.
    missing = last["capture"]["kernel_packets"] - last["decoder"]["pkts"] - last["capture"]["orphaned"]
    assert 0 <= missing < 3000
    # Lost are alerts of conversations that the dead one had half seen, and of the block that it had in hand.
    lost = 3 * (load.rounds - 1) + 5 - len(flows)
    assert lost <= 3 * 30


def test_a_worker_that_hangs_is_replaced_and_holds_up_no_other(lab, tmp_path):
    patience = "import sensor.engine.crew.members as m; m.HUNG_SECONDS = 4.0"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        env = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with Sensor(lab, tmp_path, "--workers", "2", before=patience, env=env) as sensor:
            assert manager.recv(4096).startswith(b"READY=1\n")
            pids = started(sensor, 2)
            lab.say(SAY)
            sensor.wait_alerts(1)
            os.kill(pids[0], signal.SIGSTOP)
            with lab.raw("g1") as sock:
                for frame in talks():
                    sock.send(frame)
            sensor._until(lambda: len(sensor.sids()) > 10, 3.5, "alerts of the other worker")
            assert "hangs" not in sensor.log
            sensor.wait_log("worker 0 hangs")
            sensor.wait_log("has been killed: another takes its place")
            started(sensor, 2, gone=pids[0])
            # What waited in its ring is judged by the one that came after it.
            sensor.wait_alerts(1 + 66, 10)
            last = sensor.stop()
            assert last["workers"]["hung"] == 1
            assert last["decoder"]["pkts"] + last["capture"]["orphaned"] <= last["capture"]["kernel_packets"]


def test_workers_are_replaced_without_any_privilege(lab, public):
    with Sensor(lab, public, "--workers", "2", "--user", "nobody") as sensor:
        pids = started(sensor, 2)
        for pid in pids:
            status = Path(f"/proc/{pid}/status").read_text()
            assert "Uid:\t0" not in status
            assert "CapPrm:\t0000000000000000" in status
            os.kill(pid, signal.SIGKILL)
        sensor._until(lambda: set(found := workers(sensor)).isdisjoint(pids) and len(found) == 2, 20, "others")
        _all_pairs(lab, b"a live-datagram")
        sensor.wait_alerts(32, 10)
        last = sensor.stop()
    assert last["workers"]["died"] == 2


def test_nothing_is_left_of_a_sensor_that_is_killed(lab, tmp_path):
    with Sensor(lab, tmp_path, "--workers", "3") as sensor:
        pids = started(sensor, 3)
        lab.say(SAY)
        sensor.wait_alerts(1)
        sensor.process.kill()
        sensor.process.wait()
        end = time.monotonic() + 10
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            assert time.monotonic() < end, "workers outlive the sensor"
            time.sleep(0.02)


def test_sigterm_drains_all_rings(lab, tmp_path):
    frames = talks()
    with Sensor(lab, tmp_path, "--workers", "4") as sensor:
        with lab.raw("g1") as sock:
            for frame in frames:
                sock.send(frame)
        last = sensor.stop()
    assert len(sensor.sids()) == 66
    assert last["decoder"]["pkts"] == last["capture"]["kernel_packets"] == len(frames)
    assert "66 alerts" in sensor.log


def test_signals_that_everybody_gets_end_only_what_they_should(lab, tmp_path):
    """A service manager sends SIGTERM to every process of a unit, a terminal SIGINT to every process of a group."""
    with Sensor(lab, tmp_path, "--workers", "2") as sensor:
        pids = started(sensor, 2)
        lab.say(SAY)
        sensor.wait_alerts(1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2):
            for pid in pids:
                os.kill(pid, number)
        lab.say(SAY)
        sensor.wait_alerts(2)
        assert workers(sensor) == pids
        last = sensor.stop()
    assert last["workers"]["died"] == 0


def test_rules_are_reloaded_in_all_workers_and_known_to_those_that_come_later(lab, tmp_path):
    rules, good = tmp_path / "rules.yaml", RULES.read_text()
    rules.write_text(good)
    # Rules are planned where they are loaded; a worker that did it again could not.
    once = "import sensor.engine.rulesets.rulebook as book; book.make_plan = None"
    with Sensor(lab, tmp_path, "--workers", "2", "--set", "flood.burst=0", *commanded(tmp_path), rules=rules,
                before=once) as sensor:  # fmt: skip
        pids = started(sensor, 2)
        rules.write_text(good + "  - {id: 8, title: broken, protocol: tcp, match: [{content: }]}")
        assert tell(tmp_path, "reload-rules")["return"] == "NOK"
        with Load(lab, conversations(30, 0), 2000):
            rules.write_text(good.replace("live-datagram", "a-new-datagram"))
            assert tell(tmp_path, "reload-rules") == {"message": "done", "return": "OK"}
            _all_pairs(lab, b"this is a-new-datagram")
            sensor.wait_alerts(32, 10)
            os.kill(pids[1], signal.SIGKILL)
            sensor.wait_log("another takes its place")
            started(sensor, 2, gone=pids[1])
            _all_pairs(lab, b"this is a-new-datagram, too")
            sensor.wait_alerts(64, 10)
        last = sensor.stop()
    assert sensor.sids() == [4] * 64
    assert last["capture"]["kernel_drops"] == 0
    assert last["workers"]["unknown_rules"] == 0


def test_a_burst_of_alerts_is_taken_whole(lab, tmp_path):
    """All of it between two hosts, so one worker's: it must not wait for the process that writes."""
    talks = [Conversation(bytes([10, 99, 9, 1]), bytes([10, 99, 9, 2]), n + 1, 5353, 0) for n in range(8000)]
    for talk in talks:
        talk.udp(0, b"a live-datagram")
    with Sensor(lab, tmp_path, "--workers", "2", "--set", "flood.burst=0") as sensor:
        started(sensor, 2)
        with lab.raw("g1") as sock:
            for talk in talks:
                ((_, frame),) = talk.frames
                sock.send(b"\x02" + frame[1:6] + b"\x02" + frame[7:])
        last = sensor.stop()
    assert last["capture"]["kernel_drops"] == 0
    assert len(sensor.sids()) == last["detect"]["alert"] == len(talks)


def _all_pairs(lab, text):
    with lab.raw("g1") as sock:
        for n in range(32):
            talk = Conversation(bytes([10, 78, 0, 1]), bytes([10, 78, 1, n]), 9000 + len(text), 5353, 0)
            talk.udp(0, text)
            ((_, frame),) = talk.frames
            sock.send(b"\x02" + frame[1:6] + b"\x02" + frame[7:])


def test_an_interface_that_comes_back_is_back_for_all(own, tmp_path):
    with Sensor(own, tmp_path, "--workers", "3", *commanded(tmp_path)) as sensor:
        started(sensor, 3)

        def returns():
            return tell(tmp_path, "dump-counters")["message"]["capture"]["interface_returns"]

        own.unplug()
        sensor.wait_log("eth1: disappeared")
        own.plug_monitor()
        sensor.wait_log("eth1: is back")
        sensor._until(lambda: returns() == 3, 5, "all workers to see it")  # each looks for it once a second
        _all_pairs(own, b"a live-datagram")
        sensor.wait_alerts(32, 10)
        last = sensor.stop()
    assert last["capture"]["interface_returns"] == 3


def test_the_packets_behind_alerts_are_kept_whoever_saw_them(lab, tmp_path):
    with Sensor(lab, tmp_path, "--workers", "3", "--set", "outputs.pcap-log.enabled=yes") as sensor:
        with lab.raw("g1") as sock:
            for frame in talks():
                sock.send(frame)
        sensor.wait_alerts(66, 10)
        sensor.stop()
    (name,) = {e["capture_file"] for e in sensor.events()}
    folder = tmp_path / "again"
    assert main(["replay", "-q", "-S", str(RULES), "-l", str(folder), str(tmp_path / name)]) == 0
    assert Counter(sensor.sids(eve=folder / "eve.json")) == Counter(sensor.sids())
