"""Names of commands, dialects and statuses as EVE has them (MS-SMB2, MS-CIFS, MS-ERREF)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_SMB2 = (
    "NEGOTIATE_PROTOCOL", "SESSION_SETUP", "SESSION_LOGOFF", "TREE_CONNECT", "TREE_DISCONNECT", "CREATE", "CLOSE",
    "FLUSH", "READ", "WRITE", "LOCK", "IOCTL", "CANCEL", "KEEPALIVE", "FIND", "CHANGE_NOTIFY", "GET_INFO", "SET_INFO",
    "OPLOCK_BREAK",
)  # fmt: skip

_SMB1: Mapping[int, str] = MappingProxyType(
    {
        0x00: "CREATE_DIRECTORY", 0x01: "DELETE_DIRECTORY", 0x02: "OPEN", 0x03: "CREATE", 0x04: "CLOSE", 0x05: "FLUSH",
        0x06: "DELETE", 0x07: "RENAME", 0x08: "QUERY_INFORMATION", 0x09: "SET_INFORMATION", 0x0A: "READ", 0x0B: "WRITE",
        0x10: "CHECK_DIRECTORY", 0x24: "LOCKING_ANDX", 0x25: "TRANS", 0x2B: "ECHO", 0x2D: "OPEN_ANDX",
        0x2E: "READ_ANDX", 0x2F: "WRITE_ANDX", 0x32: "TRANS2", 0x34: "FIND_CLOSE2", 0x71: "TREE_DISCONNECT",
        0x72: "NEGOTIATE_PROTOCOL", 0x73: "SESSION_SETUP_ANDX", 0x74: "LOGOFF_ANDX", 0x75: "TREE_CONNECT_ANDX",
        0x80: "QUERY_INFO_DISK", 0xA0: "NT_TRANS", 0xA1: "NT_TRANS_SECONDARY", 0xA2: "NT_CREATE_ANDX",
        0xA4: "NT_CANCEL",
    }
)  # fmt: skip

_DIALECTS: Mapping[int, str] = MappingProxyType(
    {
        0x0202: "2.02", 0x0210: "2.10", 0x0222: "2.22", 0x0224: "2.24", 0x02FF: "2.??", 0x0300: "3.00", 0x0302: "3.02",
        0x0310: "3.10", 0x0311: "3.11",
    }
)  # fmt: skip

_STATUSES: Mapping[int, str] = MappingProxyType(
    {
        0x00000000: "STATUS_SUCCESS", 0x00000103: "STATUS_PENDING", 0x0000010C: "STATUS_NOTIFY_ENUM_DIR",
        0x80000005: "STATUS_BUFFER_OVERFLOW", 0x80000006: "STATUS_NO_MORE_FILES", 0xC0000001: "STATUS_UNSUCCESSFUL",
        0xC0000002: "STATUS_NOT_IMPLEMENTED", 0xC0000003: "STATUS_INVALID_INFO_CLASS",
        0xC0000008: "STATUS_INVALID_HANDLE", 0xC000000D: "STATUS_INVALID_PARAMETER", 0xC000000F: "STATUS_NO_SUCH_FILE",
        0xC0000010: "STATUS_INVALID_DEVICE_REQUEST", 0xC0000011: "STATUS_END_OF_FILE",
        0xC0000016: "STATUS_MORE_PROCESSING_REQUIRED", 0xC0000022: "STATUS_ACCESS_DENIED",
        0xC0000033: "STATUS_OBJECT_NAME_INVALID", 0xC0000034: "STATUS_OBJECT_NAME_NOT_FOUND",
        0xC0000035: "STATUS_OBJECT_NAME_COLLISION", 0xC000003A: "STATUS_OBJECT_PATH_NOT_FOUND",
        0xC0000043: "STATUS_SHARING_VIOLATION", 0xC0000056: "STATUS_DELETE_PENDING",
        0xC0000061: "STATUS_PRIVILEGE_NOT_HELD", 0xC0000064: "STATUS_NO_SUCH_USER",
        0xC000006A: "STATUS_WRONG_PASSWORD", 0xC000006D: "STATUS_LOGON_FAILURE",
        0xC000006E: "STATUS_ACCOUNT_RESTRICTION", 0xC000006F: "STATUS_INVALID_LOGON_HOURS",
        0xC0000070: "STATUS_INVALID_WORKSTATION", 0xC0000071: "STATUS_PASSWORD_EXPIRED",
        0xC0000072: "STATUS_ACCOUNT_DISABLED", 0xC000007F: "STATUS_DISK_FULL",
        0xC0000098: "STATUS_FILE_INVALID", 0xC00000AC: "STATUS_PIPE_NOT_AVAILABLE",
        0xC00000AD: "STATUS_INVALID_PIPE_STATE", 0xC00000B0: "STATUS_PIPE_DISCONNECTED",
        0xC00000B5: "STATUS_IO_TIMEOUT", 0xC00000BA: "STATUS_FILE_IS_A_DIRECTORY",
        0xC00000BB: "STATUS_NOT_SUPPORTED", 0xC00000C9: "STATUS_NETWORK_NAME_DELETED",
        0xC00000CC: "STATUS_BAD_NETWORK_NAME", 0xC0000101: "STATUS_DIRECTORY_NOT_EMPTY",
        0xC0000103: "STATUS_NOT_A_DIRECTORY", 0xC0000120: "STATUS_CANCELLED", 0xC0000121: "STATUS_CANNOT_DELETE",
        0xC0000128: "STATUS_FILE_CLOSED", 0xC000014B: "STATUS_PIPE_BROKEN", 0xC000015B: "STATUS_LOGON_TYPE_NOT_GRANTED",
        0xC000018D: "STATUS_TRUSTED_RELATIONSHIP_FAILURE", 0xC0000192: "STATUS_NETLOGON_NOT_STARTED",
        0xC0000193: "STATUS_ACCOUNT_EXPIRED", 0xC000019C: "STATUS_FS_DRIVER_REQUIRED",
        0xC0000203: "STATUS_USER_SESSION_DELETED", 0xC0000205: "STATUS_INSUFF_SERVER_RESOURCES",
        0xC0000224: "STATUS_PASSWORD_MUST_CHANGE", 0xC0000225: "STATUS_NOT_FOUND",
        0xC0000234: "STATUS_ACCOUNT_LOCKED_OUT", 0xC0000257: "STATUS_PATH_NOT_COVERED",
        0xC000035C: "STATUS_NETWORK_SESSION_EXPIRED", 0xC0000466: "STATUS_SERVER_UNAVAILABLE",
    }
)  # fmt: skip

_CONTROLS: Mapping[int, str] = MappingProxyType(
    {
        0x00060194: "FSCTL_DFS_GET_REFERRALS", 0x0011400C: "FSCTL_PIPE_PEEK", 0x00110018: "FSCTL_PIPE_WAIT",
        0x0011C017: "FSCTL_PIPE_TRANSCEIVE", 0x001440F2: "FSCTL_SRV_COPYCHUNK",
        0x00144064: "FSCTL_SRV_ENUMERATE_SNAPSHOTS", 0x00140078: "FSCTL_SRV_REQUEST_RESUME_KEY",
        0x001441BB: "FSCTL_SRV_READ_HASH", 0x001480F2: "FSCTL_SRV_COPYCHUNK_WRITE",
        0x001401D4: "FSCTL_LMR_REQUEST_RESILIENCY", 0x001401FC: "FSCTL_QUERY_NETWORK_INTERFACE_INFO",
        0x000900A4: "FSCTL_SET_REPARSE_POINT", 0x000601B0: "FSCTL_DFS_GET_REFERRALS_EX",
        0x00098208: "FSCTL_FILE_LEVEL_TRIM", 0x00140204: "FSCTL_VALIDATE_NEGOTIATE_INFO",
    }
)  # fmt: skip

_DISPOSITIONS = (
    "FILE_SUPERSEDE", "FILE_OPEN", "FILE_CREATE", "FILE_OPEN_IF", "FILE_OVERWRITE", "FILE_OVERWRITE_IF",
)  # fmt: skip


def smb2_command(command: int) -> str:
    """Return the name of a command."""
    return f"SMB2_COMMAND_{_SMB2[command]}" if command < len(_SMB2) else f"{command}"


def smb1_command(command: int) -> str:
    """Return the name of a command."""
    return f"SMB1_COMMAND_{_SMB1[command]}" if command in _SMB1 else f"{command}"


def dialect(number: int) -> str:
    """Return the name of a dialect of SMB 2 or 3."""
    return _DIALECTS.get(number, f"{number}")


def status(value: int) -> tuple[str, str]:
    """Return name and code of an NT status."""
    return _STATUSES.get(value, f"{value}"), f"0x{value:x}"


def dos_status(value: int) -> tuple[str, str]:
    """Return name and code of a DOS status: class, reserved byte, code; 0 is success as in NT."""
    if not value:
        return status(0)
    kind, code = value & 0xFF, value >> 16
    return f"UNKNOWN_{kind:02x}_{code:04x}", f"0x{code:04x}"


def disposition(value: int) -> str:
    """Return what is to happen if the file exists."""
    return _DISPOSITIONS[value] if value < len(_DISPOSITIONS) else "UNKNOWN"


def control(code: int) -> str:
    """Return the name of a control code."""
    return _CONTROLS.get(code, f"{code}")


def guid(raw: bytes) -> str:
    """Return 16 bytes as EVE shows them: each group reversed, the last one in two parts."""
    groups = (raw[3::-1], raw[5:3:-1], raw[7:5:-1], raw[9:7:-1], raw[11:9:-1] + raw[15:11:-1])
    return "-".join(group.hex() for group in groups)


def text(raw: bytes) -> str:
    """Return a name; bytes that are not UTF-8 are escaped."""
    return raw.decode("utf-8", "backslashreplace")
