"""Who may read the metrics: TLS, certificates of clients, a password or a token. Files are read once, at the start."""

from __future__ import annotations

import base64
import hmac
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sensor.errors import UsageError

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
"""A WSGI application (PEP 3333)."""

_MAX_FILE: Final = 4096
"""Bytes of a file with a secret."""


@dataclass(frozen=True, slots=True)
class AccessFiles:
    """`metrics.*`: names of files, empty: not wanted."""

    certificate: str = ""
    key: str = ""
    client_ca: str = ""
    """Only clients with a certificate of this authority are answered."""
    password: str = ""
    """One line `user:password`: HTTP basic authentication."""
    token: str = ""
    """One line: an HTTP bearer token."""


@dataclass(frozen=True, slots=True)
class Access:
    """What a client must show. Secrets never show in a representation."""

    tls: ssl.SSLContext | None = None
    headers: tuple[str, ...] = field(default=(), repr=False)
    """Values of `Authorization` that are good; none: nobody is asked."""

    def guard(self, application: Application) -> Application:
        """Return an application that answers only those who may read."""
        if not self.headers:
            return application

        def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            if self._allows(environ):
                return application(environ, start)
            offers = [("WWW-Authenticate", f'{kind} realm="xensor"') for kind in ("Basic", "Bearer")]
            start("401 Unauthorized", [*offers, ("Content-Type", "text/plain")])
            return [b"who are you?\n"]

        return guarded

    def _allows(self, environ: Mapping[str, Any]) -> bool:
        shown = str(environ.get("HTTP_AUTHORIZATION", "")).encode()
        return any(hmac.compare_digest(shown, good.encode()) for good in self.headers)


def open_access(files: AccessFiles) -> Access:
    """Read the files. Raises UsageError that names the setting."""
    headers = []
    if files.password:
        secret = _line("metrics.password-file", files.password)
        if not secret.partition(":")[2]:
            raise UsageError(f"metrics.password-file: {files.password}: write one line USER:PASSWORD")
        headers.append("Basic " + base64.b64encode(secret.encode()).decode())
    if files.token:
        headers.append("Bearer " + _line("metrics.token-file", files.token))
    return Access(_tls(files), tuple(headers))


def _line(setting: str, name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            text = file.read(_MAX_FILE).decode().strip()
    except (OSError, ValueError) as e:
        raise UsageError(f"{setting}: {name}: {getattr(e, 'strerror', None) or 'not a text file'}") from e
    if not text or len(text.splitlines()) != 1:
        raise UsageError(f"{setting}: {name}: one line is needed")
    return text


def _tls(files: AccessFiles) -> ssl.SSLContext | None:
    if not files.certificate:
        if files.key or files.client_ca:
            raise UsageError("metrics.tls-key and metrics.tls-client-ca need metrics.tls-cert")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key or None, password=_no_password)
        if files.client_ca:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as e:
        raise UsageError(f"metrics.tls-cert: {files.certificate}: {getattr(e, 'strerror', None) or e}") from e
    return context


def _no_password() -> str:
    raise ValueError("the key has a password, and nobody is there to type it")
