"""`xensor replay --workers N`: the same events as with one, whatever the captures."""

import json
import os
import signal
import struct
import time
from pathlib import Path

import pytest
from clikit import START, arp, dns, http, pcap
from commandkit import Command, command

ROOT = Path(__file__).resolve().parents[3]
EVERY = "[alert,packet,anomaly,flow,http,dns,tls,ssh,dhcp,smb,ftp,ftp_data,smtp,snmp,arp,ntp,fileinfo,stats]"
RULES = """
- {id: 1, title: scan, severity: low, protocol: http, flow: to_server, match: [{http.uri: /page}],
   threshold: {type: threshold, track: by_src, count: 5, seconds: 60}}
- {id: 2, title: many, severity: low, protocol: tcp, match: [{content: xyzzy}],
   threshold: {type: limit, track: by_rule, count: 3, seconds: 60}, tag: {of: session, count: 4}}
- {id: 3, title: name, severity: low, protocol: dns, match: [{dns.query: example}]}
"""


def replay(folder, workers, captures, rules=None, *more):
    """Replay in a process of its own; return its events."""
    logs = folder / f"logs-{workers}"
    done = command("replay", "-S", rules or ROOT / "rules", "-l", logs, "-q", "--workers", workers,
                   "--set", f"outputs.eve-log.types={EVERY}", *more, *captures)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [json.loads(text) for text in (logs / "eve.json").read_text().splitlines()]


def split(events):
    """Return what packets raised, what time raised (in any order), and the statistics."""
    timed = [e for e in events if not e.get("pcap_cnt") and e["event_type"] != "stats"]
    stats = [e for e in events if e["event_type"] == "stats"]
    rest = [e for e in events if e.get("pcap_cnt")]
    return rest, sorted(map(json.dumps, timed)), stats


def equal(one, several):
    for event in (*one, *several):
        if not event.get("pcap_cnt"):
            event.pop("pcap_filename", None)  # the one that was read when a flow's time was over
    for left, right in zip(split(one), split(several), strict=True):
        assert left == right


def same_events(folder, name, workers):
    capture = ROOT / "pcaps" / f"{name}.pcap"
    one = replay(folder, 1, [capture])
    for count in workers:
        equal(one, replay(folder, count, [capture]))


@pytest.mark.parametrize("name", ["demo", "fragments"])
def test_captures_give_the_same_events_in_the_same_order(tmp_path, name):
    same_events(tmp_path, name, (2, 5))


OTHERS = sorted({path.stem for path in (ROOT / "pcaps").glob("*.pcap")} - {"demo", "fragments"})


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_every_shipped_capture_gives_the_same_events_in_the_same_order(tmp_path, name):
    same_events(tmp_path, name, (2, 5))


