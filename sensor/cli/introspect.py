"""`xensor --list-keywords`, `--list-app-layer-protos`: what rules can name."""

from __future__ import annotations

from sensor.cli.screen import out


def protocols() -> None:
    """Print the application protocols that are parsed."""
    from sensor.proto.registry import PROTOCOLS

    for spec in PROTOCOLS:
        out(spec.name)


def keywords() -> None:
    """Print the buffers and fields that rules can test, each once and with its meaning, then Suricata's keywords."""
    from sensor.proto.registry import PROTOCOLS
    from sensor.rules.buffers import CORE
    from sensor.rules.fields import FIELDS
    from sensor.rules.suricata.keywords import KEYWORDS

    for name, text in CORE.items():
        _entry(name, text, ())
    seen: set[str] = set()
    for spec in PROTOCOLS:
        for buffer in spec.buffers:
            if "@" not in buffer.name and buffer.name not in seen:
                seen.add(buffer.name)
                _entry(buffer.name, buffer.help, buffer.aliases)
    for entry in FIELDS:
        _entry(entry.name, entry.help, entry.aliases)
    out("\nin rules of Suricata's form, beside these names:")
    for name in sorted(KEYWORDS):
        out(f"  {name}")


def _entry(name: str, text: str, aliases: tuple[str, ...]) -> None:
    also = f" (also {', '.join(aliases)})" if aliases else ""
    out(f"{name:28} {text}{also}".rstrip())
