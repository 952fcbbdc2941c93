"""`xensor dissect`: arguments, what it finds of alerts, what it prints; and a stand-in for tshark that misbehaves."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from clikit import START, dns, http, pcap

ROOT = Path(__file__).resolve().parents[3]
needs_tshark = pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a program in the place of tshark."""

    def place(script):
        folder = tmp_path / "bin"
        folder.mkdir()
        text = f'#!/bin/sh\nif [ "$1" = -v ]; then echo "TShark (Wireshark) 4.0.17."; exit; fi\n{script}\n'
        (folder / "tshark").write_text(text)
        (folder / "tshark").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
        return folder

    return place


def objects(ran):
    assert (ran.status, ran.err) == (0, "")
    return [json.loads(line) for line in ran.out.splitlines()]


def fields(packet):
    return {f["name"]: f["value"] for layer in packet["layers"] for f in layer.get("fields", ())}


def eve(box, *events):
    path = box.folder / "eve.json"
    base = {"event_type": "alert", "alert": {"gid": 1, "signature_id": 7, "signature": "a word"}}
    path.write_text("".join(json.dumps(base | event) + "\n" for event in events))
    return path


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "which packets: -p"),
        (("x.pcap",), "which packets: -p"),
        (("x.pcap", "-p", "1", "-a", "eve.json"), "which packets: -p"),
        (("-p", "1"), "no capture is named"),
        (("x.pcap", "-p", "1,x"), "-p '1,x': numbers of packets"),
        (("x.pcap", "-p", "0"), "-p '0': numbers"),
        (("x.pcap", "-p", ""), "-p '': numbers"),
        (("x.pcap", "-p", "99999999999"), "numbers of packets"),
        (("x.pcap", "-p", ",".join(map(str, range(1, 1002)))), "at most 1000 packets"),
        (("x.pcap", "-p", "1", "--sid", "7"), "they go with -a"),
        (("x.pcap", "-p", "1", "--seconds", "0"), "--seconds: must be more than 0"),
        (("x.pcap", "-p", "1", "--seconds", "nan"), "--seconds: must be more than 0"),
        (("-a", "eve.json", "--first", "0"), "--first: must be 1 or more"),
        (("-a", "none.json"), "none.json: No such file"),
    ],
)
def test_wrong_arguments(box, stand_in, words, text):
    stand_in("exit 1")
    ran = box.xensor("dissect", *words)
    assert (ran.status, text in ran.err) == (2, True), ran.err


def test_without_tshark(box, monkeypatch):
    monkeypatch.setenv("PATH", str(box.folder))
    ran = box.xensor("dissect", box.capture, "-p", "1")
    assert (ran.status, "apt-get install tshark" in ran.err) == (2, True)


def test_without_pyshark(box, stand_in, monkeypatch):
    stand_in("exit 1")
    monkeypatch.setitem(sys.modules, "pyshark", None)
    ran = box.xensor("dissect", box.capture, "-p", "1")
    assert (ran.status, "pip install 'xensor[analyst]'" in ran.err) == (2, True)


@pytest.mark.parametrize("name", ["none.pcap", "rules.yaml", "."])
def test_what_is_no_capture(box, stand_in, name):
    stand_in("exit 1")
    assert box.xensor("dissect", box.folder / name, "-p", "1").status == 5


def test_standard_input_is_refused(box, stand_in):
    stand_in("exit 1")
    ran = box.xensor("dissect", "-", "-p", "1")
    assert (ran.status, ran.err) == (5, "xensor: -: is not a file\n")


def test_a_tshark_that_hangs_is_ended(box, stand_in):
    folder = stand_in('echo $$ > "$0.pid"; exec sleep 60')
    ran = box.xensor("dissect", box.capture, "-p", "1", "--seconds", "0.5")
    assert (ran.status, "tshark took more than 0.5 s, and was ended" in ran.err) == (1, True), ran.err
    assert not Path("/proc", (folder / "tshark.pid").read_text().strip()).exists()


@pytest.mark.parametrize("said", ["tshark: it is full of eels", "it is full of eels"])
def test_a_tshark_that_fails_has_its_say(box, stand_in, said):
    stand_in(f"sleep 0.1; echo '{said}' >&2; exit 2")
    ran = box.xensor("dissect", box.capture, "-p", "1")
    assert (ran.status, ran.err) == (1, f"xensor: {box.capture}: tshark: it is full of eels\n")


