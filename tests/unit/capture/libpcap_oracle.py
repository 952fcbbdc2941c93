"""libpcap's own filter machine, to compare with."""

import ctypes

from sensor.capture.libpcap import Compiler, _Instruction, _Program


class _Header(ctypes.Structure):
    _fields_ = (
        ("sec", ctypes.c_long),
        ("usec", ctypes.c_long),
        ("caplen", ctypes.c_uint32),
        ("len", ctypes.c_uint32),
    )


class Oracle:
    """Runs a list of instructions over frames."""

    def __init__(self):
        self._lib = Compiler()._lib
        self._lib.pcap_offline_filter.argtypes = (
            ctypes.POINTER(_Program), ctypes.POINTER(_Header), ctypes.c_char_p,
        )  # fmt: skip

    def accepts(self, program, data, wirelen):
        instructions = (_Instruction * len(program))(*(_Instruction(*i) for i in program))
        whole = _Program(len(program), instructions)
        header = _Header(0, 0, len(data), wirelen)
        return bool(self._lib.pcap_offline_filter(ctypes.byref(whole), ctypes.byref(header), data))
