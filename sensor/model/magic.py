"""What kind of file some bytes begin, in the words of file(1): for rules, whose authors know them from there.

The kinds that travel most are told apart, text and what is none of them as `data`; `VOCABULARY` holds all that may be
said, so that a rule about another kind is known never to match.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from types import MappingProxyType

HEAD = 4096
"""Bytes that are looked at."""

_STARTS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff\xe1", "JPEG image data, Exif standard"),
    (0, b"\xff\xd8\xff", "JPEG image data"),
    (0, b"BZh", "bzip2 compressed data"),
    (0, b"\xfd7zXZ\0", "XZ compressed data"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard compressed data"),
    (0, b"\x1f\x9d", "compress'd data"),
    (0, b"Rar!\x1a\7\1", "RAR archive data, v5"),
    (0, b"Rar!\x1a\7", "RAR archive data"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Composite Document File V2 Document"),
    (0, b"{\\rtf1", "Rich Text Format data, version 1"),
    (0, b"{\\rtf", "Rich Text Format data"),
    (257, b"ustar", "POSIX tar archive"),
    (0, b"BM", "PC bitmap"),
    (0, b"MSCF\0\0\0\0", "Microsoft Cabinet archive data"),
    (0, b"L\0\0\0\1\x14\2\0", "MS Windows shortcut"),
    (0, b"OggS", "Ogg data"),
    (8, b"WEBP", "RIFF (little-endian) data, Web/P image"),
    (8, b"WAVE", "RIFF (little-endian) data, WAVE audio"),
    (8, b"AVI ", "RIFF (little-endian) data, AVI"),
    (4, b"ftyp", "ISO Media"),
    (0, b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR", "EICAR virus test files"),
    (0, b"\xd4\xc3\xb2\xa1", "pcap capture file, microsecond ts (little-endian)"),
    (0, b"\xa1\xb2\xc3\xd4", "pcap capture file, microsecond ts (big-endian)"),
    (0, b"\n\r\r\n", "pcapng capture file"),
    (0, b"SQLite format 3\0", "SQLite 3.x database"),
    (0, b"regf", "MS Windows registry file, NT/2000 or above"),
    (0, b"ElfFile\0", "MS Windows Vista Event Log"),
    (0, b"%!PS-Adobe-3", "PostScript document text conforming DSC level 3"),
    (0, b"%!", "PostScript document text"),
    (0, b"-----BEGIN CERTIFICATE-----", "PEM certificate"),
    (0, b"-----BEGIN OPENSSH PRIVATE KEY-----", "OpenSSH private key"),
    (0, b"-----BEGIN RSA PRIVATE KEY-----", "PEM RSA private key"),
    (0, b"ITSF", "MS Windows HtmlHelp Data"),
    (0, b"!<arch>\n", "current ar archive"),
    (0, b"\xed\xab\xee\xdb", "RPM v3.0 bin"),
    (0, b"\xce\xfa\xed\xfe", "Mach-O i386"),
    (0, b"\xcf\xfa\xed\xfe", "Mach-O 64-bit x86_64"),
    (0, b"\0asm", "WebAssembly (wasm) binary module"),
    (0, b"wOFF", "Web Open Font Format"),
    (0, b"II*\0", "TIFF image data, little-endian"),
    (0, b"MM\0*", "TIFF image data, big-endian"),
    (0, b"\0\0\1\0", "MS Windows icon resource"),
)  # fmt: skip
"""(offset, bytes that stand there, description); the first that fits counts."""

_SCRIPTS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), text) for pattern, text in (
        (rb"\s{0,64}<!doctype\s{1,8}html|\s{0,64}<(?:html|head|title|body|script|h1)[\s>]", "HTML document"),
        (rb"\s{0,64}<\?xml\s{1,8}version=[\"']1\.0", "XML 1.0 document"),
        (rb"\s{0,64}<\?php", "PHP script"),
        (rb"@echo off", "DOS batch file"),
        (rb"#! ?/bin/sh", "POSIX shell script"),
        (rb"#! ?/(?:usr/)?bin/(?:env )?bash", "Bourne-Again shell script"),
        (rb"#! ?/usr/bin/(?:env )?python", "Python script"),
        (rb"#! ?/usr/bin/(?:env )?perl", "Perl script"),
    )
)  # fmt: skip
_EXECUTED = frozenset({"POSIX shell script", "Bourne-Again shell script", "Python script", "Perl script"})
_CONTROL = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
"""Bytes that no text has."""


def _pdf(head: bytes) -> str:
    found = re.match(rb"%PDF-([0-9]\.[0-9])", head)
    return f"PDF document, version {found[1].decode()}" if found else "PDF document"


_PNG_COLORS = MappingProxyType({
    0: "grayscale", 2: "/color RGB", 3: " colormap", 4: " gray+alpha", 6: "/color RGBA",
})  # fmt: skip


def _png(head: bytes) -> str:
    if len(head) < 29 or head[12:16] != b"IHDR":
        return "PNG image data"
    width, height, depth, color = struct.unpack_from(">IIBB", head, 16)
    name = _PNG_COLORS.get(color, "")
    space = " " if color == 0 else ""
    lines = "interlaced" if head[28] else "non-interlaced"
    return f"PNG image data, {width} x {height}, {depth}-bit{space}{name}, {lines}"


def _gif(head: bytes) -> str:
    if len(head) < 10:
        return "GIF image data"
    width, height = struct.unpack_from("<HH", head, 6)
    return f"GIF image data, version {head[3:6].decode('latin-1')}, {width} x {height}"


def _jfif(head: bytes) -> str:
    if len(head) < 13 or head[6:11] != b"JFIF\0":
        return "JPEG image data"
    return f"JPEG image data, JFIF standard {head[11]}.{head[12]:02d}"


def _zip(head: bytes) -> str:
    version = head[4] if len(head) > 4 else 20
    return f"Zip archive data, at least v{version // 10}.{version % 10} to extract"


_MACHINES = MappingProxyType({0x14C: "Intel 80386", 0x8664: "x86-64", 0x1C0: "ARM", 0x1C4: "ARMv7", 0xAA64: "Aarch64"})
_SUBSYSTEMS = MappingProxyType({1: "native", 2: "GUI", 3: "console"})
_DLL = 0x2000


def _executable(head: bytes) -> str:
    """Describe what begins with `MZ`: the header of PE stands where the word at 60 says."""
    at = int.from_bytes(head[60:64], "little") if len(head) >= 64 else 0
    if not 0 < at <= len(head) - 94 or head[at : at + 4] != b"PE\0\0":
        return "MS-DOS executable"
    machine, _, flags = struct.unpack_from("<HH14xH", head, at + 4)
    kind = "PE32+ executable" if head[at + 24 : at + 26] == b"\x0b\x02" else "PE32 executable"
    parts = [kind, *(["(DLL)"] if flags & _DLL else [])]
    subsystem = _SUBSYSTEMS.get(struct.unpack_from("<H", head, at + 92)[0])
    parts += [f"({subsystem})"] if subsystem else []
    return f"{' '.join(parts)} {_MACHINES.get(machine, 'unknown machine')}, for MS Windows"


_ELF_KINDS = MappingProxyType({1: "relocatable", 2: "executable", 3: "shared object", 4: "core file"})
_ELF_MACHINES = MappingProxyType({3: "Intel 80386", 8: "MIPS", 40: "ARM", 62: "x86-64", 183: "ARM aarch64"})


def _elf(head: bytes) -> str:
    if len(head) < 20:
        return "ELF"
    order = "LSB" if head[5] == 1 else "MSB"
    kind, machine = struct.unpack_from("<HH" if head[5] == 1 else ">HH", head, 16)
    bits = 64 if head[4] == 2 else 32
    name = _ELF_KINDS.get(kind, "unknown type")
    return f"ELF {bits}-bit {order} {name}, {_ELF_MACHINES.get(machine, 'unknown machine')}, version 1 (SYSV)"


def _java(head: bytes) -> str:
    return f"compiled Java class data, version {int.from_bytes(head[6:8], 'big')}.{int.from_bytes(head[4:6], 'big')}"


def _flash(head: bytes) -> str:
    packed = "" if head[:1] == b"F" else " (compressed)"
    return f"Macromedia Flash data{packed}, version {head[3] if len(head) > 3 else 0}"


def _seven(head: bytes) -> str:
    return f"7-zip archive data, version {head[6]}.{head[7]}" if len(head) > 7 else "7-zip archive data"


def _audio(head: bytes) -> str:
    return f"Audio file with ID3 version 2.{head[3]}.{head[4]}" if len(head) > 4 else "Audio file with ID3"


_READ: tuple[tuple[bytes, Callable[[bytes], str]], ...] = (
    (b"%PDF-", _pdf), (b"\x89PNG\r\n\x1a\n", _png), (b"GIF8", _gif), (b"\xff\xd8\xff\xe0", _jfif), (b"PK\3\4", _zip),
    (b"MZ", _executable), (b"\x7fELF", _elf), (b"\xca\xfe\xba\xbe", _java), (b"FWS", _flash), (b"CWS", _flash),
    (b"ZWS", _flash), (b"7z\xbc\xaf\x27\x1c", _seven), (b"ID3", _audio),
    (b"\x1f\x8b", lambda _head: "gzip compressed data"),
)  # fmt: skip
"""Kinds whose header says more, before `_STARTS`."""

VOCABULARY = " ".join((
    *(text for _, _, text in _STARTS), *(text for _, text in _SCRIPTS),
    *(read(start + bytes(128)) for start, read in _READ),
    *_PNG_COLORS.values(), *_MACHINES.values(), *_SUBSYSTEMS.values(), *_ELF_KINDS.values(), *_ELF_MACHINES.values(),
    "LSB MSB SYSV version JFIF standard PE32 PE32+ executable (DLL) (compressed) non-interlaced interlaced 87a 89a",
    "ASCII text UTF-8 Unicode text ISO-8859 text Non-ISO extended-ASCII text with no CRLF CR line terminators",
    "empty very short file (no magic) data",
)).lower()  # fmt: skip
"""Every word that a description may hold."""


def describe(data: bytes) -> str:
    """Return the description of a file that begins with some bytes."""
    if len(data) < 2:
        return "very short file (no magic)" if data else "empty"
    head = data[:HEAD]
    for start, read in _READ:
        if head.startswith(start):
            return read(head)
    for at, start, text in _STARTS:
        if head.startswith(start, at):
            return text
    return _text(head)


def _text(head: bytes) -> str:
    if _CONTROL.search(head):
        return "data"
    written = _encoding(head)
    for pattern, text in _SCRIPTS:
        if pattern.match(head):
            return f"{text}, {written} executable" if text in _EXECUTED else f"{text}, {written}{_lines(head)}"
    return written + _lines(head)


def _encoding(head: bytes) -> str:
    if head.isascii():
        return "ASCII text"
    try:
        head[:-4].decode()  # the last character may be cut
    except UnicodeDecodeError:
        return "Non-ISO extended-ASCII text" if re.search(rb"[\x80-\x9f]", head) else "ISO-8859 text"
    return "Unicode text, UTF-8 text"


def _lines(head: bytes) -> str:
    pairs, feeds = head.count(b"\r\n"), head.count(b"\n")
    if not feeds:
        return ", with CR line terminators" if b"\r" in head else ", with no line terminators"
    if not pairs:
        return ""
    return ", with CRLF line terminators" if pairs == feeds else ", with CRLF, LF line terminators"
