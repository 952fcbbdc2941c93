"""The parts of SSH frames (`sensor.model.frames`), by number: what banners and offers of a key exchange say."""

from types import MappingProxyType

from sensor.model.app import Framing
from sensor.model.frames import PARTS

PROTO, SOFTWARE, STRING, HASSH = range(4)
OF_BANNER, OF_OFFER = PROTO, STRING
"""The first parts of either frame."""

PARTS_OF = MappingProxyType({
    "ssh.proto": PROTO, "ssh.proto@to_client": PROTO, "ssh.software": SOFTWARE, "ssh.software@to_client": SOFTWARE,
    "ssh.hassh": HASSH, "ssh.hassh.string": STRING, "ssh.hassh.server": HASSH, "ssh.hassh.server.string": STRING,
})  # fmt: skip
"""Buffer of a rule → the part of a frame that it is."""

CLIENT_BANNER, SERVER_BANNER, CLIENT_OFFER, SERVER_OFFER = range(4)
"""Stages (`fields.SPEC.stages`)."""

FRAMING = Framing(
    parts=PARTS_OF,
    text=frozenset({STRING, HASSH}),
    goes_on=PARTS,
    cookie=HASSH,
    without_cookie=frozenset(),
    otherwise=MappingProxyType({}),
    heads=(CLIENT_BANNER, SERVER_BANNER),
    wholes=(CLIENT_OFFER, SERVER_OFFER),
    tells=frozenset(),
    marked=frozenset(),
    each=True,
)
