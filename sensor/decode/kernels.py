"""Decode a whole block into rows in one pass: the hot path.

Meaning of the row columns where `model/rows.py` leaves room:

* `l4` is set only where the transport header is complete and valid; a reader of ports, flags or sequence
  numbers asks `l4 >= 0` first. `proto` is the IP protocol in any case.
* `iplen` is the declared length, `paylen` the captured one: a cut packet has `l3 + iplen` beyond its bytes.
* ICMP payload starts 8 bytes into the message, whatever its type.
* A fragment's `pay` is the start of the fragmentable part; an IPv6 fragment header is the 8 bytes before it.
* In the row of a tunnel's inner packet, `l2`, `caplen`, `wirelen` and the VLAN ids speak of the inner frame.
  An Ethernet header is at `l2` if `l3 - l2 >= 14`.
* A row whose IP header cannot be trusted (version, header length, too short) has `ipv` 0 and the header as
  payload.

`reference.py` and `dpkt_view.py` say the same; `tests/property/test_decode_parity.py` holds the three equal.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import types

from sensor.decode import (
    bits,
    checksum,
    kernels_links,
    kernels_network,
    kernels_peek,
    kernels_transport,
    kernels_tunnels,
    limits,
    steps,
)
from sensor.decode.kernels_links import links
from sensor.decode.kernels_network import network
from sensor.decode.kernels_peek import first_step
from sensor.decode.kernels_transport import transport
from sensor.decode.kernels_tunnels import INNER, nothing
from sensor.decode.limits import (
    MAX_ETHERNET_FRAME,
    MAX_ROWS_PER_PACKET,
    MAX_TUNNEL_PORTS,
    MAX_TUNNELS,
    DecodeOptions,
)
from sensor.model.block import PacketBlock
from sensor.model.jit import helper, kernel
from sensor.model.prefetch import ahead
from sensor.model.rows import ROW, new_rows
from sensor.model.stamp import stamp

ROW_T = numba.from_dtype(ROW)
_AHEAD = 5
"""Packets: how far ahead headers are fetched. Their places are known, and each is a cache miss of its own: without
that a packet takes 78 ns instead of 43."""


def _column(dtype: Any) -> Any:
    return types.Array(dtype, 1, "C", readonly=True)


_SIGNATURE = types.UniTuple(types.int64, 2)(
    _column(types.uint8), _column(types.int64), _column(types.int32), _column(types.int32),
    _column(types.int64), _column(types.uint16), _column(types.int32), _column(types.uint8),
    _column(types.int64), types.boolean, types.int64, types.int64, _column(ROW_T), numba.from_dtype(INNER)[::1],
    ROW_T[::1],
)  # fmt: skip


@helper
def _decode(
    b, off, caplen, wirelen, ts, linktype, tci, hints, ports, verify, first, used, blank, scratch, rows,
):  # pragma: no cover  # fmt: skip
    """Decode packets from `first` into `rows[used:]`; return (next packet, rows used).

    Stops before a packet for which there may be no room. tci, hints: empty where the block has none.
    ports: int64[2 * MAX_TUNNEL_PORTS], VXLAN's then GENEVE's, -1 unused. blank: one row to start from.
    scratch: one record of INNER.
    """
    size = b.shape[0]
    room = rows.shape[0] - MAX_ROWS_PER_PACKET
    inner = scratch[0]
    k = used
    for i in range(first, off.shape[0]):
        if k > room:
            return i, k
        if i + _AHEAD < off.shape[0]:
            ahead(b, off[i + _AHEAD])
            ahead(b, off[i + _AHEAD] + 63)
        pos = min(max(off[i], 0), size)
        cap = min(max(np.int64(caplen[i]), 0), size - pos)
        end = pos + cap
        cap_end = end
        missing = max(np.int64(wirelen[i]) - cap, 0)
        hint = hints[i] if hints.shape[0] > 0 else 0
        anomaly = np.int64(0)
        etype = np.int64(0)
        vlan = np.int64(-1)  # a tag that is not in the bytes
        if tci.shape[0] > 0 and tci[i] >= 0:
            vlan = np.int64(tci[i]) & 0xFFF
        step = first_step(linktype[i])
        if step == steps.ETHERNET and cap + missing > MAX_ETHERNET_FRAME:
            anomaly |= bits.FRAME_OVER_MTU
        elif step == steps.OPAQUE:
            anomaly |= bits.ETHERTYPE_UNKNOWN
        layers = 0
        depth = 0
        parent = -1
        tunnel = np.int64(0)
        tunnel_id = np.int64(0)

        while True:  # one row a turn: the frame, then what its tunnels hold
            rows[k] = blank[0]
            r = rows[k]
            r["ts"] = ts[i]
            r["pkt"] = i
            r["parent"] = parent
            r["l2"] = pos
            r["caplen"] = end - pos
            r["wirelen"] = end - pos + (missing if end == cap_end else 0)
            r["tunnel"] = tunnel
            r["tunnel_id"] = tunnel_id
            nothing(inner)
            step, pos, end, layers, anomaly = links(b, r, step, pos, end, etype, vlan, layers, anomaly)
            proto, total, pay, pay_end, known, anomaly = network(b, r, step, pos, end, missing, verify, anomaly)
            if proto >= 0:
                r["proto"] = proto
                r["iplen"] = total
                pay, pay_end, anomaly = transport(
                    b, r, pos, total, pay, pay_end, known, hint, verify, ports, inner, anomaly
                )
            if inner["step"] != steps.NONE and depth >= MAX_TUNNELS:
                inner["step"] = steps.NONE
                anomaly |= bits.TOO_MANY_LAYERS
            r["pay"] = pay
            r["paylen"] = pay_end - pay
            r["anomaly"] = anomaly
            r["slow"] = 1 if anomaly & bits.SLOW else 0
            k += 1
            if inner["step"] == steps.NONE:
                break
            parent = k - 1
            depth += 1
            step = inner["step"]
            pos = inner["pos"]
            end = inner["end"]
            tunnel = inner["tunnel"]
            tunnel_id = inner["id"]
            etype = inner["etype"]
            vlan = inner["vlan"]
            anomaly = np.int64(0)
    return off.shape[0], k


def _build(stamped: int) -> Any:  # a dispatcher; with NUMBA_DISABLE_JIT the function
    def decode_kernel(
        b, off, caplen, wirelen, ts, linktype, tci, hints, ports, verify, first, used, blank, scratch, rows,
    ):  # fmt: skip
        if stamped < 0:
            return first, used
        return _decode(
            b, off, caplen, wirelen, ts, linktype, tci, hints, ports, verify, first, used, blank, scratch, rows
        )

    return kernel(_SIGNATURE)(decode_kernel)


decode_kernel = _build(stamp(
    bits, checksum, kernels_links, kernels_network, kernels_peek, kernels_transport, kernels_tunnels, limits, steps,
))  # fmt: skip


def _ports(options: DecodeOptions) -> np.ndarray:
    table = np.full(2 * MAX_TUNNEL_PORTS, -1, np.int64)
    table[: len(options.vxlan_ports)] = options.vxlan_ports
    table[MAX_TUNNEL_PORTS : MAX_TUNNEL_PORTS + len(options.geneve_ports)] = options.geneve_ports
    return table


def _optional(column: np.ndarray | None, dtype: type) -> np.ndarray:
    return np.empty(0, dtype) if column is None else np.ascontiguousarray(column, dtype)


def decode_block(block: PacketBlock, *, verify_checksums: bool, options: DecodeOptions) -> np.ndarray:
    """Return the rows of a block: ROW[m], m >= block.n, in packet order, inner rows behind their outer row.

    verify_checksums: fill `l3csum` and `l4csum`; otherwise both stay CSUM_UNVERIFIED. No bytes make it raise.
    """
    columns = (
        block.buf,
        np.ascontiguousarray(block.off, np.int64),
        np.ascontiguousarray(block.caplen, np.int32),
        np.ascontiguousarray(block.wirelen, np.int32),
        np.ascontiguousarray(block.ts, np.int64),
        np.ascontiguousarray(block.linktype, np.uint16),
        _optional(block.vlan_tci, np.int32),
        _optional(block.hints, np.uint8),
        _ports(options),
        verify_checksums,
    )
    n = block.n
    blank, scratch = new_rows(1), np.zeros(1, INNER)
    rows = np.empty(n + n // 8 + 64, ROW)
    done, used = decode_kernel(*columns, 0, 0, blank, scratch, rows)
    if done < n:  # many tunnels: the layer limit bounds what the rest can need
        more = np.empty(used + (n - done) * MAX_ROWS_PER_PACKET + MAX_ROWS_PER_PACKET, ROW)
        more[:used] = rows[:used]
        rows = more
        done, used = decode_kernel(*columns, done, used, blank, scratch, rows)
    return rows[:used]