def test_thresholds_see_the_traffic_of_all_workers(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    frames = [f for n in range(2, 40) for f in http(server=f"10.0.0.{n}", port=40000 + n, start=START + n * 10**8)]
    first = pcap(tmp_path / "a.pcap", sorted([*frames, *dns(), *arp()]))
    second = pcap(tmp_path / "b.pcap", dns(start=START + 50 * 10**9))
    one, four = (replay(tmp_path, n, [first, second], rules=rules) for n in (1, 4))
    alerts = [e["alert"]["signature_id"] for e in one if e["event_type"] == "alert"]
    assert (alerts.count(1), alerts.count(2), alerts.count(3)) == (7, 3, 2)
    assert any(e["event_type"] == "packet" for e in one)
    equal(one, four)


def test_bits_of_hosts_are_seen_by_all_workers(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("""
- {id: 1, title: marks, severity: low, protocol: http, flow: to_server, no-alert: true,
   match: [{http.uri: /page}, {hostbit: {action: set, name: bad, track: by_src, seconds: 60}}]}
- {id: 2, title: asks, severity: low, protocol: dns,
   match: [{dns.query: example}, {hostbit: {action: isset, name: bad, track: by_src}}]}
""")
    frames = [*dns(), *http(server="10.0.0.77", start=START + 10**9), *dns(port=5354, start=START + 2 * 10**9)]
    capture = pcap(tmp_path / "a.pcap", sorted([*frames, *dns(port=5355, start=START + 90 * 10**9)]))
    one, four = (replay(tmp_path, n, [capture], rules=rules) for n in (1, 4))
    assert [e["src_port"] for e in one if e["event_type"] == "alert"] == [5354]
    equal(one, four)


def test_sets_that_rules_fill_are_seen_by_all_workers(tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text("""
- {id: 1, title: new name, severity: low, protocol: dns,
   match: [{dns.query: [{in_list: {name: seen, type: string, action: set, state: seen.lst}}]}]}
- {id: 2, title: known name, severity: low, protocol: dns,
   match: [{dns.query: [{in_list: {name: seen, type: string, state: seen.lst}}]}]}
- {id: 3, title: new client, severity: low, protocol: http, flow: to_server,
   match: [{http.uri: /page}, {ip.src: [{in_list: {name: clients, type: ip, action: set}}]}]}
""")
    frames = [f for n in range(2, 9) for f in http(server=f"10.0.0.{n}", port=4000 + n, start=START + n * 10**8)]
    frames += [f for n in range(5) for f in dns(port=5000 + n, start=START + n * 10**9)]
    capture = pcap(tmp_path / "a.pcap", sorted(frames))
    again = []
    for workers in (1, 4):
        folder = tmp_path / f"sets-{workers}"
        more = ("--set", f"datasets.directory={folder}")
        again.append([replay(tmp_path / name, workers, [capture], rules, *more) for name in ("first", "second")])
        assert (folder / "seen.lst").read_text().split()
    (one, one_more), (four, four_more) = again
    alerts = [[e["alert"]["signature_id"] for e in events if e["event_type"] == "alert"] for events in (one, one_more)]
    assert alerts[0].count(1) == 1
    assert alerts[1].count(1) == 0
    assert alerts[0].count(2) > 1
    assert alerts[0].count(3) == 1
    equal(one, four)
    equal(one_more, four_more)


def test_damage_is_told_once(tmp_path, box):
    bad = tmp_path / "bad.pcap"
    bad.write_bytes(Path(box.capture).read_bytes()[:-10])
    done = command("replay", "-S", box.rules, "--workers", "3", bad)
    assert done.returncode == 5
    assert done.stderr.count("bad.pcap") == 1
    assert "7 packets, " in done.stderr


def test_input_that_only_one_can_read_is_refused(box):
    for words in (("-",), ("--follow", box.capture)):
        ran = box.replay("--workers", "2", *words)
        assert ran.status == 2
        assert "--workers 1" in ran.err
    ran = box.replay("--workers", "65", box.capture)
    assert (ran.status, "must be 1-64" in ran.err) == (2, True)


def long_capture(folder):
    """So many connections that workers are at it for seconds."""
    path = folder / "long.pcap"
    records = b"".join(
        struct.pack("<4I", ns // 10**9, ns % 10**9 // 1000, len(f), len(f)) + f
        for n in range(2, 250)
        for ns, f in http(server=f"10.0.0.{n}", port=1000 + n)
    )
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
    with path.open("wb") as out:
        out.write(head)
        for _ in range(400):
            out.write(records)
    return path


def children(pid):
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def begun(process):
    """Wait until the workers are there; return their ids."""
    end = time.monotonic() + 60
    while len(found := children(process.pid)) < 2:
        assert time.monotonic() < end
        assert process.alive()
        time.sleep(0.01)
    return found


@pytest.fixture
def running(tmp_path, box):
    process = Command("replay", "-S", box.rules, "-l", tmp_path / "logs", "--workers", "2", "--set", "flood.burst=0",
                      long_capture(tmp_path))  # fmt: skip
    yield process
    if process.alive():
        os.kill(process.pid, signal.SIGKILL)
        process.end()


def test_a_worker_that_dies_is_an_error(running):
    victim, other = begun(running)
    os.kill(victim, signal.SIGKILL)
    done = running.end()
    assert done.returncode == 1
    assert "has died" in done.stderr
    assert not Path(f"/proc/{other}").exists()


def test_sigterm_stops_all_workers_in_order(running, tmp_path):
    found = begun(running)
    alerts, end = tmp_path / "logs" / "eve.json", time.monotonic() + 60
    while not alerts.exists() or not alerts.stat().st_size:
        assert time.monotonic() < end
        assert running.alive()
        time.sleep(0.01)
    os.kill(running.pid, signal.SIGTERM)
    done = running.end()
    assert done.returncode == 128 + signal.SIGTERM
    assert "stopped by SIGTERM" in done.stderr
    assert "alerts of" in done.stderr
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)
