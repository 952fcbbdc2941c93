"""Packets of MySQL: bytes to records, and their framing."""

from __future__ import annotations

import msgspec

CLIENT_CONNECT_WITH_DB, CLIENT_PROTOCOL_41, CLIENT_SSL = 0x8, 0x200, 0x800
CLIENT_SECURE_CONNECTION, CLIENT_PLUGIN_AUTH, CLIENT_LENENC_AUTH = 0x8000, 0x80000, 0x200000

QUIT, INIT_DB, QUERY, CHANGE_USER, PREPARE = 0x01, 0x02, 0x03, 0x11, 0x16
COMMANDS = (
    "sleep", "quit", "init_db", "query", "field_list", "create_db", "drop_db", "refresh", "shutdown", "statistics",
    "process_info", "connect", "process_kill", "debug", "ping", "time", "delayed_insert", "change_user", "binlog_dump",
    "table_dump", "connect_out", "register_slave", "stmt_prepare", "stmt_execute", "stmt_send_long_data", "stmt_close",
    "stmt_reset", "set_option", "stmt_fetch", "daemon", "binlog_dump_gtid", "reset_connection",
)  # fmt: skip

_FIXED = 32
"""Bytes of a log-on before its user."""
_MAX = 256


class LogOn(msgspec.Struct, frozen=True, gc=False):
    """Who logs on."""

    user: bytes
    database: bytes
    tls: bool
    """The client goes on with TLS: there is no name yet."""


class Packets:
    """Shape of the stream (see `sensor.proto.pieces.Shape`): 24 bits of length, and a sequence number."""

    header = 4
    inclusive = True

    def size(self, buffer: bytearray, pos: int) -> tuple[int, bool] | None:
        """Read a header; all are sound."""
        return 4 + int.from_bytes(buffer[pos : pos + 3], "little"), True

    def search(self, buffer: bytearray, pos: int) -> tuple[int, bool]:  # noqa: ARG002 - one signature for all
        """Give up: nothing tells a packet from its contents."""
        return len(buffer), False


def greeting(body: bytes) -> bytes | None:
    """Return the version of a server; None: it is no greeting of protocol 10."""
    if body[:1] != b"\x0a":
        return None
    version, zero, _ = body[1 : _MAX + 2].partition(b"\0")
    return version if zero else None


def log_on(body: bytes) -> LogOn | None:
    """Read a log-on; None: malformed."""
    flags = int.from_bytes(body[:4], "little")
    if len(body) < _FIXED or not flags & CLIENT_PROTOCOL_41:
        return None
    if flags & CLIENT_SSL and len(body) == _FIXED:
        return LogOn(b"", b"", tls=True)
    user, zero, rest = body[_FIXED:].partition(b"\0")
    if not zero or len(user) > _MAX:
        return None
    if flags & (CLIENT_LENENC_AUTH | CLIENT_SECURE_CONNECTION):
        rest = rest[1 + rest[0] :] if rest else rest
    else:
        rest = rest.partition(b"\0")[2]
    database = rest.partition(b"\0")[0][:_MAX] if flags & CLIENT_CONNECT_WITH_DB else b""
    return LogOn(user, database, tls=False)


def command(body: bytes) -> tuple[str, bytes]:
    """Return name and argument of a command."""
    number = body[0]
    return (COMMANDS[number] if number < len(COMMANDS) else f"{number}"), body[1:]


def error(body: bytes) -> tuple[int, bytes]:
    """Return code and message of an error."""
    message = body[3:]
    return int.from_bytes(body[1:3], "little"), message[6:] if message[:1] == b"#" else message
