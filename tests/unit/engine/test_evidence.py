"""Packets behind alerts: whole flows, from before the alert, within bounds, in files that are always whole."""

import json
import struct
import sys
from ipaddress import ip_address
from pathlib import Path

import enginekit
import forgekit
import numpy as np
import pytest

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import SECOND, FloodControl, FloodLimits
from sensor.capture.files import open_source
from sensor.capture.memory import MemorySource
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.engine.records import evidence as module
from sensor.engine.records.evidence import Evidence
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer
from sensor.model.block import LINKTYPE_RAW
from sensor.model.rows import new_rows
from sensor.model.scene import Scene
from sensor.outputs.limits import EvidenceOptions
from sensor.outputs.pcaplog import Frames, PcapLog

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "outputs"))
from outkit import small_disk

START = 1_700_000_000 * 10**9
RULES = """
rules:
  - {id: 1, title: word, protocol: tcp, severity: low, flow: [established], match: [{content: needle}]}
  - {id: 2, title: datagram, protocol: udp, severity: low, match: [{payload: {content: needle}}]}
  - {id: 3, title: arp, protocol: arp, severity: low, match: [{arp.opcode: request}]}
"""


def talk(n, data, start=START, kind="tcp"):
    """A connection that stays open, or datagrams."""
    made = forgekit.Flow(bytes([10, 0, 0, n]), bytes([10, 0, 1, n]))
    if kind == "tcp":
        made.open()
    for part in data:
        made.send(0, part) if kind == "tcp" else made.datagram(0, part)
    return made.frames(start)


class Lab:
    def __init__(self, folder, shed=lambda: False, **options):
        self.folder = folder
        self.told = []
        self.options = EvidenceOptions(enabled=True, **options)
        self.log = PcapLog(folder, self.options, self.told.append)
        self.evidence = Evidence(self.options, self.log, shed)
        self.sink = enginekit.Lines(["alert"])
        builder = EveBuilder(payload=False)
        self.writer = Writer(builder, FloodControl(FloodLimits(1000, 60 * SECOND)), Sinks([self.sink]))
        self.writer.keep_evidence(self.evidence.alerted, self.evidence.capture_file)
        settings = enginekit.settings_of(["alert"])
        rules = enginekit.rules_of(RULES, folder.parent)
        self.pipeline = Pipeline(rules, EngineOptions(settings), self.writer)
        self.pipeline.observer = self.evidence.observe
        self.number = 1

    def run(self, frames, block=1):
        for part in MemorySource(frames, block_packets=block).blocks():
            part.first = self.number
            self.number += part.n
            self.pipeline.process(part)
        return self

    @property
    def files(self):
        return sorted(self.folder.glob("evidence-*.pcap"))

    def kept(self):
        """Return the frames of all files."""
        found = []
        for path in self.files:
            source = open_source([str(path)])
            for block in source.blocks():
                found += [(int(block.ts[i]), block.buf[block.off[i] : block.off[i] + block.caplen[i]].tobytes())
                          for i in range(block.n)]  # fmt: skip
            assert not source.errors
            source.close()
        return found

    def captures(self):
        return [event.get("capture_file") for event in map(json.loads, self.sink.lines)]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def merged(*parts):
    return sorted((frame for part in parts for frame in part), key=lambda item: item[0])


@pytest.mark.parametrize("block", [1, 3, 1000])
def test_the_whole_flow_is_kept_from_before_the_alert_and_nothing_else(folder, block):
    bad = talk(1, [b"hello", b"a needle", b"and more"])
    good = talk(2, [b"hello", b"nothing", b"and more"], START + 7)
    lab = Lab(folder).run(merged(bad, good), block)
    assert lab.kept() == bad
    assert lab.captures() == [lab.files[0].name]
    assert lab.log.counters.packets == len(bad)
    assert lab.told == []


def test_without_an_alert_there_is_no_file(folder):
    lab = Lab(folder).run(talk(1, [b"hello"] * 10))
    lab.evidence.close()
    assert lab.files == []


