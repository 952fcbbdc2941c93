"""Kinds of units that have tables of their own in the scan."""

import itertools

import numpy as np

from sensor.detect.headers.groups import ICMP, TCP, UDP, Groups
from sensor.model.rows import APP_UNDECIDED, FLOW, ROW
from sensor.model.units import UNIT, UNIT_PACKET, UNIT_STREAM
from sensor.proto import ids

PORTS = (80, 443, 445, 53, 22, 1433, 60000)
APPS = (APP_UNDECIDED, ids.HTTP, ids.TLS, ids.SMB, ids.SMTP, 77)


def units_of_all_kinds(proto):
    cases = list(itertools.product(PORTS, PORTS, (0, 1), APPS))
    units, flows, rows = np.zeros(len(cases), UNIT), np.zeros(len(cases), FLOW), np.zeros(len(cases), ROW)
    units["flow"] = units["row"] = np.arange(len(cases))
    units["kind"] = UNIT_STREAM if proto == TCP else UNIT_PACKET
    flows["proto"] = rows["proto"] = proto
    flows["sport"], flows["dport"], units["side"], flows["app"] = np.array(cases).T
    rows["sport"], rows["dport"] = flows["sport"], flows["dport"]
    return units, flows["app"], Groups().unit_bits(units, rows, flows)


def kinds_of(covers, units, bits):
    """Return the first kind that each unit fits, None: none."""
    found = zip(bits.tolist(), units["side"].tolist(), strict=True)
    return [next((n for n, c in enumerate(covers) if not word & ~c.mask and c.sides >> side & 1), None)
            for word, side in found]  # fmt: skip


def many_of_http():
    """Return masks and sides of literals: many of requests, and some that may be anywhere."""
    masks = [Groups().app_mask((ids.HTTP,))] * 50 + [(1 << 64) - 1] * 20
    return np.array(masks, np.uint64), np.array([1] * 50 + [3] * 20, np.uint8)


def test_each_unit_of_a_known_protocol_fits_a_kind_and_others_none():
    covers = Groups().covers(*many_of_http())
    for proto in (TCP, UDP, ICMP, 47):
        units, apps, bits = units_of_all_kinds(proto)
        for kind, app in zip(kinds_of(covers, units, bits), apps.tolist(), strict=True):
            # HTTP has units of its own, and is never seen in datagrams.
            assert (kind is not None) == (app != APP_UNDECIDED) or (proto == UDP and app == ids.HTTP)


def test_a_protocol_with_many_literals_has_units_of_its_own_where_they_matter():
    covers = Groups().covers(*many_of_http())
    units, apps, bits = units_of_all_kinds(TCP)
    kinds = kinds_of(covers, units, bits)
    kind = {(app, side): kind for app, side, kind in zip(apps.tolist(), units["side"].tolist(), kinds, strict=True)}
    assert kind[ids.HTTP, 0] != kind[ids.TLS, 0]
    assert kind[ids.TLS, 0] == kind[ids.SMB, 0]
    assert kind[ids.HTTP, 1] == kind[ids.TLS, 1]
