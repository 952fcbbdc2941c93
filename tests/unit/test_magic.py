"""Descriptions of files: those of file(1) 5.44 where it says more than is told here, their beginnings."""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile

import pytest

from sensor.model.files import FileInfo
from sensor.model.magic import VOCABULARY, describe
from sensor.rules.check import unmatchable
from sensor.rules.nodes import All, BufferMatch, Content, Rule


def portable(machine, optional, flags, subsystem):
    head = struct.pack("<HHIIIHH", machine, 3, 0, 0, 0, 240, flags)
    window = struct.pack("<H", optional) + bytes(66) + struct.pack("<H", subsystem)
    return b"MZ" + bytes(58) + struct.pack("<I", 0x80) + bytes(64) + b"PE\0\0" + head + window + bytes(200)


def elf(bits, kind, machine):
    return b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9) + struct.pack("<HHI", kind, machine, 1) + bytes(40)


def png(color, interlaced=0):
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBB", 10, 20, 8, color) + bytes([0, 0, interlaced])


def archive(kind):
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w") as file:
            file.writestr(zipfile.ZipInfo("a"), "text")
    else:
        with tarfile.open(fileobj=out, mode="w") as file:
            file.addfile(tarfile.TarInfo("a"))
    return out.getvalue()


@pytest.mark.parametrize(("data", "expected"), [
    (b"%PDF-1.5\n%\xe2\xe3", "PDF document, version 1.5"),
    (png(6), "PNG image data, 10 x 20, 8-bit/color RGBA, non-interlaced"),
    (png(3, 1), "PNG image data, 10 x 20, 8-bit colormap, interlaced"),
    (png(0), "PNG image data, 10 x 20, 8-bit grayscale, non-interlaced"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\1\0\x48\0\x48\0\0", "JPEG image data, JFIF standard 1.01"),
    (b"\xff\xd8\xff\xe1\0\x10Exif\0\0MM\0*", "JPEG image data, Exif standard"),
    (b"\xff\xd8\xff\xdb" + bytes(9), "JPEG image data"),
    (b"GIF89a\1\0\2\0", "GIF image data, version 89a, 1 x 2"),
    (archive("zip"), "Zip archive data, at least v2.0 to extract"),
    (archive("tar"), "POSIX tar archive"),
    (gzip.compress(b"x", mtime=0), "gzip compressed data"),
    (bz2.compress(b"x"), "bzip2 compressed data"),
    (lzma.compress(b"x"), "XZ compressed data"),
    (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(30), "7-zip archive data, version 0.4"),
    (b"Rar!\x1a\7\1\0" + bytes(20), "RAR archive data, v5"),
    (b"CWS\x0a" + bytes(20), "Macromedia Flash data (compressed), version 10"),
    (bytes.fromhex("cafebabe00000034") + bytes(20), "compiled Java class data, version 52.0"),
    (b"ID3\3\0" + bytes(20), "Audio file with ID3 version 2.3.0"),
    (b"RIFF\x10\0\0\0WEBPVP8 ", "RIFF (little-endian) data, Web/P image"),
    (b"\0\0\0\x18ftypmp42" + bytes(20), "ISO Media"),
    (portable(0x14C, 0x10B, 0x102, 2), "PE32 executable (GUI) Intel 80386, for MS Windows"),
    (portable(0x14C, 0x10B, 0x2102, 2), "PE32 executable (DLL) (GUI) Intel 80386, for MS Windows"),
    (portable(0x8664, 0x20B, 0x22, 3), "PE32+ executable (console) x86-64, for MS Windows"),
    (b"MZ" + bytes(162), "MS-DOS executable"),
    (b"MZ", "MS-DOS executable"),
    (elf(64, 2, 62), "ELF 64-bit LSB executable, x86-64, version 1 (SYSV)"),
    (elf(32, 3, 3), "ELF 32-bit LSB shared object, Intel 80386, version 1 (SYSV)"),
    (b"<html><body>x</body></html>", "HTML document, ASCII text, with no line terminators"),
    (b"<!DOCTYPE html>\r\n<html>", "HTML document, ASCII text, with CRLF line terminators"),
    (b'<?xml version="1.0"?>\n<a/>', "XML 1.0 document, ASCII text"),
    (b"#!/bin/sh\necho\n", "POSIX shell script, ASCII text executable"),
    (b"@echo off\r\n", "DOS batch file, ASCII text, with CRLF line terminators"),
    (b"hello world\n", "ASCII text"),
    (b"hello\r\nworld\n", "ASCII text, with CRLF, LF line terminators"),
    ("héllo\n".encode(), "Unicode text, UTF-8 text"),
    (b"h\xe9llo world\n", "ISO-8859 text"),
    (b"", "empty"),
    (b"x", "very short file (no magic)"),
    (b"\1\2\3\4\xff", "data"),
], ids=lambda value: value if isinstance(value, str) else "data")  # fmt: skip
def test_descriptions(data, expected):
    assert describe(data) == expected
    words = (word.strip("(),").lower() for word in expected.split())
    assert [word for word in words if word.isalpha() and word not in VOCABULARY] == []


def test_what_is_cut_anywhere_is_described():
    whole = [png(6), portable(0x14C, 0x10B, 0x102, 2), elf(64, 2, 62), b"GIF89a\1\0\2\0", b"%PDF-1.5"]
    assert all(describe(data[:size]) for data in whole for size in range(len(data)))


def test_the_buffer_is_the_description():
    file = FileInfo(b"a", b"%PDF-1.4", 8, complete=True)
    assert file.buffer("file.magic@to_client") == (b"PDF document, version 1.4",)


def test_rules_about_kinds_that_are_not_told_apart_can_never_match():
    def rule(text, *, negated=False):
        return Rule(1, "", "http", All((BufferMatch("file.magic", (Content(text, negated=negated),)),)))

    assert not unmatchable(rule(b"PE32 executable"))
    assert not unmatchable(rule(b"PNG image data, 1 x 1,"))
    assert "'stata'" in unmatchable(rule(b"Stata DTA"))
    assert not unmatchable(rule(b"Stata DTA", negated=True))