def test_memory_is_bounded(folder):
    flow = forgekit.Flow(bytes([10, 0, 0, 1]), bytes([10, 0, 1, 1])).open().send(0, b"first")
    early = flow.frames()
    late = flow.send(0, b"a needle").frames(START + 2 * 10**9)[len(early) :]
    noise = talk(2, [b"x" * 1000] * 50, START + 10**9)
    lab = Lab(folder, before=8000).run(merged(early, noise, late))
    kept = lab.kept()
    assert early[0] not in kept, "too long ago"
    assert any(b"needle" in frame for _, frame in kept)
    assert lab.evidence.remembered <= 8000


def test_one_flow_takes_so_much_and_no_more(folder):
    bad = talk(1, [b"a needle", *[b"x" * 500] * 40])
    lab = Lab(folder, per_flow=4000).run(bad)
    size = sum(len(frame) for _, frame in lab.kept())
    assert 3000 < size <= 4000
    assert lab.evidence.counters.cut == 1


def test_followed_flows_are_bounded(folder, monkeypatch):
    monkeypatch.setattr(module, "FOLLOWED_MAX", 2)
    talks = [talk(n, [b"needle"], START + n * 10**9, "udp") for n in range(1, 5)]
    lab = Lab(folder).run(merged(*talks))
    assert lab.evidence.counters.evicted == 2
    assert lab.kept() == merged(*talks)
    again = talk(1, [b"more"], START + 10**10, "udp")
    assert lab.run(again).kept() == merged(*talks), "not followed any more"
    more = talk(4, [b"more"], START + 10**10, "udp")
    assert lab.run(more).kept() == merged(*talks, more)


