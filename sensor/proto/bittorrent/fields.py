"""What rules may test of BitTorrent's hash table."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_SERVER, BufferSpec, ProtocolSpec, StageSpec
from sensor.proto.bittorrent.state import datagram_parser
from sensor.proto.messages import STAGE_MESSAGE

SPEC = ProtocolSpec(
    name="bittorrent-dht",
    transports=(17,),
    ports=(6881,),
    stages=(StageSpec("message", TO_SERVER),),
    buffers=(BufferSpec("bittorrent_dht.info_hash", STAGE_MESSAGE, help="hash of the torrent that is asked for"),),
    by_sender=True,
    new_parser=datagram_parser,
    events=(AppAnomaly.BITTORRENT_DHT_MALFORMED_PACKET,),
    log_stages=(STAGE_MESSAGE,),
    eve_key="bittorrent_dht",
)
