"""`xensor replay`: what goes in, what comes out."""

import gc
import io
import json
import os
import re

import pytest
from clikit import START, dns, http, pcap

from sensor.cli import replay
from sensor.engine.offline.replay import Replay
from sensor.outputs import lines

FOUND = "title: y, severity: low, protocol: tcp, match: [{content: xyzzy}]"


def test_alerts_are_lines_of_fast_log(box):
    ran = box.replay()
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert len(lines) == 2
    assert re.fullmatch(
        r"11/14/2023-22:13:20\.003000  \[\*\*\] \[1:1:1\] Word found \[\*\*\] \[Classification: \(null\)\] "
        r"\[Priority: 1\] \{TCP\} 10\.0\.0\.1:40000 -> 10\.0\.0\.2:80",
        lines[0],
    )


def test_started_comes_before_the_summary(box):
    ran = box.replay()
    lines = ran.err.splitlines()
    assert lines[0] == "engine started: 2 rules"
    assert lines[2].startswith("8 packets, ")
    assert "2 alerts of 2 rules" in lines
    assert lines[-1] == "everything was inspected"


def test_started_is_said_before_the_first_packet_is_read(box, monkeypatch):
    run = Replay.run

    def look(self, source, progress=None):
        seen.append(box.capsys.readouterr().err)
        assert source.counters.packets == 0
        return run(self, source, progress)

    seen = []
    monkeypatch.setattr(Replay, "run", look)
    box.replay()
    assert "engine started" in seen[0]


def test_rules_of_the_summary_are_worst_first(box):
    frames = http(body=b"") + http(body=b"", port=40001, start=START + 10**9)
    frames += http(port=40002, start=START + 2 * 10**9)
    ran = box.replay(pcap(box.folder / "three.pcap", frames))
    shown = [line.split() for line in ran.err.splitlines() if line.startswith("   ")]
    assert shown[:2] == [["1", "HIGH", "1", "Word", "found"], ["3", "LOW", "2", "Page", "asked", "for"]]


def test_log_folder_is_made_and_appended_to(box):
    folder = box.folder / "new" / "logs"
    for _ in range(2):
        assert box.replay("-l", folder, box.capture).out == ""
    assert len((folder / "eve.json").read_text().splitlines()) == 4
    assert not (folder / "fast.log").exists()


def test_fast_log(box):
    shown = box.replay().out
    assert box.replay("-l", box.logs, "--fast", box.capture).status == 0
    assert (box.logs / "fast.log").read_text() == shown


def test_fast_log_by_configuration(box):
    assert box.replay("-l", box.logs, "--set", "outputs.fast.enabled=yes", box.capture).status == 0
    assert (box.logs / "fast.log").exists()


def test_fast_needs_a_folder(box):
    ran = box.replay("--fast", box.capture)
    assert ran.status == 2
    assert "-l" in ran.err


def test_same_input_gives_the_same_bytes(box):
    frames = sorted(http() + dns() + http(port=40001, uri="/other"))
    capture = pcap(box.folder / "mixed.pcap", frames)
    texts = []
    for name in ("a", "b"):
        types = "outputs.eve-log.types=alert,flow,dns,http,anomaly,arp,stats"
        assert box.replay("-l", box.folder / name, "--set", types, capture).status == 0
        texts.append((box.folder / name / "eve.json").read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].count(b"\n") > 5


def test_no_triage_gives_the_same_events(box):
    capture = pcap(box.folder / "mixed.pcap", sorted(http() + dns()))
    assert box.events(capture, types="alert,flow") == box.events("--no-triage", capture, types="alert,flow")


def test_eve_on_standard_output(box):
    ran = box.replay("--eve-stdout", box.capture)
    assert [json.loads(line)["alert"]["signature_id"] for line in ran.out.splitlines()] == [1, 2]


def test_quiet(box):
    ran = box.replay("-q", box.capture)
    assert ran.out == ""
    assert ran.err == "engine started: 2 rules\n"


def test_several_ways_to_name_captures(box):
    other = pcap(box.folder / "two.pcap", http(port=40001))
    for words in ((box.capture, other), ("-r", box.capture, "-r", other), (box.capture, "-k", "none", other)):
        ran = box.replay(*words)
        assert "16 packets of 2 captures" in ran.err, words


