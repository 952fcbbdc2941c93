"""First bytes of each side (for protocol detection), and cheap looks at gathered bytes."""

import numba
import numpy as np
from numba.types import int64

from sensor.model.jit import allocating, allocating_kernel, helper
from sensor.model.rows import APP_UNDECIDED, APP_UNKNOWN, FLOW, ROW, SEG, SEG_DATA
from sensor.model.stamp import stamp
from sensor.model.units import UNIT
from sensor.proto import kernels_more, kernels_probe
from sensor.proto.dns import kernels_probe as kernels_dns
from sensor.proto.ids import (
    DCERPC,
    FTP,
    HTTP,
    HTTP2,
    IMAP,
    LDAP,
    MODBUS,
    MQTT,
    MYSQL,
    NFS,
    PGSQL,
    POP3,
    RFB,
    SMB,
    SMTP,
    SSH,
    TELNET,
    TLS,
    XEN_MIGRATION,
)
from sensor.proto.kernels_probe import HEAD, judge_datagram, judge_flow, judge_voice

_SEG, _UNIT, _FLOW, _ROW = (numba.from_dtype(t)[::1] for t in (SEG, UNIT, FLOW, ROW))
_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
_UDP = 17
_I4, _U1 = numba.int32[::1], numba.uint8[::1]

TWO_PROTOCOLS, ONE_SIDE, SERVER_FIRST, SKIPPED = 1, 2, 3, 4
"""The sides speak two protocols that are never mistaken for each other; one speaks nothing that is known; the server of
a protocol in which clients begin spoke first; one has said much that is nothing known, the other next to nothing."""
GIVE_UP = 100_000
"""Stream bytes of a side behind which a flow is of no known protocol, whatever the other side may still say: as many as
Suricata waits for."""


_DETECT = int64(
    _SEG, numba.int64[::1], numba.uint8[::1], _FLOW, numba.uint8[:, :, ::1], numba.int64[:, ::1], numba.uint8[:, ::1],
    _I4, _I4, _U1, _I4, _U1, _I4, _BYTES,
)  # fmt: skip
_DATAGRAMS = int64(_ROW, _BYTES, _FLOW, numba.int64[::1], numba.uint8[::1], _I4, numba.uint8[::1], _BYTES)


@allocating
def _detect(  # pragma: no cover
    segs, seg_at, data, flows, heads, lengths, voices, out_slot, out_row, out_before, out_odd, out_why, out_told,
    names,
):
    """Copy the first HEAD bytes of each side, and write `FLOW.app` as soon as they tell the protocol.

    heads: uint8[slots, 2, HEAD], lengths: int64[slots, 2], voices: uint8[slots, 2], what each side speaks by itself.
    Asked after each segment, in packet order: the first decision counts, so that it does not depend on where a block
    ends. Bytes behind a gap are not a head: a side that
    lost some of its first bytes counts as one that speaks nothing known, and of its own it speaks nothing.
    Writes (slot, row, app before) of each flow that was decided; returns how many. out_odd: numbers of the segments at
    which it shows that the sides do not speak as they should (behind the last one: -1), out_why: TWO_PROTOCOLS, …
    out_told: numbers of the segments at which it is told what their side speaks by itself (behind the last one: -1).
    names: by server's port, what of DNS may be there (`sensor.proto.limits_ports`).
    """
    kinds, numbers, sides, poss, lens = segs["kind"], segs["flow"], segs["side"], segs["pos"], segs["len"]
    sports, dports, apps, rows = flows["sport"], flows["dport"], flows["app"], segs["row"]
    scratch = np.zeros(HEAD, np.int64)
    n = odd = told = 0
    for i in range(segs.size):
        if kinds[i] != SEG_DATA:
            continue
        slot, side, pos = numbers[i], sides[i], poss[i]
        if pos >= HEAD and apps[slot] != APP_UNDECIDED:
            continue
        have = lengths[slot, side]
        found, whole = APP_UNDECIDED, True
        if pos == have and pos < HEAD:
            k = min(np.int64(lens[i]), HEAD - pos)
            at = seg_at[i]
            for x in range(k):
                heads[slot, side, pos + x] = data[at + x]
            lengths[slot, side] = pos + k
        elif pos > have and have < HEAD - 1:
            for x in range(have, HEAD):
                heads[slot, side, x] = 255
            lengths[slot, side], whole = HEAD - 1, False
        elif pos + lens[i] > GIVE_UP:
            found = APP_UNKNOWN
            out_odd[odd] = i
            out_why[odd] = SKIPPED
            odd += 1
        else:
            continue
        if apps[slot] == APP_UNDECIDED:
            if found == APP_UNDECIDED:
                found = judge_flow(heads, lengths, slot, sports[slot], dports[slot], names[dports[slot]], scratch)
            if found != APP_UNDECIDED:
                apps[slot] = found
                out_slot[n] = slot
                out_row[n] = rows[i]
                out_before[n] = APP_UNDECIDED
                n += 1
        if voices[slot, side] == APP_UNDECIDED and whole:
            known, other = names[dports[slot]], voices[slot, 1 - side]
            voice = judge_voice(heads, lengths, slot, side, sports[slot], dports[slot], known, other, scratch)
            if voice == APP_UNDECIDED:
                continue
            voices[slot, side] = voice
            out_told[told] = i
            told += 1
            why = _oddity(side, voices[slot, side], voices[slot, 1 - side], side == 0 and lengths[slot, 1] > 0,
                          side == 1 and lengths[slot, 0] == 0)  # fmt: skip
            if why > 0:
                out_odd[odd] = i
                out_why[odd] = why
                odd += 1
    out_odd[odd] = out_told[told] = -1
    return n