def test_how_tshark_is_run(box, stand_in, monkeypatch):
    """No names are resolved, nothing behind the last packet is read, and the home is an empty one."""
    folder = stand_in('echo "$@" > "$0.words"; env > "$0.env"; ls -A "$HOME" "$WIRESHARK_CONFIG_DIR" > "$0.ls"')
    monkeypatch.setenv("WIRESHARK_PLUGIN_DIR", "/mine")
    before = dict(os.environ)
    assert box.xensor("dissect", box.capture, "-p", "5,2").status == 5
    words = (folder / "tshark.words").read_text().split()
    assert {"-n", "-c"} < set(words)
    assert words[words.index("-Y") + 1 : words.index("-Y") + 4] == ["frame.number==2", "||", "frame.number==5"]
    assert words[words.index("-c") + 1] == "5"
    seen = dict(line.split("=", 1) for line in (folder / "tshark.env").read_text().splitlines() if "=" in line)
    assert seen["HOME"] == seen["WIRESHARK_CONFIG_DIR"] != before.get("HOME")
    assert "WIRESHARK_PLUGIN_DIR" not in seen
    assert len((folder / "tshark.ls").read_text().split()) == 2  # the two headings of ls
    assert dict(os.environ) == before
    assert not Path(seen["HOME"]).exists()


@needs_tshark
def test_packets_by_number(box):
    ran = box.xensor("dissect", box.capture, "-p", "4,1")
    assert ran.status == 0, ran.err
    first, second = ran.out.strip().split("\n\n")
    assert first.startswith(f"packet 1 of {box.capture}, ")
    assert "  ip  10.0.0.1 → 10.0.0.2, proto: TCP (6)" in first
    assert "    tcp.dstport: 80" in first
    assert "  tcp  40000 → 80, flags: 0x018 (PSH, ACK)" in second
    assert "    http.request.uri: /page" in second
    assert "tcp.dstport" not in second
    assert "    ip.ttl: " in box.xensor("dissect", box.capture, "-p", "4", "-v").out


@needs_tshark
@pytest.mark.slow
def test_a_number_that_is_not_there(box):
    ran = box.xensor("dissect", box.capture, "-p", "1,500")
    assert (ran.status, ran.out[:8]) == (5, "packet 1")
    assert ran.err == f"xensor: {box.capture}: tshark shows no packet 500\n"
    ran = box.xensor("dissect", box.capture, "-p", ",".join(map(str, range(1, 31))))
    assert ran.err.endswith("18 and 12 more\n")


@needs_tshark
@pytest.mark.slow
def test_a_damaged_capture_is_read_up_to_the_damage(box):
    cut = box.folder / "cut.pcap"
    cut.write_bytes(Path(box.capture).read_bytes()[:-3])
    assert [p["packet"] for p in objects(box.xensor("dissect", cut, "-p", "1,7", "--json"))] == [1, 7]
    ran = box.xensor("dissect", cut, "-p", "1,8")
    assert (ran.status, "cut short" in ran.err, ran.out[:8]) == (1, True, "packet 1")


@needs_tshark
@pytest.mark.slow
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_packed_captures(box, pack):
    packed = box.folder / "packed.pcap"
    packed.write_bytes(pack(Path(box.capture).read_bytes()))
    (packet,) = objects(box.xensor("dissect", packed, "-p", "4", "--json"))
    assert fields(packet)["http.request.uri"] == "/page"


@needs_tshark
@pytest.mark.slow
def test_what_a_guest_sends_moves_no_cursor(box):
    capture = pcap(box.folder / "odd.pcap", http(uri="/\x1b[2J\x9b5m\x7f", body=b""))
    for words in ((), ("--json",), ("-v",)):
        ran = box.xensor("dissect", capture, "-p", "4", *words)
        assert ran.status == 0
        assert ran.out.replace("\n", "").isprintable()


@needs_tshark
@pytest.mark.slow
def test_personal_scripts_stay_out(box, monkeypatch):
    plugins = box.folder / "home/.local/lib/wireshark/plugins"
    plugins.mkdir(parents=True)
    mark = box.folder / "ran"
    (plugins / "x.lua").write_text(f'io.open("{mark}", "w"):close()')
    monkeypatch.setenv("HOME", str(box.folder / "home"))
    subprocess.run(["tshark", "-n", "-r", box.capture, "-c", "1"], check=True, capture_output=True)
    if not mark.exists():
        pytest.skip("this tshark runs no scripts")
    mark.unlink()
    assert box.xensor("dissect", box.capture, "-p", "1").status == 0
    assert not mark.exists()


