"""The `dnp3` object of EVE (Suricata's names; values of objects are left out)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.dnp3.link import Frame
from sensor.proto.dnp3.parse import CON, FIN, FIR, UNS, Fragment

FUNCTIONS: Mapping[str, int] = MappingProxyType(
    {
        **{
            word: number
            for number, word in enumerate(
                (
                    "confirm", "read", "write", "select", "operate", "direct_operate", "direct_operate_nr",
                    "immed_freeze", "immed_freeze_nr", "freeze_clear", "freeze_clear_nr", "freeze_at_time",
                    "freeze_at_time_nr", "cold_restart", "warm_restart", "initialize_data", "initialize_appl",
                    "start_appl", "stop_appl", "save_config", "enable_unsolicited", "disable_unsolicited",
                    "assign_class", "delay_measure", "record_current_time", "open_file", "close_file", "delete_file",
                    "get_file_info", "authenticate_file", "abort_file", "activate_config", "authenticate_req",
                    "authenticate_err",
                )
            )
        },
        "response": 129, "unsolicited_response": 130, "authenticate_resp": 131,
    }
)  # fmt: skip
"""Words for function codes (IEEE 1815 section 4.4)."""

INDICATIONS: Mapping[str, int] = MappingProxyType(
    {
        "all_stations": 0x0100, "class_1_events": 0x0200, "class_2_events": 0x0400, "class_3_events": 0x0800,
        "need_time": 0x1000, "local_control": 0x2000, "device_trouble": 0x4000, "device_restart": 0x8000,
        "no_func_code_support": 0x0001, "object_unknown": 0x0002, "parameter_error": 0x0004,
        "event_buffer_overflow": 0x0008, "already_executing": 0x0010, "config_corrupt": 0x0020,
        "reserved_1": 0x0040, "reserved_2": 0x0080,
    }
)  # fmt: skip
"""Words for the bits of internal indications (section 4.3)."""

_DIR, _PRM, _FCB, _FCV = 0x80, 0x40, 0x20, 0x10
_SHOWN = 64
"""Object headers that a record lists."""


def fields(frame: Frame, fragment: Fragment) -> dict[str, Any]:
    """Return the EVE object of a fragment, with the last frame that carried it."""
    control, app = frame.control, fragment.control
    found: dict[str, Any] = {
        "type": ("unsolicited_response" if app & UNS else "response") if fragment.is_response else "request",
        "control": {
            "dir": bool(control & _DIR), "pri": bool(control & _PRM), "fcb": bool(control & _FCB),
            "fcv": bool(control & _FCV), "function_code": control & 15,
        },
        "src": frame.source,
        "dst": frame.destination,
        "application": {
            "control": {
                "fir": bool(app & FIR), "fin": bool(app & FIN), "con": bool(app & CON), "uns": bool(app & UNS),
                "sequence": app & 15,
            },
            "function_code": fragment.function,
            **_objects(fragment),
            "complete": not (fragment.malformed or fragment.unknown or fragment.crowded or fragment.overfull),
        },
    }  # fmt: skip
    if not fragment.is_response:
        return found
    set_bits = [word for word, bit in INDICATIONS.items() if fragment.indications & bit]
    return found | {"iin": {"indicators": set_bits} if set_bits else {}}


def of_alert(found: dict[str, Any]) -> dict[str, Any]:
    """Return the object as alerts have it: under what the message is."""
    return {"request" if found["type"] == "request" else "response": found}


def _objects(fragment: Fragment) -> dict[str, Any]:
    listed = [
        {
            "group": one.group, "variation": one.variation, "qualifier": one.qualifier,
            "prefix_code": one.qualifier >> 4 & 7, "range_code": one.qualifier & 15, "start": one.start,
            "stop": one.stop, "count": one.count,
        }
        for one in fragment.objects[:_SHOWN]
    ]  # fmt: skip
    return {"objects": listed} if listed else {}
