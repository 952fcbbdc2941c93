"""Modbus for tests."""

import struct


def modbus(function, body=b"", transaction=1, unit=17, protocol=0):
    return struct.pack("!HHHBB", transaction, protocol, 2 + len(body), unit, function) + body


def words(*values):
    return struct.pack(f"!{len(values)}H", *values)


READ = modbus(3, words(99, 10))
READ_ANSWER = modbus(3, b"\x14" + b"v" * 20)
WRITE = modbus(16, words(499, 2) + b"\4" + words(7, 201), 2)
WRITE_ANSWER = modbus(16, words(499, 2), 2)
COILS = modbus(15, words(9, 10) + b"\2\x05\2", 3)
