"""Bytes from the wire as text for EVE."""


def text(raw: bytes) -> str:
    """Return UTF-8 as text, each byte that is not valid there as backslash, x and two digits."""
    return raw.decode("utf-8", "backslashreplace")
