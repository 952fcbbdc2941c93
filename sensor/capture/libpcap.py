"""The filter compiler of libpcap, through ctypes: tcpdump's language → classic BPF."""

import ctypes
import ctypes.util
from typing import Any

from sensor.errors import UsageError
from sensor.model.block import LINKTYPE_RAW

_NAMES = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so")
_SNAPLEN = 262_144
_NETMASK_UNKNOWN = 0xFFFFFFFF
_DLT = {LINKTYPE_RAW: 12}
"""Link types whose number in libpcap's calls is not that in files (Linux)."""


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.POINTER(_Instruction)))


class FilterSyntaxError(Exception):
    """libpcap's message about an expression."""


class Compiler:
    """libpcap, loaded. Raises UsageError where it is not installed."""

    def __init__(self) -> None:
        self._lib = _load()
        lib = self._lib
        lib.pcap_open_dead.restype = ctypes.c_void_p
        lib.pcap_open_dead.argtypes = (ctypes.c_int, ctypes.c_int)
        lib.pcap_compile.argtypes = (
            ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32,
        )  # fmt: skip
        lib.pcap_geterr.restype = ctypes.c_char_p
        lib.pcap_geterr.argtypes = (ctypes.c_void_p,)
        lib.pcap_freecode.argtypes = (ctypes.POINTER(_Program),)
        lib.pcap_freecode.restype = None
        lib.pcap_close.argtypes = (ctypes.c_void_p,)
        lib.pcap_close.restype = None

    def compile(self, expression: str, linktype: int) -> list[tuple[int, int, int, int]]:
        """Return the instructions (code, jt, jf, k) for frames of `linktype`. Raises FilterSyntaxError."""
        if "\0" in expression:
            raise FilterSyntaxError("it holds a NUL character")
        handle = self._lib.pcap_open_dead(_DLT.get(linktype, linktype), _SNAPLEN)
        if not handle:
            raise MemoryError
        program = _Program()
        try:
            text = expression.encode(errors="surrogateescape")
            if self._lib.pcap_compile(handle, ctypes.byref(program), text, 1, _NETMASK_UNKNOWN):
                raise FilterSyntaxError(self._lib.pcap_geterr(handle).decode(errors="replace"))
            found = [(i.code, i.jt, i.jf, i.k) for i in program.instructions[: program.length]]
            self._lib.pcap_freecode(ctypes.byref(program))
        finally:
            self._lib.pcap_close(handle)
        return found


def _load() -> Any:  # noqa: ANN401  # ctypes libraries have no type of their own
    for name in (*_NAMES, ctypes.util.find_library("pcap")):
        try:
            if name:
                return ctypes.CDLL(name)
        except OSError:
            continue
    raise UsageError(
        "a capture filter needs libpcap: install the package libpcap0.8 (Debian, Ubuntu) or libpcap"
    )
