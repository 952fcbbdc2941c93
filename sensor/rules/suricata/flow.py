"""State shared by the packets of a flow (flow, flowbits, flowint), and how often a rule may alert."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.registry import BY_WORD
from sensor.rules import buffers, fields
from sensor.rules.check import transports
from sensor.rules.header import FLOW_SIDE, FLOW_STATE, TRACKS
from sensor.rules.nodes import FlowBits, FlowInt, FlowVar, HeaderTest, HostBit, PacketVar, Threshold
from sensor.rules.problems import one_of
from sensor.rules.suricata import content
from sensor.rules.suricata.numbers import integer, integer_or_name
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.rules.suricata.draft import Draft

_U32 = 0xFFFFFFFF
_SHOWING = frozenset({"http", "tls", "ssh", "smb", "ftp", "smtp"})
"""Protocols of which a side may speak nothing known, while the other shows what the flow speaks."""
_FAILED = ("failed", "ldap", "mysql", "pop3", "xen-migration")
"""What Suricata knows for no protocol."""
_ONLY: Mapping[str, str] = MappingProxyType({"only_stream": "stream", "no_stream": "packet"})
_FRAG: Mapping[str, int] = MappingProxyType({"only_frag": 1, "no_frag": 0})

_OF_A_FLOW = HeaderTest("flow.age", ">=", 0)
"""Holds for each packet of a flow: `stateless` makes a rule one about packets, whatever else it asks."""
_OF_A_PACKET = HeaderTest("ip.ttl", ">=", 0)
"""Holds for each packet, in a flow or not."""


def flow(draft: Draft, value: str) -> None:
    """`flow:established,to_server,only_stream`."""
    for word in (word.strip().lower() for word in value.split(",")):
        if word in FLOW_STATE:
            _once(draft, "established", FLOW_STATE[word], "states")
            if FLOW_STATE[word] is None:
                draft.conditions.append(_OF_A_FLOW)
        elif word in FLOW_SIDE:
            _once(draft, "direction", FLOW_SIDE[word], "directions")
        elif word in _ONLY:
            if draft.only not in ("", _ONLY[word]):
                raise Refused("only_stream and no_stream exclude each other")
            draft.only = _ONLY[word]
            if draft.only == "packet":  # any packet, where the rule has no content
                draft.conditions.append(_OF_A_PACKET)
        elif word in _FRAG:
            draft.conditions += (HeaderTest("ip.reassembled", "=", _FRAG[word]), _OF_A_FLOW)
        else:
            raise Refused(f"unknown word '{word[:30]}'", one_of(word, (*FLOW_STATE, *FLOW_SIDE, *_ONLY, *_FRAG)))


def _once(draft: Draft, name: str, value: bool | str | None, what: str) -> None:
    if draft.values.setdefault(name, value) != value:
        raise Refused(f"two {what} exclude each other")


def app_layer_protocol(draft: Draft, value: str) -> None:
    """`app-layer-protocol:[!]http`: as the protocol word of the header; `!`: it is known, and another."""
    draft.by_option = draft.proto in ("ip", "tcp", "udp") or draft.by_option
    if value.startswith("!"):
        _speaks_other(draft, value[1:].strip('" '))
        return
    if value.strip('" ') == "failed":
        known = fields.BY_NAME[fields.APP_PROTOCOL].names
        draft.conditions.append(HeaderTest(fields.APP_PROTOCOL, "in", values=tuple(known[name] for name in _FAILED)))
        return
    spec = buffers.application(value.strip('"'))
    if spec is None:
        raise Refused(f"protocol '{value[:30]}' is not parsed")
    name = buffers.word(spec, value.strip('"'))
    if draft.proto not in ("ip", "tcp", "udp", name):
        raise Refused(f"a rule on {draft.proto} cannot be about {name}")
    numbers = fields.BY_NAME[fields.APP_PROTOCOL].names
    spoken = HeaderTest(fields.APP_PROTOCOL, "in", values=tuple(numbers[each.name] for each in BY_WORD[name]))
    transport = transports(draft.proto) if draft.proto in ("tcp", "udp") else None
    if transport is None or all(transport.issuperset(each.transports) for each in BY_WORD[name]):
        draft.proto = name
        if _SHOWING.isdisjoint(each.name for each in BY_WORD[name]):
            return  # what the flow speaks both of its sides do
    draft.conditions.append(spoken)  # else the protocol's word would stand for more than the header's


def _speaks_other(draft: Draft, word: str) -> None:
    numbers = fields.BY_NAME[fields.APP_PROTOCOL].names
    names = _FAILED if word == "failed" else tuple(spec.name for spec in BY_WORD.get(word, ()))
    if not names:
        raise Refused(f"protocol '{word[:30]}' is not parsed")
    draft.conditions += (HeaderTest(fields.APP_PROTOCOL, "!=", numbers[name]) for name in names)


def flowbits(draft: Draft, value: str) -> None:
    """`flowbits:action,name[|name]`, `flowbits:noalert`."""
    action, comma, rest = value.partition(",")
    action = action.strip()
    if action == "noalert" and not comma:
        draft.values["noalert"] = True
        return
    if action not in ("set", "unset", "toggle", "isset", "isnotset"):
        raise Refused(f"unknown action '{action[:30]}'", "set, unset, toggle, isset, isnotset, noalert")
    names = tuple(name.strip() for name in rest.split("|"))
    if not all(names):
        raise Refused("the name of a bit is missing")
    draft.conditions.append(FlowBits(action, names))


def flowint(draft: Draft, value: str) -> None:
    """`flowint:name,action[,value]`."""
    words = [word.strip() for word in value.split(",")]
    if len(words) not in (2, 3) or not all(words):
        raise Refused("has the form name,action,value")
    action = {"isnotset": "notset", "notset": "notset", "isset": "isset"}.get(words[1], words[1])
    if action in ("isset", "notset"):
        draft.conditions.append(FlowInt(words[0], action))
        return
    if action not in ("=", "+", "-", "<", ">", "<=", ">=", "==", "!=") or len(words) != 3:
        raise Refused(f"unknown action '{words[1][:30]}', or no value", "= + - < > <= >= == != isset notset")
    draft.conditions.append(FlowInt(words[0], action, integer_or_name(words[2], 0, _U32, (words[2],))))


def kept_text(node: type[FlowVar | PacketVar]) -> Callable[[Draft, str], None]:
    """Return the handler of `flowvar:name,"text"` or `pktvar:name,"text"`: a regex has kept it under that name."""

    def handle(draft: Draft, value: str) -> None:
        name, comma, text = (part.strip() for part in value.partition(","))
        if not comma or not name or text.startswith("!"):
            raise Refused("has the form name,text", 'user,"root"')
        draft.conditions.append(node(name.strip('"'), content.loose_pattern(text).values["pattern"]))

    return handle


_BIT_ACTIONS = ("set", "unset", "toggle", "isset", "isnotset")
_XBIT_TRACKS: Mapping[str, str] = MappingProxyType({"ip_src": "by_src", "ip_dst": "by_dst", "ip_pair": "by_both"})
_HOST_ENDS: Mapping[str, str] = MappingProxyType({"src": "by_src", "dst": "by_dst"})
_XBIT_SECONDS = 30
"""How long `set` lasts where the rule does not say (Suricata's default)."""


def xbits(draft: Draft, value: str) -> None:
    """`xbits:set,name,track ip_src[,expire 60]`."""
    words = [word.strip() for word in value.split(",")]
    action, settings = words[0], dict(word.partition(" ")[::2] for word in words[2:])
    if action == "noalert" and len(words) == 1:
        draft.values["noalert"] = True
        return
    if action not in _BIT_ACTIONS or len(words) < 3 or not words[1]:
        raise Refused("has the form action,name,track ip_src", ", ".join(_BIT_ACTIONS))
    track = settings.pop("track", "").strip()
    expire = settings.pop("expire", "").strip()
    if track not in _XBIT_TRACKS or settings:
        raise Refused(f"unknown track '{track[:20]}' or setting", ", ".join(_XBIT_TRACKS))
    seconds = integer(expire, 1, _U32) if expire else _XBIT_SECONDS
    draft.conditions.append(HostBit(action, words[1], _XBIT_TRACKS[track], seconds))


def hostbits(draft: Draft, value: str) -> None:
    """`hostbits:set,name[,src|dst]`."""
    words = [word.strip() for word in value.split(",")]
    if words == ["noalert"]:
        draft.values["noalert"] = True
        return
    end = words[2] if len(words) == 3 else "src"
    if words[0] not in _BIT_ACTIONS or len(words) not in (2, 3) or not words[1] or end not in _HOST_ENDS:
        raise Refused("has the form action,name,src", f"{', '.join(_BIT_ACTIONS)}; src, dst")
    draft.conditions.append(HostBit(words[0], words[1], _HOST_ENDS[end]))


_SETTINGS = ("type", "track", "count", "seconds")
_LEADING = re.compile(r"\d+")


def _settings(value: str) -> dict[str, str]:
    """Return the four settings of a threshold. What stands behind the last one says nothing, as in Suricata."""
    found: dict[str, str] = {}
    for each in value.split(","):
        name, _, setting = each.strip().partition(" ")
        if name in found or (name not in _SETTINGS and len(found) < len(_SETTINGS)):
            raise Refused(f"unknown or repeated setting '{each.strip()[:30]}'", ", ".join(_SETTINGS))
        if name in _SETTINGS:
            found[name] = setting.strip()
            if len(found) == len(_SETTINGS):
                found[name] = found[name].partition(" ")[0]
    return found


def _threshold(draft: Draft, found: dict[str, str], least: int) -> None:
    for name in ("type", "track", "count", "seconds"):
        if name not in found:
            raise Refused(f"'{name}' is missing")
    if found["track"] not in TRACKS:
        raise Refused(f"unknown track '{found['track'][:20]}'", ", ".join(TRACKS))
    count, seconds = integer(found["count"], least, _U32), integer(found["seconds"], least, _U32)
    draft.thresholds.append(Threshold(found["type"], found["track"], count, seconds))


def threshold(draft: Draft, value: str) -> None:
    """`threshold: type limit, track by_src, count 1, seconds 60`. Units say nothing: `60m` is 60 seconds."""
    found = _settings(value)
    if found.get("type") not in ("limit", "threshold", "both"):
        raise Refused(f"unknown type '{found.get('type', '')[:20]}'", "limit, threshold, both")
    last = next(reversed(found))
    if last in ("count", "seconds") and (number := _LEADING.match(found[last])):
        found[last] = number[0]
    _threshold(draft, found, 0)


def detection_filter(draft: Draft, value: str) -> None:
    """`detection_filter: track by_src, count 15, seconds 2`."""
    found = _settings(value)
    if "type" in found:
        raise Refused("takes no type")
    _threshold(draft, found | {"type": "detection_filter"}, 1)
