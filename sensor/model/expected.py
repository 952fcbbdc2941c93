"""Connections that another connection announces: what is known of them before their first byte."""

from __future__ import annotations

import msgspec


class Announced(msgspec.Struct, frozen=True, gc=False):
    """What a connection will carry."""

    command: bytes
    """Of the protocol that announced it, lowercase (`retr`)."""
    name: bytes
    """Of the file; empty: not known."""


class Expected(msgspec.Struct, frozen=True, gc=False):
    """A connection between the same two hosts."""

    listener: int
    """The side of the announcing connection that waits for it."""
    port: int
    what: Announced
