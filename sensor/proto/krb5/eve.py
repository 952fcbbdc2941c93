"""The `krb5` object of EVE (Suricata's names)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.krb5.parse import KRB_ERROR, STRONG, KrbMessage
from sensor.proto.text import text

KINDS: Mapping[int, str] = MappingProxyType(
    {10: "KRB_AS_REQ", 11: "KRB_AS_REP", 12: "KRB_TGS_REQ", 13: "KRB_TGS_REP", 30: "KRB_ERROR"}
)

ETYPES: Mapping[int, str] = MappingProxyType(
    {
        1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 5: "des3-cbc-md5", 7: "des3-cbc-sha1",
        16: "des3-cbc-sha1-kd", 17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96",
        19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192", 23: "rc4-hmac", 24: "rc4-hmac-exp",
        25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac",
    }
)  # fmt: skip
"""https://www.iana.org/assignments/kerberos-parameters, encryption types."""

ERRORS: Mapping[int, str] = MappingProxyType(
    {
        0: "KDC_ERR_NONE", 1: "KDC_ERR_NAME_EXP", 2: "KDC_ERR_SERVICE_EXP", 3: "KDC_ERR_BAD_PVNO",
        6: "KDC_ERR_C_PRINCIPAL_UNKNOWN", 7: "KDC_ERR_S_PRINCIPAL_UNKNOWN", 12: "KDC_ERR_POLICY",
        13: "KDC_ERR_BADOPTION", 14: "KDC_ERR_ETYPE_NOSUPP", 18: "KDC_ERR_CLIENT_REVOKED",
        23: "KDC_ERR_KEY_EXPIRED", 24: "KDC_ERR_PREAUTH_FAILED", 25: "KDC_ERR_PREAUTH_REQUIRED",
        31: "KRB_AP_ERR_BAD_INTEGRITY", 32: "KRB_AP_ERR_TKT_EXPIRED", 34: "KRB_AP_ERR_REPEAT",
        37: "KRB_AP_ERR_SKEW", 41: "KRB_AP_ERR_MODIFIED", 52: "KRB_ERR_RESPONSE_TOO_BIG", 60: "KRB_ERR_GENERIC",
        68: "KDC_ERR_WRONG_REALM",
    }
)  # fmt: skip
"""RFC 4120 section 7.5.9: those that are met in practice."""


def fields(message: KrbMessage, asked: int | None = None) -> dict[str, Any]:
    """Return the EVE object of a message. asked: kind of the request that an error answers; None: it is not known."""
    found: dict[str, Any] = {"msg_type": KINDS[message.kind]}
    if message.kind == KRB_ERROR and asked is not None:
        found["failed_request"] = KINDS[asked]
    if message.kind == KRB_ERROR and message.error is not None:
        found["error_code"] = ERRORS.get(message.error, str(message.error))
    found["cname"] = _name(message.cname)
    found["realm"] = text(message.realm) or "<empty>"
    found["sname"] = _name(message.sname)
    found["encryption"] = "<none>" if message.etype is None else etype(message.etype)
    found["weak_encryption"] = weak(message.etype)
    if message.ticket_etype is not None:
        found["ticket_encryption"] = etype(message.ticket_etype)
        found["ticket_weak_encryption"] = weak(message.ticket_etype)
    return found


def weak(number: int | None) -> bool:
    """Tell whether an encryption type is deprecated."""
    return number is not None and number not in STRONG


def etype(number: int) -> str:
    """Return the name of an encryption type."""
    return ETYPES.get(number, str(number))


def _name(parts: tuple[bytes, ...]) -> str:
    return "/".join(map(text, parts)) or "<empty>"
