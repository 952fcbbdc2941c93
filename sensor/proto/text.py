"""Bytes from the wire as text for EVE."""


def text(raw: bytes) -> str:
    """Return UTF-8 as text; where some of it is not valid, each byte beyond ASCII as backslash, x and two digits."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("ascii", "backslashreplace")
