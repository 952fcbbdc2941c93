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
        1: "DES_CBC_CRC", 2: "DES_CBC_MD4", 3: "DES_CBC_MD5", 5: "DES3_CBC_MD5", 7: "DES3_CBC_SHA1",
        16: "DES3_CBC_SHA1_KD", 17: "AES128_CTS_HMAC_SHA1_96", 18: "AES256_CTS_HMAC_SHA1_96",
        19: "AES128_CTS_HMAC_SHA256_128", 20: "AES256_CTS_HMAC_SHA384_192", 23: "RC4_HMAC", 24: "RC4_HMAC_EXP",
        25: "CAMELLIA128_CTS_CMAC", 26: "CAMELLIA256_CTS_CMAC",
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


def fields(message: KrbMessage) -> dict[str, Any]:
    """Return the EVE object of a message."""
    found: dict[str, Any] = {"msg_type": KINDS[message.kind]}
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