def test_fragments_of_an_alerting_datagram_are_kept(folder):
    ((_, frame),) = talk(1, [b"some words, and then a needle"], kind="udp")
    ether, header, data = frame[:14], frame[14:34], frame[34:]
    pieces = []
    for at, more in ((0, 1), (16, 0)):
        part = data[at : at + 16] if more else data[at:]
        head = bytearray(header)
        struct.pack_into("!HHH", head, 2, 20 + len(part), 77, more << 13 | at // 8)
        struct.pack_into("!H", head, 10, 0)
        total = sum(struct.unpack("!10H", head))
        struct.pack_into("!H", head, 10, ~(total + (total >> 16)) & 0xFFFF)
        pieces.append((START + at, ether + bytes(head) + part))
    other = talk(2, [b"hello"], kind="udp")
    lab = Lab(folder).run(merged(pieces[:1], other, pieces[1:]))
    assert len(lab.sink.lines) == 1
    assert lab.kept() == pieces


def test_an_alert_without_a_flow_keeps_its_packet(folder):
    arp = (START, forgekit.arp(1, forgekit.MACS[0], b"\x0a\0\0\1", b"\x0a\0\0\2"))
    lab = Lab(folder).run([*talk(1, [b"hello"]), arp], 1000)
    assert len(lab.sink.lines) == 1
    assert lab.kept() == [arp]


def test_files_rotate_and_the_oldest_go(folder):
    lab = Lab(folder, limit=1 << 16, max_files=3, per_flow=1 << 20)
    for n in range(1, 7):
        lab.run(talk(n, [b"needle", *[b"x" * 1000] * 70], START + n * 10**9))
    assert len(lab.files) == 3
    assert lab.log.counters.files - lab.log.counters.deleted == 3
    assert all(path.stat().st_size < (1 << 16) + 1200 for path in lab.files)
    lab.kept()
    assert len(set(lab.captures())) > 3


def test_an_alert_names_the_file_that_its_packets_are_in(folder):
    lab = Lab(folder, limit=1 << 16, max_files=100)
    for n in range(1, 5):
        lab.run(talk(n, [b"needle", *[b"x" * 1000] * 70], START + n * 10**9))
    for number, name in enumerate(lab.captures(), 1):
        assert bytes([10, 0, 0, number, 10, 0, 1, number]) in (folder / name).read_bytes()


def test_files_of_an_earlier_run_count_too(folder):
    for n in range(5):
        (folder / f"evidence-2020010{n}T000000Z.pcap").write_bytes(b"")
    (folder / "evidence-mine.pcap").write_bytes(b"")
    Lab(folder, max_files=2).run(talk(1, [b"needle"]))
    assert [p.name for p in sorted(folder.glob("*"))] == [
        "evidence-20200104T000000Z.pcap", "evidence-20231114T221320Z.pcap", "evidence-mine.pcap",
    ]  # fmt: skip


def test_a_disk_that_is_nearly_full_takes_no_packets(folder):
    tight = [True]
    lab = Lab(folder, shed=lambda: tight[0]).run(talk(1, [b"needle"]))
    assert lab.files == []
    assert lab.captures() == [None]
    assert lab.evidence.counters.shed > 0
    tight[0] = False
    lab.run(talk(2, [b"needle"], START + 10**9))
    assert lab.kept() == talk(2, [b"needle"], START + 10**9)


def test_a_full_disk_leaves_whole_files_and_is_waited_for(tmp_path):
    with small_disk(tmp_path / "disk", 64 << 10) as folder:
        lab = Lab(folder)
        (folder / "ballast").write_bytes(b"x" * (40 << 10))
        lab.run(talk(1, [b"needle", *[b"x" * 1000] * 40]))
        assert lab.log.counters.errors == 1
        assert lab.log.counters.lost > 0
        before = lab.kept()
        assert before == talk(1, [b"needle", *[b"x" * 1000] * 40])[: len(before)]
        (folder / "ballast").unlink()
        assert lab.run(talk(3, [b"needle"], START + 5 * 10**9)).kept() == before, "not tried again yet"
        late = talk(2, [b"needle"], START + 11 * 10**9)
        assert lab.run(late).kept() == before + late
        assert [text.partition(": ")[2].partition(":")[0].partition(";")[0] for text in lab.told] == [
            "No space left on device", "is written again",
        ]  # fmt: skip
        assert lab.log.make_room() is False, "the file at hand is not deleted"


def test_room_is_made_of_the_oldest_file(folder):
    for n in range(3):
        (folder / f"evidence-2020010{n}T000000Z.pcap").write_bytes(b"")
    lab = Lab(folder, max_files=100).run(talk(1, [b"needle"]))
    assert lab.log.make_room()
    assert len(lab.files) == 3
    assert lab.files[0].name == "evidence-20200101T000000Z.pcap"


def test_a_vlan_tag_is_put_back():
    frame = bytes(range(12)) + b"\x08\x00" + b"data"
    block = next(MemorySource([(START, frame), (START + 1, frame)]).blocks())
    block.vlan_tci, block.vlan_tpid = np.array([7, -1], np.int32), np.array([0x88A8, 0], np.uint16)
    frames = Frames.of(block)
    assert frames.record(0)[16:] == frame[:12] + b"\x88\xa8\0\x07" + frame[12:]
    assert struct.unpack("<4I", frames.record(0)[:16]) == (1_700_000_000, 0, len(frame) + 4, len(frame) + 4)
    assert frames.record(1)[16:] == frame


@pytest.mark.parametrize(("first", "ethertype"), [(0x45, b"\x08\x00"), (0x60, b"\x86\xdd")])
def test_a_packet_without_a_frame_gets_one(first, ethertype):
    packet = bytes([first]) + b"rest"
    frames = Frames.of(next(MemorySource([(START, packet)], LINKTYPE_RAW).blocks()))
    assert frames.record(0)[16:] == bytes(12) + ethertype + packet


@pytest.mark.parametrize(("src", "dest"), [("10.0.0.1", "10.255.0.9"), ("fd00::1", "fe80::abcd:1:2:3")])
def test_ends_of_a_flow_and_of_its_fragments_have_one_key(src, dest):
    ends = [ip_address(text).packed for text in (src, dest)]
    rows = new_rows(2)
    for row, (a, b) in zip(rows, (ends, ends[::-1]), strict=True):
        for name, packed in (("src", a), ("dst", b)):
            row[f"{name}_hi"], row[f"{name}_lo"] = divmod(int.from_bytes(packed), 1 << 64)
    scene = Scene(0, 1, "", 4, src, dest, 17, 1, 2, *ends)
    assert module.pairs(rows).tolist() == [module.pair_of(scene)] * 2
    assert module.pair_of(scene) > 1 << 53, "no flow id"
