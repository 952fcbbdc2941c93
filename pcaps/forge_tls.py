"""TLS handshakes that tell on themselves before they encrypt."""

from pcaps import hello
from pcaps.talk import APP02, ATTACKER, CI01, DB01, FILES01, GATEWAY, MAIL01, WEB03, WS21, WS22, Guest, Wire

WIDGITS = (("C", "AU"), ("ST", "Some-State"), ("O", "Internet Widgits Pty Ltd"))
STRIKE = (("C", "Earth"), ("ST", "Cyberspace"), ("L", "Somewhere"), ("O", "cobaltstrike"), ("OU", "AdvancedPenTesting"),
          ("CN", "Major Cobalt Strike"))  # fmt: skip


def fingerprinted(wire: Wire, client: Guest, ciphers: tuple[int, ...], extensions: bytes) -> None:
    """A client whose JA3 is known: TLS 1.0, no server name."""
    first = hello.client_hello(wire.rng.randbytes(32), version=hello.TLS10, ciphers=ciphers, extensions=extensions)
    hello.tls(wire, client, ATTACKER, hello=first, version=hello.TLS10, cipher=0x2F, port=449)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=8)
    hello.tls(wire, WS21, FILES01, version=hello.SSL30, cipher=0x2F)
    hello.tls(wire, WS22, FILES01, version=hello.TLS10, cipher=0x2F)
    hello.tls(wire, WS22, MAIL01, cipher=0x05)
    hello.tls(wire, WS21, CI01, subject=WIDGITS, issuer=WIDGITS)
    hello.tls(wire, WS21, DB01, subject=(("CN", "localhost"),), issuer=())
    hello.tls(wire, WEB03, ATTACKER, sni="", subject=STRIKE, issuer=(), serial=146473198)
    # 769,47-53-5-10-49171-49172-49161-49162-50-56-19-4,65281-10-11,23-24,0 is 6734f37431670b3ab4292b8f60f29984
    ciphers = (47, 53, 5, 10, 49171, 49172, 49161, 49162, 50, 56, 19, 4)
    fingerprinted(wire, WS22, ciphers, hello.RENEGOTIATION + hello.groups(23, 24) + hello.POINT_FORMATS)
    # 769,4-5-10-9-100-98-3-6-19-18-99,,, is de350869b8c85de67a350c8d186f11e6
    fingerprinted(wire, WS21, (4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99), b"")
    for name in ("dns.google", "mozilla.cloudflare-dns.com", "expyuzz4wqqyqhjn.onion"):
        hello.tls(wire, WS21, GATEWAY, sni=name)
    hello.tls(wire, WEB03, ATTACKER, sni="www.corp.example", port=53)
    hello.tls(wire, WS22, APP02)
    return {"tls": wire}
