"""Protocol detection of many flows or datagrams at a time, for `sensor.proto.probe`."""

import numpy as np
from numba import int64, types, uint8, uint16

from sensor.model.jit import allocating, allocating_kernel
from sensor.model.stamp import stamp
from sensor.proto import kernels_more, kernels_probe
from sensor.proto.dns import kernels_probe as kernels_dns
from sensor.proto.kernels_probe import HEAD, Bytes, Ints, Ports, judge_datagram, judge_flow

_HEADS_T = types.Array(uint8, 3, "C", readonly=True)
_LENGTHS_T = types.Array(int64, 2, "C", readonly=True)
_BYTES_T = types.Array(uint8, 1, "C", readonly=True)
_INTS_T = types.Array(int64, 1, "C", readonly=True)
_PORTS_T = types.Array(uint16, 1, "C", readonly=True)


@allocating
def _probe_streams(heads: Bytes, lengths: Ints, sport: Ports, dport: Ports, names: Bytes) -> Bytes:
    """See `sensor.proto.probe.probe_streams`."""
    out = np.zeros(heads.shape[0], np.uint8)
    h = np.zeros(HEAD, np.int64)
    for i in range(out.size):
        out[i] = judge_flow(heads, lengths, i, sport[i], dport[i], names[i], h)
    return out


@allocating
def _probe_datagrams(buf: Bytes, off: Ints, length: Ints, sport: Ports, dport: Ports, names: Bytes) -> Bytes:
    """See `sensor.proto.probe.probe_datagrams`."""
    out = np.ones(off.size, np.uint8)
    for i in range(off.size):
        out[i] = judge_datagram(buf, off[i], length[i], sport[i], dport[i], names[i])
    return out


def _build(stamped):  # dispatchers; with NUMBA_DISABLE_JIT functions
    def streams_(heads, lengths, sport, dport, names):
        return _probe_streams(heads, lengths, sport if stamped >= 0 else dport, dport, names)

    def datagrams_(buf, off, length, sport, dport, names):
        return _probe_datagrams(buf, off, length, sport if stamped >= 0 else dport, dport, names)

    streams = allocating_kernel(uint8[::1](_HEADS_T, _LENGTHS_T, _PORTS_T, _PORTS_T, _BYTES_T))(streams_)
    return streams, allocating_kernel(uint8[::1](_BYTES_T, _INTS_T, _INTS_T, _PORTS_T, _PORTS_T, _BYTES_T))(datagrams_)


probe_streams, probe_datagrams = _build(  # type: ignore[no-untyped-call]
    stamp(kernels_probe, kernels_dns, kernels_more, *kernels_more.SOURCES)
)
