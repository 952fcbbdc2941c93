"""Rules on files of transactions that carry several: each alerts once for all of them, unless it has them stored."""

import pytest
from enginekit import load, run
from forgekit import Flow, request

RULES = """\
alert http any any -> any any (fileext:"exe"; sid:1;)
alert http any any -> any any (filename:"b.exe"; sid:2;)
alert http any any -> any any (fileext:"exe"; filestore; sid:3;)
"""


def form(*parts):
    return b"".join(
        b'--B\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s\r\n' % part for part in parts
    ) + b"--B--\r\n"


@pytest.mark.parametrize("triage", [True, False])
def test_a_rule_alerts_once_for_the_files_of_one_form(tmp_path, triage):
    path = tmp_path / "x.rules"
    path.write_text(RULES)
    body = form((b"a.exe", b"1"), (b"b.exe", b"2"), (b"c.exe", b"3"))
    post = request(method="POST", headers=("Content-Type: multipart/form-data; boundary=B",), body=body)
    frames = Flow().open().send(0, post).send(0, post).close().frames()
    found = run(frames, load(path), triage=triage)
    assert sorted(found.sids) == [1, 1, 2, 2, *[3] * 6]
