"""Classes of alerts: short name → description (EVE `alert.category`) and severity."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sensor.rules.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


class Classification(NamedTuple):
    """What a class of alerts says."""

    category: str
    severity: int
    """1 is worst."""


def _table(severity: int, **classes: str) -> dict[str, Classification]:
    return {name.replace("_", "-"): Classification(text, severity) for name, text in classes.items()}


# Names and severities are those that rules written for Snort and Suricata use; the descriptions are what EVE
# consumers filter on, so they are the customary ones too.
DEFAULT: Mapping[str, Classification] = MappingProxyType(
    _table(
        1,
        attempted_user="Attempted User Privilege Gain",
        unsuccessful_user="Unsuccessful User Privilege Gain",
        successful_user="Successful User Privilege Gain",
        attempted_admin="Attempted Administrator Privilege Gain",
        successful_admin="Successful Administrator Privilege Gain",
        shellcode_detect="Executable code was detected",
        trojan_activity="A Network Trojan was detected",
        web_application_attack="Web Application Attack",
        policy_violation="Potential Corporate Privacy Violation",
        targeted_activity="Targeted Malicious Activity was Detected",
        exploit_kit="Exploit Kit Activity Detected",
        domain_c2="Domain Observed Used for C2 Detected",
        credential_theft="Successful Credential Theft Detected",
        command_and_control="Malware Command and Control Activity Detected",
    )
    | _table(
        2,
        bad_unknown="Potentially Bad Traffic",
        attempted_recon="Attempted Information Leak",
        successful_recon_limited="Information Leak",
        successful_recon_largescale="Large Scale Information Leak",
        attempted_dos="Attempted Denial of Service",
        successful_dos="Denial of Service",
        rpc_portmap_decode="Decode of an RPC Query",
        suspicious_filename_detect="A suspicious filename was detected",
        suspicious_login="An attempted login using a suspicious username was detected",
        system_call_detect="A system call was detected",
        unusual_client_port_connection="A client was using an unusual port",
        denial_of_service="Detection of a Denial of Service Attack",
        non_standard_protocol="Detection of a non-standard protocol or event",
        web_application_activity="access to a potentially vulnerable web application",
        misc_attack="Misc Attack",
        default_login_attempt="Attempt to login by a default username and password",
        external_ip_check="Device Retrieving External IP Address Detected",
        pup_activity="Possibly Unwanted Program Detected",
        social_engineering="Possible Social Engineering Attempted",
        coin_mining="Crypto Currency Mining Activity Detected",
    )
    | _table(
        3,
        not_suspicious="Not Suspicious Traffic",
        unknown="Unknown Traffic",
        string_detect="A suspicious string was detected",
        network_scan="Detection of a Network Scan",
        protocol_command_decode="Generic Protocol Command Decode",
        misc_activity="Misc activity",
        icmp_event="Generic ICMP event",
    )
    | _table(4, tcp_connection="A TCP connection was detected")
)

_LINE = re.compile(r"config\s+classification\s*:\s*([^,]+?)\s*,\s*([^,]+?)\s*,\s*([0-9]{1,3})\s*$")


def parse(text: str, file: str) -> tuple[dict[str, Classification], list[Problem]]:
    """Read a `classification.config`. A name given twice keeps its first meaning, as Suricata does."""
    found: dict[str, Classification] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.split("#", 1)[0].strip()
        if not stripped:
            continue
        match = _LINE.match(stripped)
        if match is None or not 1 <= int(match[3]) <= 255:
            hint = "config classification: name,description,priority (1-255)"
            problems.append(Problem(file, number, 1, "not a classification", hint))
            continue
        found.setdefault(match[1].lower(), Classification(match[2], int(match[3])))
    return found, problems
