"""Numbers in buffers and sizes: byte_test, byte_jump, byte_extract, byte_math, isdataat, bsize, urilen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensor.rules.nodes import Asn1, BufferSize, ByteExtract, ByteJump, ByteMath, ByteTest, IsDataAt
from sensor.rules.suricata.draft import Decoding
from sensor.rules.suricata.numbers import comparison, integer, integer_or_name, new_name
from sensor.rules.suricata.refusal import Refused
from sensor.rules.suricata.rpc import DCE

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sensor.rules.suricata.draft import Draft

_FAR = 65535
_SIZE = 1 << 31
_U32, _U64 = (1 << 32) - 1, (1 << 64) - 1
_BINARY, _TEXT = 8, 23
_BASES = ("hex", "dec", "oct")


def _words(value: str, least: int) -> list[str]:
    words = [word.strip() for word in value.split(",")]
    if len(words) < least or not all(words):
        raise Refused(f"needs {least} values, separated by commas")
    return words


class _Options:
    """The words behind the fixed values of byte_test, byte_jump and byte_extract."""

    def __init__(self, words: Sequence[str], allowed: Collection[str]) -> None:
        self.fields: dict[str, Any] = {}
        self.given: dict[str, str] = {}
        text = False
        for each in words:
            word, _, argument = each.partition(" ")
            text = text or word == "string"
            if word in ("relative", "align") and word in allowed and not (argument and word == "relative"):
                self.fields[word] = True
                self.given[word] = argument.strip()
            elif word in ("little", "big"):
                self.fields["endian"] = word
            elif word in _BASES:
                self.fields["base"] = word
            elif word == "dce":
                self.fields["endian"] = DCE
            elif word in allowed:
                self.given[word] = argument.strip()
            elif word != "string":
                raise Refused(f"unknown option '{each[:30]}'")
        if not text and "base" in self.fields:
            raise Refused("'string' and one of hex, dec, oct go together")
        if text:
            self.fields.setdefault("base", "auto")
        if "bitmask" in self.given:
            self.fields["bitmask"] = integer(_hex(self.given["bitmask"]), 0, _U32)

    @property
    def longest(self) -> int:
        """Most bytes that the number may have."""
        return _TEXT if "base" in self.fields else _BINARY

    def number(self, name: str, low: int, high: int, default: int) -> int:
        """Return the argument of an option."""
        return integer(self.given[name], low, high) if name in self.given else default


def _hex(text: str) -> str:
    return text if text.lower().startswith("0x") else f"0x{text}"


def byte_test(draft: Draft, value: str) -> None:
    """`byte_test:bytes,[!]op,value,offset[,relative][,little][,string,hex][,bitmask 0x…]`."""
    words = _words(value, 4)
    options = _Options(words[4:], ("relative", "bitmask"))
    known = draft.ctx.defined
    negated = words[1].startswith("!") and words[1] not in ("!", "!=")
    op = words[1][1:].strip() if negated else words[1]
    op = {"!": "!=", "==": "="}.get(op, op)
    if op not in ("<", ">", "=", "<=", ">=", "!=", "&", "^"):
        raise Refused(f"unknown operator '{words[1][:10]}'", "< > = <= >= & ^, with ! in front: not")
    # No size at all: as many digits as there are.
    nbytes = integer_or_name(words[0], int("base" not in options.fields), options.longest, known)
    limit = integer_or_name(words[2], -_U64, _U64, known)
    limit = limit & _U64 if isinstance(limit, int) else limit  # as strtoull(3) has it
    offset = integer_or_name(words[3], -_FAR, _FAR, known)
    test = ByteTest(nbytes, op, limit, offset, negated=negated, **options.fields)
    draft.add(test, relative=test.relative)


def byte_jump(draft: Draft, value: str) -> None:
    """`byte_jump:bytes,offset[,relative][,multiplier 2][,align][,from_beginning][,post_offset -4]…`."""
    words = _words(value, 2)
    allowed = ("relative", "align", "multiplier", "from_beginning", "from_end", "post_offset", "bitmask")
    options = _Options(words[2:], allowed)
    known = draft.ctx.defined
    nbytes = integer_or_name(words[0], 0, options.longest, known)
    offset = integer_or_name(words[1], -_FAR, _FAR, known)
    for name in ("from_beginning", "from_end"):
        if name in options.given:
            options.fields[name] = True
    post: int | str = 0
    if "post_offset" in options.given:
        post = integer_or_name(options.given["post_offset"], -_FAR, _FAR, known)
    multiplier = options.number("multiplier", 1, _FAR, 1)
    test = ByteJump(nbytes, offset, multiplier=multiplier, post_offset=post, **options.fields)
    draft.add(test, relative=test.relative)


def byte_extract(draft: Draft, value: str) -> None:
    """`byte_extract:bytes,offset,name[,relative][,multiplier 2][,align 4]…`."""
    words = _words(value, 3)
    options = _Options(words[3:], ("relative", "align", "multiplier"))
    align = options.fields.pop("align", 0)
    if align:
        align = integer(options.given["align"], 2, 4)
        if align == 3:
            raise Refused("align is 2 or 4")
    if options.fields.get("base") == "auto":
        options.fields["base"] = "dec"  # as Suricata has it here alone
    nbytes = integer(words[0], 1, options.longest)
    offset = integer_or_name(words[1], -_FAR, _FAR, draft.ctx.defined)
    multiplier = options.number("multiplier", 1, _FAR, 1)
    name = new_name(words[2])
    test = ByteExtract(nbytes, name, offset, multiplier=multiplier, align=align, **options.fields)
    draft.add(test, relative=test.relative)
    draft.ctx.defined.add(name)


_MATH = ("bytes", "offset", "oper", "rvalue", "result", "endian", "string", "bitmask", "relative", "dce")


def byte_math(draft: Draft, value: str) -> None:
    """`byte_math:bytes 4, offset 0, oper +, rvalue 1, result name[, relative][, endian little]…`."""
    given: dict[str, str] = {}
    for each in _words(value, 5):
        word, _, argument = each.partition(" ")
        if word not in _MATH or word in given:
            raise Refused(f"unknown or repeated option '{each[:30]}'", ", ".join(_MATH))
        given[word] = argument.strip()
    for word in ("bytes", "offset", "oper", "rvalue", "result"):
        if not given.get(word):
            raise Refused(f"'{word}' is missing")
    base, endian = given.get("string", ""), given.get("endian", "big")
    if base not in ("", *_BASES) or endian not in ("big", "little"):
        raise Refused("unknown byte order or base of the number", "endian big, little; string hex, dec, oct")
    if given["oper"] not in ("+", "-", "*", "/", "<<", ">>"):
        raise Refused(f"unknown operator '{given['oper'][:10]}'", "+ - * / << >>")
    known = draft.ctx.defined
    name = new_name(given["result"])
    test = ByteMath(
        integer_or_name(given["bytes"], 1, _TEXT if base else _BINARY, known),
        name,
        given["oper"],
        integer_or_name(given["rvalue"], 0, _U32, known),
        integer_or_name(given["offset"], -_FAR, _FAR, known),
        "relative" in given,
        DCE if "dce" in given else endian,
        base,
        integer(_hex(given["bitmask"]), 0, _U32) if "bitmask" in given else 0,
    )
    draft.add(test, relative=test.relative)
    draft.ctx.defined.add(name)


def isdataat(draft: Draft, value: str) -> None:
    """`isdataat:[!]length[,relative][,rawbytes]`."""
    words = _words(value, 1)
    unknown = set(words[1:]) - {"relative", "rawbytes"}
    if unknown:
        raise Refused(f"unknown option '{min(unknown)[:30]}'", "relative, rawbytes")
    negated = words[0].startswith("!")
    length = integer_or_name(words[0].lstrip("! "), 0, _SIZE, draft.ctx.defined)
    relative = "relative" in words
    if negated and relative and length == 1 and draft.end_of_last():
        return  # nothing else can be meant behind what may not be there, and Suricata takes it so
    draft.add(IsDataAt(length, relative, negated), relative=relative)


def bsize(draft: Draft, value: str) -> None:
    """`bsize:8`, `bsize:<8`, `bsize:2<>8`."""
    found = comparison(value, _SIZE)
    draft.add(BufferSize(found.op, found.low, found.high))


def urilen(draft: Draft, value: str) -> None:
    """`urilen:8[,raw|norm]`: size of the URI. Ranges exclude their ends, as everywhere in Suricata."""
    size, comma, form = value.partition(",")
    if comma and form.strip() not in ("raw", "norm"):
        raise Refused(f"unknown form '{form[:20]}' of the URI", "raw, norm")
    found = comparison(size, _FAR)
    buffer = "http.uri.raw" if form.strip() == "raw" else "http.uri"
    draft.add_aside(buffer, BufferSize(found.op, found.low, found.high))


def base64_decode(draft: Draft, value: str) -> None:
    """`base64_decode[:bytes 20][,offset 4][,relative]`."""
    given: dict[str, str] = {}
    for each in (each.strip() for each in value.split(",") if each.strip()):
        word, _, argument = each.partition(" ")
        if word not in ("bytes", "offset", "relative") or word in given or bool(argument) != (word != "relative"):
            raise Refused(f"unknown or repeated option '{each[:30]}'", "bytes 20, offset 4, relative")
        given[word] = argument.strip()
    nbytes = integer(given["bytes"], 0, _FAR) if "bytes" in given else 0
    relative = "relative" in given
    draft.add(Decoding(nbytes, integer(given.get("offset", "0"), 0, _FAR), relative), relative=relative)


def base64_data(draft: Draft, value: str) -> None:
    """`base64_data`: the tests to come are about what base64_decode decoded."""
    if value:
        raise Refused("takes no value")
    draft.select_decoded()


_ASN1_FLAGS = ("bitstring_overflow", "double_overflow")


def asn1(draft: Draft, value: str) -> None:
    """`asn1:bitstring_overflow,double_overflow,oversize_length 500,relative_offset 3`."""
    found: dict[str, Any] = {}
    for word in (word.strip() for word in value.split(",")):
        name, _, number = word.partition(" ")
        if name in _ASN1_FLAGS and not number:
            found[name] = True
        elif name == "oversize_length":
            found["oversize"] = integer(number, 1, 0xFFFFFFFF)
        elif name in ("absolute_offset", "relative_offset") and "offset" not in found:
            relative = name == "relative_offset"
            found |= {"offset": integer(number, -65535 if relative else 0, 65535), "relative": relative}
        else:
            raise Refused(f"unknown or repeated option '{word[:30]}'", "asn1:bitstring_overflow,relative_offset 3")
    if not found.keys() - {"offset", "relative"}:
        raise Refused("asks for nothing", ", ".join((*_ASN1_FLAGS, "oversize_length")))
    draft.add(Asn1(**found), relative=found.get("relative", False))
