"""The listener that Prometheus asks."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from sensor.errors import UsageError
from sensor.metrics.access import Access
from sensor.metrics.collector import registry
from sensor.metrics.names import Snapshot

MOST: Final = 8
"""Clients at a time; others are hung up on."""
SECONDS: Final = 10.0
"""Without a word for so long (the TLS handshake included), a client is hung up on."""


class MetricsServer:
    """Serves `/metrics` from threads of its own. Raises UsageError where the address cannot be used."""

    def __init__(self, address: str, latest: Callable[[], Snapshot], access: Access | None = None) -> None:
        host, port = parse_address(address)
        access = access or Access()
        try:
            self._server = _Server(host, port, access)
        except OSError as e:
            raise UsageError(f"--metrics {address}: {e.strerror or e}") from e
        self._server.set_app(access.guard(make_wsgi_app(registry(latest))))
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, WSGIServer):
    """A bounded number of threads, each with a time-out: idle clients must not keep Prometheus out."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    """Of the base class's five a burst of clients takes all, and who comes then tries again after 1, 3 and 7 s."""

    def __init__(self, host: str, port: int, access: Access) -> None:
        self._tls = access.tls
        self._free = threading.BoundedSemaphore(MOST)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking DNS for a name, as the base class would."""
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = "xensor", self.server_address[1]
        self.setup_environ()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake is left to the client's own thread."""
        sock, address = super().get_request()
        sock.settimeout(SECONDS)
        if self._tls is not None:
            sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return sock, address

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as socketserver has it
        """Give a client a thread if one is free."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Serve one client."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as above
        """Say nothing: a client that hangs up or speaks no TLS is no event."""


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - as the base class has it
        """Write no access log."""


def parse_address(address: str) -> tuple[str, int]:
    """Read `ADDRESS:PORT`, `[IPV6]:PORT` or `PORT` (this machine only). Raises UsageError."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        raise UsageError(f"--metrics {address}: write ADDRESS:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)