def test_events_name_their_capture_when_there_are_several(box):
    other = pcap(box.folder / "two.pcap", http(port=40001))
    assert {e["pcap_filename"] for e in box.events(box.capture, other)} == {box.capture, other}
    assert not any("pcap_filename" in e for e in box.events(box.capture))
    assert all("pcap_filename" in e for e in box.events("--set", "outputs.eve-log.pcap-file=yes", box.capture))


def test_folder_in_order_of_time(box):
    folder = box.folder / "captures"
    (folder / "deep").mkdir(parents=True)
    pcap(folder / "a.pcap", http(port=40001, start=START + 9 * 10**9))
    pcap(folder / "b.pcap", http(port=40002, start=START))
    pcap(folder / "deep" / "c.pcap", http(port=40003))
    assert [e["src_port"] for e in box.events(folder)] == [40002, 40002, 40001, 40001]
    assert "24 packets of 3 captures" in box.replay("--recursive", folder).err


def test_standard_input(box, monkeypatch, tmp_path):
    kept = os.dup(0)
    with (tmp_path / "one.pcap").open("rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        ran = box.replay("-")
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert ran.status == 0
    assert "8 packets, " in ran.err


def test_capture_filter_behind_dashes(box):
    ran = box.replay(box.capture, "--", "src", "port", "80")
    assert ran.status == 0
    assert ran.out == ""
    assert "the capture filter left out 5 packets" in ran.err


def test_capture_filter_of_a_file(box):
    (box.folder / "filter").write_text("# only answers\nsrc port\n80\n")
    ran = box.replay("-F", box.folder / "filter", box.capture)
    assert "3 packets, " in ran.err


@pytest.mark.parametrize(
    ("content", "words", "text"),
    [(b"tcp", ("--", "udp"), "both"), (b"\xff\xfe\xff", (), "not a text file"), (None, (), "No such file")],
)
def test_bad_filter_files(box, content, words, text):
    if content is not None:
        (box.folder / "filter").write_bytes(content)
    ran = box.replay("-F", box.folder / "filter", box.capture, *words)
    assert ran.status == 2
    assert text in ran.err


def test_damage_costs_only_what_is_behind_it(box):
    data = (box.folder / "one.pcap").read_bytes()
    (box.folder / "cut.pcap").write_bytes(data[:-30])
    good = pcap(box.folder / "two.pcap", http(port=40001, start=START + 10**9))
    ran = box.replay(box.folder / "cut.pcap", good)
    assert ran.status == 5
    assert len(ran.out.splitlines()) == 4
    message = [line for line in ran.err.splitlines() if "damaged at byte" in line]
    assert len(message) == 1
    assert f"{box.folder / 'cut.pcap'}: damaged at byte {len(data) - 70}" in message[0]
    assert "15 packets of 2 captures" in ran.err
    assert "captures damaged" in ran.err


def test_unreadable_among_good_ones(box):
    (box.folder / "text.pcap").write_text("this is no capture")
    ran = box.replay(box.folder / "text.pcap", box.capture)
    assert ran.status == 5
    assert "text.pcap: is not a capture file" in ran.err
    assert len(ran.out.splitlines()) == 2


def test_packets_that_cannot_be_decoded_are_counted(box):
    frames = [(START, b"\0" * 12 + b"\x88\xcc" + b"\0" * 46)] * 3
    ran = box.replay(pcap(box.folder / "lldp.pcap", frames))
    assert "not (wholly) inspected" in ran.err
    assert re.search(r"3  packets of a protocol that is not decoded", ran.err)
    assert re.search(r"3  decoder\.ethernet\.unknown_ethertype", ran.err)


def test_checksums(box):
    frames = http()
    frames = [(ns, f[:50] + bytes([f[50] ^ 1]) + f[51:]) for ns, f in frames]  # the TCP checksum
    capture = pcap(box.folder / "bad.pcap", frames)
    rules = box.folder / "stream.yaml"
    rules.write_text("- {id: 1, title: t, severity: low, protocol: tcp-stream, match: [{content: xyzzy}]}\n")
    counts = {k: len(box.events(*(("-k", k) if k else ()), capture, rules=str(rules))) for k in ("", "all", "none")}
    assert counts == {"": 1, "all": 0, "none": 1}


def test_dump_config(box):
    ran = box.xensor("replay", "--dump-config", "--set", "stream.midstream=no", "-k", "all", "-l", "/x")
    assert ran.status == 0
    for line in ("stream.midstream = no", "stream.checksum-validation = yes", "default-log-dir = /x"):
        assert line in ran.out.splitlines()


def test_log_folder_of_the_configuration(box):
    (box.folder / "sensor.yaml").write_text(f"default-log-dir: {box.logs}\nrule-files: [{box.rules}]\n")
    ran = box.xensor("replay", "-c", box.folder / "sensor.yaml", box.capture)
    assert ran.status == 0
    assert len((box.logs / "eve.json").read_text().splitlines()) == 2


def test_rules_besides_the_configured_ones(box):
    more = box.folder / "more.yaml"
    more.write_text("- {id: 7, title: more, severity: info, protocol: tcp, match: [{content: xyzzy}]}\n")
    (box.folder / "sensor.yaml").write_text(f"default-rule-path: {box.folder}\nrule-files: [rules.yaml]\n")
    ran = box.xensor("replay", "-c", box.folder / "sensor.yaml", "-s", more, box.capture)
    assert "engine started: 3 rules" in ran.err


def test_one_bad_rule_costs_itself(box):
    bad = box.folder / "bad.yaml"
    bad.write_text(f"- {{id: 7, titel: x}}\n- {{id: 8, {FOUND}}}\n")
    ran = box.replay(rules=str(bad))
    assert ran.status == 0
    assert "bad.yaml:1:" in ran.err
    assert "engine started: 1 rules" in ran.err
    assert "[1:8:1]" in ran.out
    assert box.replay("--init-errors-fatal", box.capture, rules=str(bad)).status == 4


def test_rule_that_loads_but_does_not_compile(box):
    bad = box.folder / "bad.yaml"
    bad.write_text(
        "- {id: 7, title: x, severity: low, protocol: tcp, match: [{content: abcd}, {regex: '/(?<n>a)(?<n>b)(/'}]}\n"
        f"- {{id: 8, {FOUND}}}\n"
    )
    ran = box.replay(rules=str(bad))
    assert ran.status == 0
    assert "bad.yaml:1:" in ran.err
    assert "engine started: 1 rules" in ran.err


def test_many_problems_are_cut_short(box):
    bad = box.folder / "bad.yaml"
    bad.write_text("".join(f"- {{id: {n}, titel: x}}\n" for n in range(1, 60)))
    ran = box.replay(rules=str(bad))
    assert ran.status == 4
    assert "problems more" in ran.err
    assert len(ran.err.splitlines()) < 30


def test_without_rules(box):
    (box.folder / "empty.yaml").write_text("")
    for rules in (str(box.folder / "empty.yaml"), "/dev/null"):
        ran = box.replay(rules=rules)
        assert ran.status == 0
        assert "there are no rules: nothing can alert" in ran.err
        assert "no alerts" in ran.err


def test_rules_that_never_match_are_announced(box):
    never = box.folder / "never.yaml"
    never.write_text("- {id: 7, title: x, severity: low, protocol: tcp, source: '!any', match: [{content: abcd}]}\n")
    assert "1 rule can never match" in box.replay(rules=str(never)).err


def test_settings_without_effect_are_said_once_per_section(box):
    sets = [w for n in ("a", "b") for w in ("--set", f"app-layer.protocols.{n}.enabled=yes")]
    assert "without effect here: app-layer.* (2)" in box.replay(*sets, box.capture).err
    assert "did you mean 'stream.midstream'" in box.replay("--set", "stream.midstreem=no", box.capture).err


def test_output_that_fails_on_the_way(box, monkeypatch):
    def full(self):
        raise lines.OutputError("eve.json: No space left on device")

    monkeypatch.setattr(lines.EveFile, "flush", full)
    ran = box.replay("-l", box.logs, box.capture)
    assert ran.status == 6
    assert ran.err.count("No space left on device") == 1
    assert "8 packets" in ran.err


def test_reader_that_goes_away_ends_the_replay(box, monkeypatch):
    class Pipe(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    monkeypatch.setattr("sys.stdout", Pipe())
    assert replay.main(["-S", box.rules, box.capture, "-"]) == 0
    assert "stopped early: standard output was closed" in box.capsys.readouterr().err


def test_collector_is_on_again(box):
    box.replay()
    assert gc.isenabled()
    box.xensor("replay")
    assert gc.isenabled()
