"""Names of IKE's numbers, as EVE shows them (Suricata's words)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sensor.proto.ike.sa import ENCRYPTION, ESN, GROUP, INTEGRITY, PRF

ATTRIBUTES: Mapping[int, str] = MappingProxyType(
    {
        1: "alg_enc", 2: "alg_hash", 3: "alg_auth", 4: "alg_dh", 5: "sa_group_type", 6: "sa_group_prime",
        7: "sa_group_generator_one", 8: "sa_group_generator_two", 9: "sa_group_curve_a", 10: "sa_group_curve_b",
        11: "sa_life_type", 12: "sa_life_duration", 13: "alg_prf", 14: "sa_key_length", 15: "sa_field_size",
        16: "sa_group_order",
    }
)  # fmt: skip
"""Attributes of version 1 (RFC 2409 appendix A)."""

VALUES: Mapping[tuple[int, int], str] = MappingProxyType(
    {
        (kind, number): word
        for kind, words in (
            (1, ("EncDesCbc EncIdeaCbc EncBlowfishCbc EncRc5R16B64Cbc EncTripleDesCbc EncCastCbc EncAesCbc "
                "EncCamelliaCbc")),
            (2, "HashMd5 HashSha HashTiger HashSha2_256 HashSha2_384 HashSha2_512"),
            (3, ("AuthPreSharedKey AuthDssSignatures AuthRsaSignatures AuthEncryptionWithRsa "
                "AuthRevisedEncryptionWithRsa AuthReserved AuthReserved AuthReserved AuthEcdsaSha256 "
                "AuthEcdsaSha384 AuthEcdsaSha512")),
            (4, ("GroupDefault768BitModp GroupAlternate1024BitModpGroup GroupEc2nOnGp2p155 GroupEc2nOnGp2p185 "
                "GroupModp1536Bit GroupEc2nOverGf2p163 GroupEc2nOverGf2p163 GroupEc2nOverGf2p283 "
                "GroupEc2nOverGf2p283 GroupEc2nOverGf2p409 GroupEc2nOverGf2p409 GroupEc2nOverGf2p571 "
                "GroupEc2nOverGf2p571 GroupModp2048Bit GroupModp3072Bit GroupModp4096Bit GroupModp6144Bit "
                "GroupModp8192Bit GroupRandomEcp256 GroupRandomEcp384 GroupRandomEcp521")),
            (11, "LifeTypeSeconds LifeTypeKilobytes"),
        )
        for number, word in enumerate(words.split(), 1)
    }
)  # fmt: skip
"""(attribute, value) of version 1 → word (https://www.iana.org/assignments/ipsec-registry)."""

KINDS: Mapping[int, str] = MappingProxyType(
    {ENCRYPTION: "alg_enc", INTEGRITY: "alg_auth", PRF: "alg_prf", GROUP: "alg_dh", ESN: "alg_esn"}
)
"""Transform types of version 2."""

ALGORITHMS: Mapping[tuple[int, int], str] = MappingProxyType(
    {
        (ENCRYPTION, 2): "ENCR_DES", (ENCRYPTION, 3): "ENCR_3DES", (ENCRYPTION, 11): "ENCR_NULL",
        (ENCRYPTION, 12): "ENCR_AES_CBC", (ENCRYPTION, 13): "ENCR_AES_CTR", (ENCRYPTION, 18): "ENCR_AES_GCM_8",
        (ENCRYPTION, 19): "ENCR_AES_GCM_12", (ENCRYPTION, 20): "ENCR_AES_GCM_16",
        (ENCRYPTION, 28): "ENCR_CHACHA20_POLY1305",
        (PRF, 1): "PRF_HMAC_MD5", (PRF, 2): "PRF_HMAC_SHA1", (PRF, 4): "PRF_AES128_XCBC",
        (PRF, 5): "PRF_HMAC_SHA2_256", (PRF, 6): "PRF_HMAC_SHA2_384", (PRF, 7): "PRF_HMAC_SHA2_512",
        (INTEGRITY, 0): "NONE", (INTEGRITY, 1): "AUTH_HMAC_MD5_96", (INTEGRITY, 2): "AUTH_HMAC_SHA1_96",
        (INTEGRITY, 5): "AUTH_AES_XCBC_96", (INTEGRITY, 12): "AUTH_HMAC_SHA2_256_128",
        (INTEGRITY, 13): "AUTH_HMAC_SHA2_384_192", (INTEGRITY, 14): "AUTH_HMAC_SHA2_512_256",
        (GROUP, 0): "None", (GROUP, 1): "Modp768", (GROUP, 2): "Modp1024", (GROUP, 5): "Modp1536",
        (GROUP, 14): "Modp2048", (GROUP, 15): "Modp3072", (GROUP, 16): "Modp4096", (GROUP, 17): "Modp6144",
        (GROUP, 18): "Modp8192", (GROUP, 19): "Ecp256", (GROUP, 20): "Ecp384", (GROUP, 21): "Ecp521",
        (GROUP, 31): "Curve25519", (ESN, 0): "NoESN", (ESN, 1): "ESN",
    }
)  # fmt: skip
"""Algorithms of version 2 that are met in practice; the others are shown as numbers."""

NOTIFICATIONS: Mapping[int, str] = MappingProxyType(
    {
        1: "UNSUPPORTED_CRITICAL_PAYLOAD", 4: "INVALID_IKE_SPI", 5: "INVALID_MAJOR_VERSION", 7: "INVALID_SYNTAX",
        9: "INVALID_MESSAGE_ID", 11: "INVALID_SPI", 14: "NO_PROPOSAL_CHOSEN", 17: "INVALID_KE_PAYLOAD",
        24: "AUTHENTICATION_FAILED", 34: "SINGLE_PAIR_REQUIRED", 35: "NO_ADDITIONAL_SAS",
        36: "INTERNAL_ADDRESS_FAILURE", 37: "FAILED_CP_REQUIRED", 38: "TS_UNACCEPTABLE", 39: "INVALID_SELECTORS",
        43: "TEMPORARY_FAILURE", 44: "CHILD_SA_NOT_FOUND", 16384: "INITIAL_CONTACT", 16385: "SET_WINDOW_SIZE",
        16386: "ADDITIONAL_TS_POSSIBLE", 16387: "IPCOMP_SUPPORTED", 16388: "NAT_DETECTION_SOURCE_IP",
        16389: "NAT_DETECTION_DESTINATION_IP", 16390: "COOKIE", 16391: "USE_TRANSPORT_MODE",
        16392: "HTTP_CERT_LOOKUP_SUPPORTED", 16393: "REKEY_SA", 16394: "ESP_TFC_PADDING_NOT_SUPPORTED",
        16395: "NON_FIRST_FRAGMENTS_ALSO", 16404: "MULTIPLE_AUTH_SUPPORTED", 16405: "ANOTHER_AUTH_FOLLOWS",
        16406: "REDIRECT_SUPPORTED", 16430: "IKEV2_FRAGMENTATION_SUPPORTED", 16431: "SIGNATURE_HASH_ALGORITHMS",
    }
)  # fmt: skip
"""Types of notifications of version 2 that have a word in EVE (RFC 7296 section 3.10.1, and what came later)."""


def notification(number: int) -> str:
    """Return the word for a type of notification."""
    return NOTIFICATIONS.get(number, f"NotifyType({number} / {number:#x})")


PAYLOADS: tuple[Mapping[int, str], Mapping[int, str]] = (
    MappingProxyType(
        {
            0: "None", 1: "SecurityAssociation", 2: "Proposal", 3: "Transform", 4: "KeyExchange", 5: "Identification",
            6: "Certificate", 7: "CertificateRequest", 8: "Hash", 9: "Signature", 10: "Nonce", 11: "Notification",
            12: "Delete", 13: "VendorID", 15: "SaKekPayload", 16: "SaTekPayload", 17: "KeyDownload",
            18: "SequenceNumber", 19: "ProofOfPossession", 20: "NatDiscovery", 21: "NatOriginalAddress",
        }
    ),
    MappingProxyType(
        {
            0: "NoNextPayload",
            33: "SecurityAssociation", 34: "KeyExchange", 35: "IdentInitiator", 36: "IdentResponder",
            37: "Certificate", 38: "CertificateRequest", 39: "Authentication", 40: "Nonce", 41: "Notify",
            42: "Delete", 43: "VendorID", 44: "TrafficSelectorInitiator", 45: "TrafficSelectorResponder",
            46: "EncryptedAndAuthenticated", 47: "Configuration", 48: "ExtensibleAuthentication",
        }
    ),
)  # fmt: skip
"""By version."""
