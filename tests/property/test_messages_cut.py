"""Protocols of single messages: how bytes are cut changes nothing, and no bytes make a parser raise."""

import sys
from pathlib import Path

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import bermake as ber
import dhtmake as dht
import dnp3make as dnp3
import enipmake as enip
import ikemake as ike
import ldapmake as ldap
import migrationmake as migration
import modbusmake as mb
import quicmake as quic
import rdpmake as rdp
import sipmake as sip
import wsmake as ws
from rfbmake import rfb
from test_handshakes_cut import talks
from test_ntp import MONLIST, READVAR_ANSWER, packet

from sensor.proto import registry

STREAMS = {
    "dnp3": [
        [(0, dnp3.segment(dnp3.request(5, dnp3.CROB))), (1, dnp3.fragments(dnp3.response(dnp3.INPUTS * 9), 60))],
    ],
    "enip": [[(0, enip.enip()), (0, enip.connected(enip.multiple(enip.GET, enip.LIST))), (1, enip.enip())]],
    "krb5": [
        [(0, ber.marked(ber.kdc_req())), (1, ber.marked(ber.krb_error())), (1, ber.marked(ber.kdc_rep(13, 23, 23)))],
    ],
    "ldap": [[(0, ldap.bind() + ldap.search()), (1, ldap.entry() + ldap.result()), (0, ldap.sasl() + ldap.SEALED)]],
    "modbus": [[(0, mb.READ + mb.COILS), (1, mb.READ_ANSWER), (0, mb.WRITE), (1, mb.WRITE_ANSWER)]],
    "rdp": [[(0, rdp.REQUEST), (1, rdp.CONFIRM), (0, b"\x16\3\1")], [(0, rdp.REQUEST), (1, rdp.REFUSED)]],
    "rfb": [rfb(), rfb(b"003.003", 1), rfb(result=2)],
    "websocket": [ws.talk()],
    "xen-migration": [[(1, migration.BANNER), (0, migration.STREAM), (1, b"domain received, ready to unpause\n")]],
    "snmp": [[(0, ber.snmp()), (0, ber.snmp_v3()), (1, ber.snmp(0, pdu=ber.snmp_trap_v1()))]],
}
"""Protocol → conversations over TCP."""

DATAGRAMS = {
    "krb5": [ber.kdc_req(), ber.kdc_rep(), ber.krb_error()],
    "enip": [enip.enip(), enip.connected(enip.multiple(enip.GET, enip.LIST)), enip.unconnected(enip.LIST)],
    "ldap": [ldap.search(), ldap.bind(), ldap.entry(), ldap.result(), ldap.MODIFY],
    "ike": [ike.MAIN1, ike.MAIN2, ike.MAIN3, ike.INIT2, ike.ANSWER2],
    "quic": [quic.initial(quic.crypto(quic.HELLO)), quic.google43(), quic.google46(), quic.initial(quic.ack())],
    "bittorrent-dht": [dht.PING, dht.GET_PEERS, dht.NODES, dht.VALUES, dht.ERROR],
    "ntp": [packet(), packet(4, stratum=2), MONLIST, READVAR_ANSWER],
    "sip": [sip.INVITE, sip.RINGING],
    "snmp": [ber.snmp(), ber.snmp_v3(), ber.snmp(0, pdu=ber.snmp_trap_v1())],
}


def outcome(spec, talk, size=None):
    parser = spec.new_parser()
    seen = []
    for side, data in talk:
        step = size or max(1, len(data))
        for at in range(0, len(data), step):
            seen += [(s.stage, s.side, *described(spec, s.tx)) for s in parser.feed(side, data[at : at + step], 0)]
    seen += [(s.stage, s.side, *described(spec, s.tx)) for s in parser.finish(0)]
    return seen, sorted(parser.anomalies())


def described(spec, tx):
    buffers = [list(tx.buffer(b.name)) for b in spec.buffers]
    assert all(isinstance(one, bytes) for found in buffers for one in found)
    return tx.id, buffers, [list(tx.numbers(n.name)) for n in spec.numbers], tx.eve()


@pytest.mark.parametrize("name", STREAMS)
@settings(max_examples=effort(40, 16), deadline=None)
@given(data=st.data(), size=st.integers(1, 9))
def test_cuts_change_nothing(name, data, size):
    talk = data.draw(talks(STREAMS[name]))
    spec = registry.BY_NAME[name]
    assert outcome(spec, talk, size) == outcome(spec, talk)


@pytest.mark.parametrize("name", DATAGRAMS)
@settings(max_examples=effort(60, 20), deadline=None)
@given(data=st.data(), side=st.integers(0, 1))
def test_no_datagram_raises(name, data, side):
    ((_, raw),) = data.draw(talks([[(side, one)] for one in DATAGRAMS[name]]))
    spec = registry.BY_NAME[name]
    parser = (spec.new_datagram_parser or spec.new_parser)()
    stages = parser.feed(side, raw, 0)
    for stage in stages:
        described(spec, stage.tx)
    assert stages or parser.anomalies() or not raw or name in ("quic", "ldap")  # what is encrypted is passed over
    parser.finish(0)


@pytest.mark.parametrize("name", DATAGRAMS)
@settings(max_examples=30, deadline=None)
@given(raw=st.binary(max_size=200), side=st.integers(0, 1))
def test_any_bytes(name, raw, side):
    spec = registry.BY_NAME[name]
    for stage in (spec.new_datagram_parser or spec.new_parser)().feed(side, raw, 0):
        described(spec, stage.tx)