@needs_tshark
@pytest.mark.slow
def test_alerts_of_a_running_sensor(box):
    """They have no number: time and addresses find the packet, in the file that they name beside the events."""
    frames = [*dns(start=START), *http(start=START), *http(client="10.0.0.9", start=START)]
    pcap(box.folder / "evidence-1.pcap", frames)
    stamp = "2023-11-14T22:13:20."
    ends = {"src_ip": "10.0.0.9", "dest_ip": "10.0.0.2", "src_port": 40000, "dest_port": 80, "in_iface": "eth1"}
    nine = [i for i, (ns, frame) in enumerate(frames, 1) if bytes([10, 0, 0, 9]) in frame]
    micros = frames[nine[3] - 1][0] // 1000 % 10**6
    event = ends | {"timestamp": f"{stamp}{micros:06}+0000", "capture_file": "evidence-1.pcap"}
    path = eve(box, event, event | {"timestamp": f"{stamp}999999+0000"}, event | {"capture_file": "gone.pcap"})
    ran = box.xensor("dissect", "-a", path, "--json")
    assert ran.status == 0
    (packet,) = [json.loads(line) for line in ran.out.splitlines()]
    assert (packet["packet"], fields(packet)["http.request.uri"]) == (nine[3], "/page")
    assert packet["alerts"][0]["src_ip"] == "10.0.0.9"
    assert "no packet there is of the alert: 2023-11-14T22:13:20.999999+0000  [1:7]  a word" in ran.err
    assert "1 alert without packets: " in ran.err
    moved = box.folder / "moved"
    moved.mkdir()
    shutil.move(box.folder / "evidence-1.pcap", moved)
    assert box.xensor("dissect", "-a", path).status == 5
    assert box.xensor("dissect", "-a", path, moved).out.startswith("2023-11-14T")
    assert box.xensor("dissect", "-a", path, moved / "evidence-1.pcap").status == 0


@needs_tshark
@pytest.mark.slow
def test_several_captures(box):
    """Events name them; two alerts on one packet show it once."""
    other = pcap(box.folder / "two.pcap", dns())
    event = {"pcap_cnt": 4, "pcap_filename": box.capture, "src_ip": "fe80::1", "src_port": 7}
    path = eve(box, event, event | {"src_port": 8}, {"pcap_cnt": 1, "pcap_filename": other})
    one, two = objects(box.xensor("dissect", "-a", path, "--json"))
    assert (one["capture"], one["packet"], [a["src_port"] for a in one["alerts"]]) == (box.capture, 4, [7, 8])
    assert (two["capture"], fields(two)["dns.qry.name"]) == (other, "example")
    assert "  a word  [fe80::1]:7 → -\n" in box.xensor("dissect", "-a", path, "--first", "1").out
    assert len(objects(box.xensor("dissect", "-a", path, "--json", "--first", "2"))) == 1


@needs_tshark
@pytest.mark.slow
def test_alerts_that_are_not_there(box):
    ran = box.xensor("dissect", "-a", eve(box, {"pcap_cnt": 4}))
    assert (ran.status, "names no capture: name it as CAPTURE" in ran.err) == (2, True)
    ran = box.xensor("dissect", "-a", eve(box, {"pcap_cnt": 4}), "--sid", "8")
    assert (ran.status, ran.out, "no such alert" in ran.err) == (0, "", True)
    ran = box.xensor("dissect", "-a", eve(box, {"pcap_cnt": 400}), box.capture)
    assert (ran.status, "tshark shows no packet 400" in ran.err) == (5, True)


@needs_tshark
@pytest.mark.slow
def test_the_shipped_demo(box):
    """Replay and dissect: each alert has its packet, with its ends."""
    demo = ROOT / "pcaps/demo.pcap"
    assert box.replay("-q", "-l", box.logs, demo, rules=ROOT / "rules/exploit").status == 0
    events = [json.loads(line) for line in (box.logs / "eve.json").read_text().splitlines()]
    packets = objects(box.xensor("dissect", "-a", box.logs / "eve.json", demo, "--json", "-v"))
    assert events
    assert sum(len(packet["alerts"]) for packet in packets) == len(events)
    names = set()
    for packet in packets:
        shown = fields(packet)
        names.update(layer["name"] for layer in packet["layers"])
        for alert in packet["alerts"]:
            assert (shown["ip.src"], shown["ip.dst"]) == (alert["src_ip"], alert["dest_ip"])
            assert int(shown["tcp.srcport"]) == alert["src_port"]
    assert {"eth", "ip", "tcp", "http"} <= names
