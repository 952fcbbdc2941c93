"""An HTTP/1 connection: requests and responses paired to transactions."""

from __future__ import annotations

import weakref

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER, TxStage
from sensor.model.keeping import FilePolicy
from sensor.model.losses import Losses
from sensor.proto.http1.exchange import Exchange
from sensor.proto.http1.requests import RequestSide
from sensor.proto.http1.responses import ResponseSide
from sensor.proto.http1.side import DEAD


class HttpParser:
    """`AppParser` of HTTP/1."""

    def __init__(self) -> None:
        self.done = False
        """The connection became a tunnel or another protocol, or both sides are beyond hope."""
        self._exchange = Exchange()
        self.becomes = ""
        self._request = RequestSide(self._exchange)
        self._response = ResponseSide(self._exchange)
        go_on = weakref.WeakMethod(self._go_on_refused)

        def refused() -> None:
            call = go_on()
            if call is not None:
                call()

        self._exchange.on_refusal = refused  # weak: ended flows would wait for the collector of garbage, 100 MB of them

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Take the next bytes of a side."""
        if self.done:
            return []
        self._exchange.settle()
        tunnel = self._exchange.tunnel
        if tunnel is not None and (tunnel.open or side == TO_SERVER):
            tunnel.take(side, data)
        elif side == TO_SERVER:
            self._request.feed(data)
        else:
            self._exchange.answers = True
            if self._request.no_header_yet:
                self._complete_simple_request()
            elif not self._exchange.waiting and self._request.breaks_off():
                self._request.anomaly(AppAnomaly.HTTP_REQUEST_LINE_INCOMPLETE)
                self._exchange.wait(self._exchange.new())
            self._response.feed(data)
            if self._exchange.unexpected:
                self._exchange.unexpected = False
                self._request.go_without_body()
        return self._take()

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Bytes of a side are lost."""
        if self.done:
            return []
        tunnel = self._exchange.tunnel
        if tunnel is not None and (tunnel.open or side == TO_SERVER):
            tunnel.lost = True
        else:
            (self._request if side == TO_SERVER else self._response).gap(length)
        return self._take()

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 (contract of AppParser)
        """Complete what is pending: the flow has ended."""
        if not self.done:
            self._request.finish()
            self._response.finish()
            tunnel = self._exchange.tunnel
            self._exchange.losses.tunnels += tunnel is not None and tunnel.open and tunnel.held > 0
            self._exchange.done = True
        return self._take()

    def idle(self, side: int) -> int:
        """Return how many of the next bytes of a side complete nothing (`sensor.model.app.Foresees`)."""
        if side == TO_SERVER:
            return self._request.idle
        return 0 if self._request.has_begun else self._response.idle  # any answer ends what is all of a request

    @property
    def held(self) -> int:
        """See `sensor.model.app.Holds`."""
        return self._request.held + self._response.held + self._exchange.held

    def rest(self, side: int) -> bytes:
        """Return what is the next protocol's already (see `sensor.model.app.HandsOver`)."""
        exchange = self._exchange
        if exchange.tunnel is not None:
            return bytes(exchange.tunnel.kept[side])
        return exchange.behind if side == TO_CLIENT else b""

    def treat_files(self, policy: FilePolicy) -> None:
        """Learn what to do with files."""
        self._exchange.files = policy

    @property
    def losses(self) -> Losses:
        """Where is counted what is forgotten (see `sensor.model.app.CountsLosses`)."""
        return self._exchange.losses

    @losses.setter
    def losses(self, losses: Losses) -> None:
        self._exchange.losses = losses

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget the (anomaly, side) pairs found since the last call."""
        found, self._exchange.odd = self._exchange.odd, []
        return found

    def _complete_simple_request(self) -> None:
        """End a request line without protocol when the server answers: it was all there is (HTTP/0.9)."""
        tx = self._exchange.waiting[-1] if self._exchange.waiting else None
        if tx is not None and tx.request is not None and not tx.request.protocol:
            self._request.end_headers()

    def _go_on_refused(self) -> None:
        """Read what the client has said behind a CONNECT that the server refuses: more requests."""
        tunnel = self._exchange.tunnel
        self._exchange.tunnel = None
        if tunnel is not None and tunnel.lost:
            self._request.gap(1)
        elif tunnel is not None and tunnel.kept[TO_SERVER]:
            self._request.feed(bytes(tunnel.kept[TO_SERVER]))

    def _look_into_tunnel(self) -> None:
        """Go on with the protocol behind a CONNECT, once it has shown."""
        exchange, tunnel = self._exchange, self._exchange.tunnel
        if tunnel is not None and tunnel.open and not exchange.done:
            exchange.becomes = tunnel.protocol()
            exchange.done = bool(exchange.becomes) or tunnel.lost
            exchange.losses.tunnels += exchange.done and not exchange.becomes

    def _take(self) -> list[TxStage]:
        exchange = self._exchange
        self._look_into_tunnel()
        if self._response.state == DEAD:
            exchange.forget_all()
        self.becomes = exchange.becomes
        self.done = exchange.done or (self._response.state == DEAD and self._request.state == DEAD)
        found, exchange.stages = exchange.stages, []
        return found
