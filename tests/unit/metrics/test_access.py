"""Who may read the metrics: real connections to a real listener."""

import base64
import http.client
import shutil
import socket
import ssl
import subprocess

import pytest

from sensor.errors import UsageError
from sensor.metrics import http as listener
from sensor.metrics.access import AccessFiles, open_access
from sensor.metrics.http import MetricsServer


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """An authority, and a server and a client with its certificates."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("pki")

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority", "-days", "2")
    for name in ("server", "client"):
        openssl("req", "-x509", *new, "-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", f"{name}.key",
                "-out", f"{name}.pem", "-subj", f"/CN={name}", "-days", "2",
                "-addext", "subjectAltName=IP:127.0.0.1")  # fmt: skip
    openssl("req", "-x509", *new, "-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=other", "-days", "2")
    return folder


@pytest.fixture
def serve():
    servers = []

    def start(**files):
        servers.append(MetricsServer("127.0.0.1:0", dict, open_access(AccessFiles(**files))))
        return servers[-1].port

    yield start
    for server in servers:
        server.close()


def get(port, context=None, **headers):
    made = (
        http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=5)
        if context
        else http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    )
    try:
        made.request("GET", "/metrics", headers=headers)
        return made.getresponse().status
    finally:
        made.close()


def basic(text):
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_password_and_token(serve, tmp_path):
    (tmp_path / "password").write_text("prometheus:s3cret:with colon\n")
    (tmp_path / "token").write_text("a-long-token\n")
    port = serve(password=str(tmp_path / "password"), token=str(tmp_path / "token"))
    assert get(port) == 401
    assert get(port, Authorization=basic("prometheus:wrong")) == 401
    assert get(port, Authorization="Bearer a-long-toke") == 401
    assert get(port, Authorization="Bearer \u00e9") == 401
    assert get(port, Authorization=basic("prometheus:s3cret:with colon")) == 200
    assert get(port, Authorization="Bearer a-long-token") == 200


def test_tls(serve, pki):
    port = serve(certificate=str(pki / "server.pem"), key=str(pki / "server.key"))
    assert get(port, ssl.create_default_context(cafile=pki / "ca.pem")) == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        get(port, ssl.create_default_context(cafile=pki / "other.pem"))
    with pytest.raises((OSError, http.client.HTTPException)):
        get(port)


def test_clients_with_a_certificate_only(serve, pki):
    port = serve(
        certificate=str(pki / "server.pem"), key=str(pki / "server.key"), client_ca=str(pki / "ca.pem")
    )  # fmt: skip
    known, unknown, stranger = (ssl.create_default_context(cafile=pki / "ca.pem") for _ in range(3))
    known.load_cert_chain(pki / "client.pem", pki / "client.key")
    stranger.load_cert_chain(pki / "other.pem", pki / "other.key")
    assert get(port, known) == 200
    for context in (unknown, stranger):
        with pytest.raises((OSError, http.client.HTTPException)):
            get(port, context)


def test_silent_clients_do_not_keep_others_out(serve, pki, monkeypatch):
    monkeypatch.setattr(listener, "SECONDS", 0.5)
    port = serve(certificate=str(pki / "server.pem"), key=str(pki / "server.key"))
    context = ssl.create_default_context(cafile=pki / "ca.pem")
    silent = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(listener.MOST - 1)]
    assert get(port, context) == 200
    silent += [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(40)]
    for sock in silent:
        with sock:
            assert sock.recv(1) == b""  # hung up on
    assert get(port, context) == 200


@pytest.mark.parametrize(("files", "text"), [
    ({"password": "none"}, "metrics.password-file: none: No such file"),
    ({"token": "/dev/null"}, "metrics.token-file: /dev/null: one line is needed"),
    ({"key": "k"}, "need metrics.tls-cert"),
    ({"certificate": "none"}, "metrics.tls-cert: none: No such file"),
    ({"certificate": "/etc/passwd"}, "metrics.tls-cert: /etc/passwd: "),
])  # fmt: skip
def test_files_that_are_no_good(files, text):
    with pytest.raises(UsageError) as caught:
        open_access(AccessFiles(**files))
    assert text in str(caught.value)


def test_a_password_without_a_user(tmp_path):
    (tmp_path / "password").write_text("secret")
    with pytest.raises(UsageError, match="USER:PASSWORD"):
        open_access(AccessFiles(password=str(tmp_path / "password")))
    (tmp_path / "password").write_bytes(b"\xff:\xff")
    with pytest.raises(UsageError, match="not a text file"):
        open_access(AccessFiles(password=str(tmp_path / "password")))


def test_secrets_do_not_show(tmp_path):
    (tmp_path / "token").write_text("a-long-token")
    assert "a-long-token" not in repr(open_access(AccessFiles(token=str(tmp_path / "token"))))
