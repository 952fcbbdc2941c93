"""Names of tests: the same in every process that collects them."""

import gzip
import io
import time
import zipfile

import pytest


def archive():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        file.writestr(zipfile.ZipInfo("a", time.localtime()[:6]), b"b")
    return out.getvalue()


@pytest.mark.parametrize("data", [gzip.compress(b""), archive(), bytes(41), b"short"])
def test_bytes_that_tell_the_time_are_named_by_their_size(request, data):
    assert request.node.callspec.id == ("short" if data == b"short" else f"data-{len(data)}-bytes")
