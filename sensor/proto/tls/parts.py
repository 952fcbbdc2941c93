"""The parts of TLS frames (`sensor.model.frames`), by number: what both hellos and the certificates say."""

from types import MappingProxyType

from sensor.model.app import Framing
from sensor.model.frames import PARTS

SNI, JA3, JA3_HASH, VERSION, HELLO, CERTS, SUBJECT, ISSUER, SERIAL, FINGERPRINT, NAMES = range(11)
"""HELLO, NAMES: what else a hello and a certificate say; the framer does not read it."""
OF_HELLO, OF_CERTIFICATE = SNI, CERTS
"""The first parts of either frame."""

_BOTH = MappingProxyType({
    "tls.version": VERSION, "tls.alpn": HELLO, "tls.random": HELLO, "tls.random_time": HELLO,
    "tls.random_bytes": HELLO, "tls.certs": CERTS, "tls.cert_chain_len": HELLO, "tls.cert_subject": SUBJECT,
    "tls.cert_issuer": ISSUER, "tls.cert_serial": SERIAL, "tls.cert_fingerprint": FINGERPRINT,
    "tls.subjectaltname": NAMES,
})  # fmt: skip
"""A chain's length is known without one, too: it is taken for a part of the hello."""

PARTS_OF = MappingProxyType({
    "tls.sni": SNI, "ja3.string": JA3, "ja3.hash": JA3_HASH, "ja4.hash": HELLO, "ja3s.string": JA3,
    "ja3s.hash": JA3_HASH, **_BOTH, **{f"{name}@to_client": part for name, part in _BOTH.items()},
})  # fmt: skip
"""Buffer of a rule → the part of a frame that it is."""

CLIENT_HELLO, SERVER_HELLO, CERTIFICATES, CLIENT_CERTIFICATES = range(4)
"""Stages (`fields.SPEC.stages`)."""

FRAMING = Framing(
    parts=PARTS_OF,
    text=frozenset({JA3, JA3_HASH, VERSION, SUBJECT, ISSUER, SERIAL, FINGERPRINT}),
    goes_on=PARTS,
    cookie=NAMES,
    without_cookie=frozenset(),
    otherwise=MappingProxyType({}),
    heads=(CLIENT_HELLO, SERVER_HELLO),
    wholes=(CLIENT_CERTIFICATES, CERTIFICATES),
    tells=frozenset(),
    marked=frozenset(),
    several=frozenset({CERTS}),
    implied=MappingProxyType({
        **dict.fromkeys(("tls.cert_notbefore", "tls.cert_notafter", "tls.cert_expired", "tls.cert_valid"), CERTS),
        "tls.cert_chain_len": CERTS, "tls.cert_chain_len@to_client": CERTS,
    }),
    without=MappingProxyType({"tls.cert_chain_len@to_client": bytes(4)}),
    each=True,
)  # fmt: skip
