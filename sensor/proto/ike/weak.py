"""What is weak in the proposals of version 2 (RFC 8247, and the rules of RFC 7296 section 3.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ike.sa import ENCRYPTION, ESN, GROUP, INTEGRITY, PRF, Proposal

_AH = 2
_NULL = 0

WEAK: Mapping[int, tuple[frozenset[int], AppAnomaly]] = MappingProxyType(
    {
        # DES, 3DES, RC5, IDEA, CAST, Blowfish, NULL.
        ENCRYPTION: (frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 11}), AppAnomaly.IKE_WEAK_CRYPTO_ENC),
        # HMAC with MD5 or SHA-1.
        PRF: (frozenset({1, 2}), AppAnomaly.IKE_WEAK_CRYPTO_PRF),
        # MD5, SHA-1, DES, KPDK, AES-XCBC.
        INTEGRITY: (frozenset({1, 2, 3, 4, 5, 6, 7}), AppAnomaly.IKE_WEAK_CRYPTO_AUTH),
        # MODP of 768, 1024 and 1536 bits.
        GROUP: (frozenset({1, 2, 5, 22}), AppAnomaly.IKE_WEAK_CRYPTO_DH),
    }
)
"""Transform type → weak algorithms, and what they are reported as (https://www.iana.org/assignments/ikev2-parameters)."""

_AEAD = frozenset({14, 15, 16, 18, 19, 20, 25, 26, 27, 28})
"""Encryption with integrity of its own: AES-CCM, AES-GCM, Camellia-CCM, ChaCha20-Poly1305."""


def found(proposals: list[Proposal]) -> tuple[AppAnomaly, ...]:
    """Return what is weak, each once, in order."""
    return tuple(dict.fromkeys(one for proposal in proposals for one in _of(proposal)))


def _of(proposal: Proposal) -> Iterator[AppAnomaly]:
    chosen: dict[int, set[int]] = {}
    for transform in proposal.transforms:
        chosen.setdefault(transform.kind, set()).add(transform.number)
        if transform.kind in (PRF, GROUP) and transform.number == _NULL:
            yield AppAnomaly.IKE_INVALID_PROPOSAL
        if not ENCRYPTION <= transform.kind <= ESN:
            yield AppAnomaly.IKE_UNKNOWN_PROPOSAL
    for kind, (weak, anomaly) in WEAK.items():
        if not weak.isdisjoint(chosen.get(kind, ())):
            yield anomaly
    if GROUP not in chosen:
        yield AppAnomaly.IKE_WEAK_CRYPTO_NO_DH
    if proposal.protocol == _AH:
        yield AppAnomaly.IKE_NO_ENCRYPTION
    if not chosen.get(INTEGRITY, set()) - {_NULL} and _AEAD.isdisjoint(chosen.get(ENCRYPTION, ())):
        yield AppAnomaly.IKE_WEAK_CRYPTO_NO_AUTH
