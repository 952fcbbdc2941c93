import dpkt
import pytest
from decode_frames import block_of, difference, eth, ip4, tcp

from sensor.decode import dpkt_view
from sensor.decode.limits import DecodeOptions
from sensor.decode.reference import decode_block_reference

HOW = {"verify_checksums": False, "options": DecodeOptions()}


@pytest.mark.parametrize("error", [IndexError, AttributeError, dpkt.NeedData])
def test_where_dpkt_raises_the_reference_counts(monkeypatch, error):
    def fail(*_):
        raise error("dpkt")

    block = block_of([eth(0x0800, ip4(tcp(b"abc")))])
    monkeypatch.setattr(dpkt_view.DpktReader, "tcp", fail)
    assert not difference(dpkt_view.decode_block_dpkt(block, **HOW), decode_block_reference(block, **HOW))
