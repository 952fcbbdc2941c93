"""Keywords about TLS that name no buffer: validity of certificates, version and state of the handshake."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.tls.views import STATES
from sensor.rules.nodes import HeaderTest, Regex
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sensor.rules.suricata.draft import Draft

_DATE = r"[0-9]{4}-[0-9]{2}(?:-[0-9]{2}(?:[T ][0-9]{2}(?::[0-9]{2}){0,2})?)?|[0-9]{1,11}"
"""A day, or seconds since 1970."""
_WHEN = re.compile(rf"(?P<op>[<>]?)\s*(?P<date>{_DATE})|(?P<low>{_DATE})\s*<>\s*(?P<high>{_DATE})")
_FORMS = ("%Y-%m", "%Y-%m-%d", "%Y-%m-%dT%H", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
_VERSIONS: Mapping[str, str] = MappingProxyType(
    {
        "sslv2": "sslv2", "sslv3": "sslv3", "tls1.0": "1.0", "tls1.1": "1.1", "tls1.2": "1.2", "tls1.3": "1.3",
    }
)  # fmt: skip
"""Word of a rule → value of `tls.version`."""
_DRAFTS = "|0x7f(?:01|1[0-9a-c])"


def validity(end: str) -> Callable[[Draft, str], None]:
    """Return the handler of `tls_cert_notbefore:<2016-05-01` and its like. end: notbefore, notafter."""

    def handle(draft: Draft, value: str) -> None:
        found = _WHEN.fullmatch(value.strip('" '))
        if found is None:
            raise Refused(f"'{value[:40]}' is no date", "<2016-05-01, 2016-01-01<>2016-12-31T12:00:00")
        field = f"tls.cert_{end}"
        if found["low"]:
            draft.conditions.append(HeaderTest(field, "<>", _seconds(found["low"]), _seconds(found["high"])))
        else:
            draft.conditions.append(HeaderTest(field, found["op"] or "=", _seconds(found["date"])))

    return handle


def _seconds(text: str) -> int:
    if text.isdecimal():
        return int(text)
    for form in _FORMS:
        try:
            return int(datetime.strptime(text.replace(" ", "T"), form).replace(tzinfo=UTC).timestamp())
        except ValueError:
            continue
    raise Refused(f"'{text[:40]}' is no date")


def verdict(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of `tls_cert_expired` and `tls_cert_valid`."""

    def handle(draft: Draft, value: str) -> None:
        if value:
            raise Refused("takes no value")
        draft.conditions.append(HeaderTest(name, "=", 1))

    return handle


def state(draft: Draft, value: str) -> None:
    """`ssl_state:client_hello|server_hello`, `:!server_keyx`: the first packet of a side that finds one of these.

    `unknown` is never found. A state that must not be is one of several that may hold, as in Suricata.
    """
    words = [word.strip() for word in re.split(r"[|,]", value)]
    fits, negated = ({word.lstrip("! ") for word in words if word.startswith("!") is no} for no in (False, True))
    wrong = next((word for word in (*fits, *negated) if word not in (*STATES[1:], "unknown")), None)
    if wrong is not None:
        raise Refused(f"'{wrong[:20]}' is no state", ", ".join((*STATES[1:], "unknown")))
    found = [word for word in STATES if word in fits or negated - {word}]
    if not found:
        raise Refused("'unknown' is never found")
    others = "|".join(f"{word} " for word in STATES if word not in found)
    before = f"(?:{others})*" if others else ""
    draft.add_aside("tls.state", Regex(f"^{before}(?:{'|'.join(found)})$", "E"))


def version(draft: Draft, value: str) -> None:
    """`ssl_version:tls1.0,tls1.1`, `ssl_version:!tls1.2,!tls1.3`."""
    words = [word.strip().lower() for word in value.strip('" ').split(",")]
    negated = [word.startswith("!") for word in words]
    plain = [word.lstrip("! ") for word in words]
    if any(word not in _VERSIONS for word in plain):
        raise Refused(f"'{value[:40]}' names no versions", ", ".join(_VERSIONS))
    if any(negated) and not all(negated):
        raise Refused("a list names what may be or what may not be, not both")
    draft.add_aside("tls.version", one_of((_VERSIONS[word] for word in plain), negated=all(negated)))


def one_of(versions: Iterable[str], *, negated: bool = False) -> Regex:
    """Return the test of values of `tls.version`. A draft of TLS 1.3 (`0x7f1c`) is that version, as in Suricata."""
    listed = "|".join(re.escape(word) + _DRAFTS * (word == "1.3") for word in versions)
    return Regex(f"^(?:{listed})$", "E", negated=negated)
