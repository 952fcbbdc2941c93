"""`xensor --list-keywords`, `--list-app-layer-protos`: what rules can name."""

from __future__ import annotations

from sensor.cli.screen import out


def protocols() -> None:
    """Print the application protocols that are parsed."""
    from sensor.proto.registry import PROTOCOLS

    for spec in PROTOCOLS:
        out(spec.name)


def keywords() -> None:
    """Print the buffers and header fields that rules can test, each with its meaning."""
    from sensor.proto.registry import PROTOCOLS
    from sensor.rules.fields import FIELDS

    for spec in PROTOCOLS:
        for buffer in spec.buffers:
            if "@" not in buffer.name:
                _entry(buffer.name, buffer.help, buffer.aliases)
    for entry in FIELDS:
        _entry(entry.name, entry.help, entry.aliases)


def _entry(name: str, text: str, aliases: tuple[str, ...]) -> None:
    also = f" (also {', '.join(aliases)})" if aliases else ""
    out(f"{name:28} {text}{also}".rstrip())