@helper
def _shows_itself(app, other):  # pragma: no cover
    """Tell whether a server's bytes show a protocol. other: what its client speaks, which is looked for in them."""
    return app in (HTTP, TLS, SSH, SMB, RFB, DCERPC) or app == other or (app == HTTP2 and other == HTTP)


@helper
def _heard(side, voice, other):  # pragma: no cover
    """Return what a side speaks as Suricata hears it, which knows some protocols by what their clients say alone."""
    if voice <= APP_UNKNOWN:
        return voice
    if voice in (IMAP, POP3, LDAP, MYSQL, XEN_MIGRATION) or (side == 1 and not _shows_itself(voice, other)):
        return APP_UNKNOWN
    return voice


@helper
def _says_nothing(client, greeted):  # pragma: no cover
    """Tell whether nothing is odd about a server that speaks nothing known to such a client.

    What is said to some may be nearly anything; a server that speaks before a client of TLS has been given up.
    """
    return client in (TELNET, MQTT, PGSQL, MODBUS, NFS) or (client == TLS and greeted)


@helper
def _oddity(side, mine, other, greeted, first):  # pragma: no cover
    """Return what is odd about what a side speaks, which it has just told (mine); 0: nothing.

    first: it is the server, and the client is silent; greeted: it is the client, and the server has spoken. Suricata
    knows FTP and SMTP by what clients say alone.
    """
    if first and mine == TLS:
        return SERVER_FIRST
    if greeted and other in (TLS, DCERPC):
        return 0
    mine, other = _heard(side, mine, other), _heard(1 - side, other, mine)
    if other == APP_UNDECIDED:
        return ONE_SIDE if greeted and mine in (FTP, SMTP) else 0
    if mine == other:
        return 0
    if mine > APP_UNKNOWN and other > APP_UNKNOWN:
        return TWO_PROTOCOLS
    client = mine if side == 0 else other
    return 0 if _says_nothing(client, greeted) else ONE_SIDE


@helper
def _detect_datagrams(rows, buf, flows, out_row, out_app, out_changed, out_before, names):  # pragma: no cover
    """Write the number and the protocol of each UDP row with payload; return how many there are.

    Each datagram is judged by itself; a flow takes the protocol of the first one that is known, and is of none that is
    known from the first one on, with payload or without. Replies of ONC RPC name
    no service: in a flow of NFS they are NFS. out_changed: the rows at which a flow's protocol changed (behind the last
    one: -1), out_before: what it was until then. names: as in `_detect`, by the port of the flow's server.
    """
    protos, paylens, pays, numbers = rows["proto"], rows["paylen"], rows["pay"], rows["flow"]
    sports, dports, apps, servers = rows["sport"], rows["dport"], flows["app"], flows["dport"]
    n = changed = 0
    for i in range(rows.size):
        if protos[i] != _UDP or numbers[i] < 0:
            continue
        slot = numbers[i]
        app = APP_UNKNOWN
        if paylens[i] > 0:
            known = names[servers[slot]]
            app = judge_datagram(buf, np.int64(pays[i]), np.int64(paylens[i]), sports[i], dports[i], known)
            if app <= APP_UNKNOWN and apps[slot] == NFS:
                app = NFS
            out_row[n] = i
            out_app[n] = app
            n += 1
        if apps[slot] <= APP_UNKNOWN and apps[slot] != app:
            out_changed[changed] = i
            out_before[changed] = apps[slot]
            changed += 1
            apps[slot] = app
    out_changed[changed] = -1
    return n


def _build(stamped):  # dispatchers; with NUMBA_DISABLE_JIT functions
    def detect_(
        segs, seg_at, data, flows, heads, lengths, voices, out_slot, out_row, out_before, out_odd, out_why, out_told,
        names,
    ):
        if stamped < 0:
            return 0
        return _detect(
            segs, seg_at, data, flows, heads, lengths, voices, out_slot, out_row, out_before, out_odd, out_why,
            out_told, names,
        )

    def datagrams_(rows, buf, flows, out_row, out_app, out_changed, out_before, names):
        if stamped < 0:
            return 0
        return _detect_datagrams(rows, buf, flows, out_row, out_app, out_changed, out_before, names)

    return allocating_kernel(_DETECT)(detect_), allocating_kernel(_DATAGRAMS)(datagrams_)


detect, detect_datagrams = _build(  # type: ignore[no-untyped-call]
    stamp(kernels_probe, kernels_dns, kernels_more, *kernels_more.SOURCES)
)


@allocating_kernel(int64(numba.uint8[::1], _UNIT, numba.boolean[::1], numba.boolean[::1]))
def contains_netbios(data, units, wanted, out):  # pragma: no cover
    """Set out[i] where unit i is wanted and holds a label of 32 letters A-P; return how many do.

    So a NetBIOS name looks on the wire (RFC 1001 section 14.1): no literal of it can be searched for.
    """
    starts, ends = units["start"], units["end"]
    found = np.int64(0)
    for i in range(units.size):
        out[i] = False
        if not wanted[i]:
            continue
        run = 0
        # Backwards: where a run of 32 letters has a length of 32 in front of it.
        for p in range(ends[i] - 1, starts[i] - 1, -1):
            if run >= 32 and data[p] == 32:
                out[i] = True
                found += 1
                break
            run = run + 1 if 65 <= data[p] <= 80 else 0
    return found
