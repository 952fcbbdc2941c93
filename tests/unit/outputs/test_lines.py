"""Files of whole lines."""

import json
import re

import pytest

from sensor.errors import OutputError
from sensor.model.records import Event
from sensor.outputs.lines import EveFile, EventEncoder, FastFile, LineFile, fast_line

ALERT = {
    "timestamp": "2023-11-14T22:13:20.003000+0000", "event_type": "alert", "src_ip": "10.0.0.1", "src_port": 40000,
    "dest_ip": "10.0.0.2", "dest_port": 80, "proto": "TCP",
    "alert": {"gid": 1, "signature_id": 7, "rev": 2, "signature": "Found it", "category": "Misc", "severity": 3},
}  # fmt: skip


def test_lines_are_appended_in_a_folder_that_is_made(tmp_path):
    path = tmp_path / "a" / "b" / "eve.json"
    for n in range(2):
        file = LineFile(path)
        file.write(b"line %d" % n)
        assert path.read_bytes() == b"line 0\nmore\n" * n
        file.flush()
        file.flush()
        file.write(b"more")
        file.close()
    assert path.read_bytes() == b"line 0\nmore\nline 1\nmore\n"


def test_a_megabyte_is_handed_on(tmp_path):
    file = LineFile(tmp_path / "x")
    for _ in range(3):
        file.write(b"x" * (1 << 19))
    assert (tmp_path / "x").stat().st_size == 2 * ((1 << 19) + 1)
    file.close()


class Slow:
    """A file that takes few bytes at a time, then none."""

    def __init__(self, room):
        self.taken = b""
        self.room = room

    def write(self, data):
        if len(self.taken) >= self.room:
            raise OSError(28, "No space left on device")
        self.taken += bytes(data[:7])
        return len(data[:7])

    def close(self):
        pass


def test_short_writes_are_continued(tmp_path):
    file = LineFile(tmp_path / "x")
    file._file.close()
    file._file = slow = Slow(1000)
    file.write(b"0123456789" * 5)
    file.close()
    assert slow.taken == b"0123456789" * 5 + b"\n"


def test_full_disk(tmp_path):
    file = LineFile(tmp_path / "x")
    file._file.close()
    file._file = slow = Slow(7)
    file.write(b"0123456789")
    with pytest.raises(OutputError, match=r"x: No space left on device"):
        file.flush()
    slow.room = 100
    file.write(b"more")
    file.close()
    assert slow.taken == b"0123456789\nmore\n"


def test_file_that_cannot_be_opened(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"file: is not a folder"):
        LineFile(tmp_path / "file" / "eve.json")
    with pytest.raises(OutputError, match=r"eve\.json: Not a directory"):
        LineFile(tmp_path / "file" / "logs" / "eve.json")


def test_eve_file_keeps_order_and_chooses_kinds(tmp_path):
    eve = EveFile(LineFile(tmp_path / "eve.json"), ("alert",))
    for kind in ("alert", "flow", "alert"):
        eve.write(Event(kind, {"timestamp": "t", "event_type": kind, "a": 1}))
    eve.close()
    assert (tmp_path / "eve.json").read_text() == '{"timestamp":"t","event_type":"alert","a":1}\n' * 2


def test_line_ends_never_stand_inside_a_line():
    line = EventEncoder().encode(Event("x", {"a": "one\ntwo\r\u2028\0"}))
    assert b"\n" not in line
    assert b"\r" not in line
    assert json.loads(line) == {"a": "one\ntwo\r\u2028\0"}


def test_names_that_are_no_text_are_still_written():
    fields = {"pcap_filename": "x\udcff.pcap", "n": 1, "deep": [{"\ud800": "\udc00"}]}
    assert json.loads(EventEncoder().encode(Event("x", fields))) == {
        "pcap_filename": "x\\udcff.pcap", "n": 1, "deep": [{"\\ud800": "\\udc00"}],
    }  # fmt: skip


def test_fast_line():
    assert fast_line(Event("alert", ALERT)) == (
        "11/14/2023-22:13:20.003000  [**] [1:7:2] Found it [**] [Classification: Misc] [Priority: 3] "
        "{TCP} 10.0.0.1:40000 -> 10.0.0.2:80"
    )


def test_fast_line_of_icmp_has_type_and_code():
    fields = {k: v for k, v in ALERT.items() if not k.endswith("_port")}
    line = fast_line(Event("alert", fields | {"proto": "ICMP", "icmp_type": 8, "icmp_code": 3}))
    assert line.endswith("{ICMP} 10.0.0.1:8 -> 10.0.0.2:3")


def test_fast_line_without_addresses_or_class():
    fields = {k: v for k, v in ALERT.items() if "ip" not in k and "port" not in k and k != "proto"}
    fields["alert"] = ALERT["alert"] | {"category": "", "signature": "two\nlines"}
    line = fast_line(Event("alert", fields))
    assert line.endswith("two lines [**] [Classification: (null)] [Priority: 3] {ETH}")


def test_fast_file(tmp_path):
    fast = FastFile(LineFile(tmp_path / "fast.log"))
    fast.write(Event("alert", ALERT))
    fast.write(Event("flow", {}))
    fast.flush()
    assert re.fullmatch(r".*Found it.*\n", (tmp_path / "fast.log").read_text())
    fast.close()
