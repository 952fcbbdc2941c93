"""Bounds that settings must keep."""


def within(name: str, value: int, low: int, high: int) -> None:
    """Raise ValueError, which names the setting, unless low <= value <= high."""
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low}-{high}, not {value}")
