"""The EVE `dns` object, version 2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensor.proto.dns import names
from sensor.proto.dns.rdata import describe
from sensor.proto.text import text

if TYPE_CHECKING:
    from sensor.proto.dns.parse import Message, Question, Record

_FLAGS = (("qr", 0x8000), ("aa", 0x0400), ("tc", 0x0200), ("rd", 0x0100), ("ra", 0x0080), ("z", 0x0040))

_Z = 0x0040


def dns(message: Message, tx_id: int) -> dict[str, Any]:
    """Return the object: `query` for a question, `answer` for a response."""
    return _answer(message, tx_id) if message.is_response else _query(message, tx_id)


def of_alert(message: Message, tx_id: int) -> dict[str, Any]:
    """Return the object as alerts have it: a list of queries, or the answer."""
    if message.is_response:
        return {"version": 2, "answer": _answer(message, tx_id)}
    asked = _query(message, tx_id)
    shared = {key: value for key, value in asked.items() if key not in {"version", "rrname", "rrtype", "queries"}}
    rows = asked.get("queries") or [{key: asked[key] for key in ("rrname", "rrtype") if key in asked}]
    return {"version": 2, "query": [shared | row for row in rows]}


def _query(message: Message, tx_id: int) -> dict[str, Any]:
    out: dict[str, Any] = {"version": 2, "type": "query", "id": message.id}
    _question(out, message.questions)
    out["tx_id"] = tx_id
    if message.flags & _Z:
        out["z"] = True
    out["opcode"] = message.opcode
    return out


def _answer(message: Message, tx_id: int) -> dict[str, Any]:
    out: dict[str, Any] = {"version": 2, "type": "answer", "id": message.id, "flags": f"{message.flags:x}"}
    for key, bit in _FLAGS:
        if message.flags & bit:
            out[key] = True
    out["opcode"] = message.opcode
    _question(out, message.questions)
    out["rcode"] = names.rcode(message.rcode)
    out["tx_id"] = tx_id
    for key, records in (("answers", message.answers), ("authorities", message.authorities)):
        if records:
            out[key] = [_record(message.data, record) for record in records]
    grouped = _grouped(out.get("answers", []))
    if grouped:
        out["grouped"] = grouped
    return out


def _question(out: dict[str, Any], questions: list[Question]) -> None:
    rows = [{"rrname": text(q.name), "rrtype": names.rrtype(q.rrtype)} for q in questions]
    if rows:
        out.update(rows[0])
    if len(rows) > 1:
        out["queries"] = rows


def _record(data: bytes, record: Record) -> dict[str, Any]:
    kind = names.rrtype(record.rrtype)
    out: dict[str, Any] = {"rrname": text(record.name), "rrtype": kind, "ttl": record.ttl}
    plain, fields = describe(data, record)
    if plain is not None:
        out["rdata"] = plain
    if fields is not None:
        out[kind.lower()] = fields
    return out


def _grouped(answers: list[dict[str, Any]]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for answer in answers:
        if "rdata" in answer:
            kind = answer["rrtype"]
            out.setdefault(kind, []).append(answer.get(kind.lower(), answer["rdata"]))
    return out
