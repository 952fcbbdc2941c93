"""Records of files: what each protocol carried, from whom, and whether all of it was seen."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from enginekit import BLOCK, difference, empty_rules, load, run, settings_of
from forgekit import Flow, request, response, stamp

from sensor.engine.apps import AppLayer
from sensor.engine.files import filewants
from sensor.engine.files.filewants import MAX_SIDS, FileWants
from sensor.engine.live.figures_caps import given_way
from sensor.model.keeping import Shelf
from sensor.outputs.filestore import FileStore
from sensor.outputs.limits import FileStoreOptions
from sensor.proto import ids
from sensor.proto.http1.transaction import RESPONSE_COMPLETE

sys.path.append(str(Path(__file__).resolve().parents[1] / "proto"))  # the forged bytes of the parsers' tests

import smbforge

HASHED = {"types": ("fileinfo",), "eve": {"force_hash": ("md5", "sha256")}}
BIG = bytes(range(256)) * 1000


def frames(*talk, dport=80):
    flow = Flow(dport=dport)
    flow.open()
    for side, data in talk:
        flow.send(side, data)
    flow.close()
    return flow.frames()


def records(traffic, **options):
    """Return the records; they must be the same without triage and in blocks of one packet."""
    settings = settings_of(**(options or {"types": ("fileinfo",)}))
    found = run(traffic, empty_rules(), settings=settings)
    assert not difference(found, run(traffic, empty_rules(), settings=settings, triage=False))
    assert not difference(found, run(traffic, empty_rules(), settings=settings, block=1))
    return found.of("fileinfo")


def test_http_response():
    (event,) = records(frames((0, request("/a/b.bin?x=1")), (1, response(b"hello"))), **HASHED)
    assert event["fileinfo"] == {
        "filename": "/a/b.bin",
        "gaps": False,
        "state": "CLOSED",
        "md5": hashlib.md5(b"hello", usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(b"hello").hexdigest(),
        "stored": False,
        "size": 5,
        "tx_id": 0,
    }
    assert event["app_proto"] == "http"
    assert event["http"]["url"] == "/a/b.bin?x=1"
    assert event["src_port"] == 80


def test_http_request():
    (event,) = records(frames((0, request("/up", method="PUT", body=b"data!")), (1, response(b""))))
    assert event["dest_port"] == 80
    assert event["fileinfo"] == {
        "filename": "/up",
        "gaps": False,
        "state": "CLOSED",
        "stored": False,
        "size": 5,
        "tx_id": 0,
    }


def test_files_of_a_form():
    form = b"".join(
        b'--xx\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n' % one
        for one in ((b"a.txt", b"first"), (b"b.txt", b"the second"))
    )
    headers = ("Content-Type: multipart/form-data; boundary=xx",)
    asked = request("/up", method="POST", headers=headers, body=form + b"--xx--\r\n")
    found = records(frames((0, asked), (1, response(b""))))
    assert [(e["fileinfo"]["filename"], e["fileinfo"]["size"]) for e in found] == [("a.txt", 5), ("b.txt", 10)]


def test_a_long_file_is_hashed_if_asked_for():
    talk = frames((0, request("/big")), (1, response(BIG)))
    (event,) = records(talk, **HASHED)
    assert event["fileinfo"]["sha256"] == hashlib.sha256(BIG).hexdigest()
    assert event["fileinfo"]["state"] == "CLOSED"
    (event,) = records(talk)
    assert event["fileinfo"]["size"] == len(BIG)
    assert "sha256" not in event["fileinfo"]


def test_a_file_without_its_end():
    cut = response(b"hello")[:-2]
    (event,) = records(frames((0, request("/x")), (1, cut)), **HASHED)
    assert event["fileinfo"] == {
        "filename": "/x",
        "gaps": False,
        "state": "CLOSED",
        "md5": hashlib.md5(b"hel", usedforsecurity=False).hexdigest(),
        "sha256": hashlib.sha256(b"hel").hexdigest(),
        "stored": False,
        "size": 3,
        "tx_id": 0,
    }


def test_an_upload_without_its_end():
    (event,) = records(frames((0, request("/x", method="POST", body=b"hello")[:-2])), **HASHED)
    assert event["fileinfo"] == {
        "filename": "/x", "gaps": False, "state": "TRUNCATED", "stored": False, "size": 3, "tx_id": 0,
    }  # fmt: skip


def test_smb():
    found = records(frames(*smbforge.file_talk(), dport=445), **HASHED)
    assert found
    assert all(e["app_proto"] == "smb" and e["smb"]["filename"] == e["fileinfo"]["filename"] for e in found)


@pytest.mark.parametrize("types", [("flow",), ("http",)])
def test_nothing_is_written_that_was_not_asked_for(types):
    found = run(frames((0, request()), (1, response())), empty_rules(), types=types)
    assert found.of("fileinfo") == []


def stored(tmp_path, traffic, *lines, types=("fileinfo",), block=BLOCK, **options):
    """Return the records, and the contents of the store by name."""
    path = tmp_path / "r.rules"
    path.write_text("\n".join(f"alert {line[:-1]} sid:{n};)" for n, line in enumerate(lines, 1)))
    settings = settings_of(types=types, file_store=FileStoreOptions(enabled=True, **options))
    told = []
    store = FileStore(tmp_path, settings.file_store, told.append)
    found = run(traffic, load(path), settings=settings, store=store, block=block)
    assert told == []
    files = {p.name: p.read_bytes() for p in (tmp_path / "filestore").rglob("*") if p.is_file()}
    return [e["fileinfo"] for e in found.of("fileinfo")], files


TWO = frames((0, request("/a")), (1, response(b"first")), (0, request("/b")), (1, response(b"second")))


def test_every_file_is_stored_if_told_so(tmp_path):
    found, files = stored(tmp_path, TWO, 'tcp any any -> any any (content:"nothing of the kind";)', force=True)
    assert files == {hashlib.sha256(data).hexdigest(): data for data in (b"first", b"second")}
    assert [(f["stored"], f["file_id"], f["sha256"] in files) for f in found] == [(True, 1, True), (True, 2, True)]


@pytest.mark.parametrize(
    ("rule", "kept"),
    [
        ('http any any -> any any (http.uri; content:"/b"; filestore:response; noalert;)', [b"second"]),
        ('http any any -> any any (http.uri; content:"/b"; filestore:request; noalert;)', []),
        ('http any any -> any any (http.uri; content:"/a"; filestore:both,tx;)', [b"first"]),
        ('http any any -> any any (http.uri; content:"/a"; filestore:both,flow;)', [b"first", b"second"]),
        ('http any any -> any any (http.response_body; content:"seco"; filestore;)', [b"second"]),
        ('tcp any any -> any any (content:"second"; filestore:to_client,file;)', [b"second"]),
        ('http any any -> any any (http.uri; content:"/c"; filestore:both,flow;)', []),
    ],
)
def test_what_rules_want_is_stored(tmp_path, rule, kept):
    found, files = stored(tmp_path, TWO, rule)
    assert sorted(files.values()) == kept
    assert [f.get("sid") for f in found if f["stored"]] == [[1]] * len(kept)
    assert len(found) == 2


def test_filestore_asks_for_a_file(tmp_path):
    lines = (
        "(filestore;)",
        "(flow:to_server; filestore;)",
        '(http.method; content:"GET"; filestore;)',
        "(filestore:both;)",
    )
    path = tmp_path / "r.rules"
    path.write_text(
        "".join(f"alert http any any -> any any {line[:-1]} sid:{n};)\n" for n, line in enumerate(lines, 1))
    )
    found = run(TWO, load(path), types=("alert",))
    assert [event["alert"]["signature_id"] for event in found.of("alert")] == [1, 4, 1, 4]


def test_descriptions_are_kept_even_if_no_event_is_written(tmp_path):
    found, files = stored(tmp_path, TWO, "http any any -> any any (filestore;)", types=("alert",), describe=True)
    assert found == []
    described = [json.loads(data) for name, data in files.items() if name.endswith(".json")]
    assert sorted(one["fileinfo"]["filename"] for one in described) == ["/a", "/b"]
    assert all(one["fileinfo"]["stored"] for one in described)


def test_wants_are_bounded():
    wants = FileWants()
    for tx in range(1000):
        for sid in range(30):
            wants.note(5, tx, 1, sid, "file")
    assert len(wants.of(5, 0, 1)) == MAX_SIDS
    assert len(wants.of(5, 999, 1)) == MAX_SIDS
    assert wants.of(5, 0, 0) == wants.of(6, 0, 1) == ()
    wants.forget([5])
    assert wants.of(5, 0, 1) == ()


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_long_files_are_stored_whole(tmp_path, coding):
    traffic = frames(
        (0, request("/big")), (1, response(BIG, coding=coding)), (0, request("/2")), (1, response(BIG[1:]))
    )
    found, files = stored(tmp_path, traffic, "http any any -> any any (filestore;)", force=True)
    assert set(files.values()) == {BIG, BIG[1:]}
    assert [(f["state"], f["size"]) for f in found] == [("CLOSED", len(BIG)), ("CLOSED", len(BIG) - 1)]


@pytest.mark.parametrize(("times", "dport"), [(1, 445), (6, 445), (6, 4450)])
def test_long_files_of_smb_are_stored_whole(tmp_path, times, dport):
    """Longer than other streams are reassembled, too."""
    long = BIG * times
    talk = [
        *smbforge.logged_on2(),
        (0, smbforge.nbss(smbforge.tree_connect2("\\\\srv\\c$"))),
        (1, smbforge.nbss(smbforge.tree_connected2())),
        (0, smbforge.nbss(smbforge.create2("a.bin"))),
        (1, smbforge.nbss(smbforge.created2(size=0))),
        *[
            (0, smbforge.nbss(smbforge.write2(long[at : at + 32_000], at, message=5 + at // 32_000)))
            for at in range(0, len(long), 32_000)
        ],
        (0, smbforge.nbss(smbforge.close2(message=60))),
    ]
    traffic = frames(*talk, dport=dport)
    _, files = stored(tmp_path, traffic, "smb any any -> any any (filestore;)", force=True, block=100)
    assert list(files.values()) == [long]


def test_what_is_kept_of_a_file_is_bounded(tmp_path):
    traffic = frames((0, request("/big")), (1, response(BIG)))
    found, files = stored(tmp_path, traffic, "http any any -> any any (filestore;)", force=True, per_file=150 << 10)
    assert list(files.values()) == [BIG[: 150 << 10]]
    assert (found[0]["state"], found[0]["size"], found[0]["stored"]) == ("TRUNCATED", len(BIG), True)


def test_files_that_are_not_stored_whole_are_told():
    store = FileStoreOptions(enabled=True, force=True, memory=1 << 20)
    flows = [Flow(sport=20_000 + n).open().send(0, request("/big")).send(1, response(BIG)[:-1]) for n in range(8)]
    traffic = [frame for flow in flows for _, frame in flow.frames()]
    pipeline = run(stamp(traffic), empty_rules(), settings=settings_of(("alert",), file_store=store)).pipeline
    assert pipeline.files_cut > 0
    assert given_way(pipeline)["file_memory"] == pipeline.files_cut


@pytest.mark.parametrize("end", [True, False])
def test_room_is_given_back(end):
    shelf = Shelf(1 << 20, 1 << 20)
    layer = AppLayer(shelf=shelf)
    layer.start(7, ids.HTTP)
    layer.feed(7, 0, request("/big"), 0)
    body = response(BIG)
    layer.feed(7, 1, body if end else body[:-1], 0)
    assert shelf.held > 100_000
    layer.feed(7, 0, request("/next"), 0)
    assert (shelf.held == 0) is end
    layer.drop([7])
    assert shelf.held == 0


def test_no_room_is_no_error():
    shelf = Shelf(150_000, 1 << 20)
    layer = AppLayer(shelf=shelf)
    for slot in (1, 2):
        layer.start(slot, ids.HTTP)
        layer.feed(slot, 0, request("/big"), 0)
        layer.feed(slot, 1, response(BIG)[:-1], 0)
    assert shelf.held <= 150_000
    assert shelf.refused == 2
    (stage,) = [s for s in layer.finish(2, 0) if s.stage == RESPONSE_COMPLETE]
    (file,) = stage.tx.files(1)
    assert file.content == BIG[: len(file.content)]
    assert not file.complete


def test_wants_of_all_flows_are_bounded(monkeypatch):
    monkeypatch.setattr(filewants, "MAX_WANTED", 100)
    wants = FileWants()
    for slot in range(60):
        for tx in range(2):
            wants.note(slot, tx, 0, 7, "")
    assert wants.forgotten == 10
    assert [bool(wants.of(slot, 0, 0)) for slot in (0, 9, 10, 59)] == [False, False, True, True]
    wants.forget(range(60))
    for slot in range(50):
        wants.note(slot, 0, 0, 7, "")
    assert wants.forgotten == 10
