"""The listener that Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import start_http_server

from sensor.errors import UsageError
from sensor.metrics.collector import registry
from sensor.metrics.names import Snapshot


class MetricsServer:
    """Serves `/metrics` from a thread of its own. Raises UsageError where the address cannot be used."""

    def __init__(self, address: str, latest: Callable[[], Snapshot]) -> None:
        host, port = parse_address(address)
        try:
            self._server, self._thread = start_http_server(port, host, registry=registry(latest))
        except OSError as e:
            raise UsageError(f"--metrics {address}: {e.strerror or e}") from e
        self.port: int = self._server.server_address[1]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def parse_address(address: str) -> tuple[str, int]:
    """Read `ADDRESS:PORT`, `[IPV6]:PORT` or `PORT` (this machine only). Raises UsageError."""
    host, _, port = address.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) <= 0xFFFF):
        raise UsageError(f"--metrics {address}: write ADDRESS:PORT")
    return host.strip("[]") or "127.0.0.1", int(port)
