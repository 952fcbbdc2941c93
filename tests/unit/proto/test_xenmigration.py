import migrationmake as make
import pytest
from handshakes import TO_CLIENT, TO_SERVER
from test_probe import APP_UNDECIDED, stream

from sensor.proto.ids import XEN_MIGRATION
from sensor.proto.xenmigration.fields import SPEC
from sensor.proto.xenmigration.state import MAX_CONFIG, STAGE_CONFIG, STAGE_MEMORY

IN_CLEAR = "xen_migration.memory_in_clear"
MALFORMED = "xen_migration.malformed_data"


def talk(*said):
    parser = SPEC.new_parser()
    stages = [stage for side, data in said for stage in parser.feed(side, data, 0)]
    return parser, stages, [(one.event, side) for one, side in parser.anomalies()]


def test_migration():
    parser, stages, odd = talk((TO_CLIENT, make.BANNER), (TO_SERVER, make.STREAM + make.MEMORY))
    assert [(s.stage, s.side) for s in stages] == [(STAGE_CONFIG, TO_SERVER), (STAGE_MEMORY, TO_SERVER)]
    tx = stages[1].tx
    assert tx.buffer("xen_migration.guest") == (b"db-01",)
    assert make.CONFIG in tx.buffer("xen_migration.config")[0]
    assert tx.numbers("xen_migration.domain_type") == (1,)
    assert tx.eve() == {
        "saved_by_xl": True,
        "guest": "db-01",
        "uuid": "5f0e9d6e-0b1c-4f5e-8a7b-1c2d3e4f5a6b",
        "libxl_version": 2,
        "libxc_version": 3,
        "domain_type": "x86 PV",
        "page_size": 4096,
        "xen_version": "4.17",
    }
    assert odd == [(IN_CLEAR, TO_SERVER)]
    assert parser.done
    assert parser.feed(TO_SERVER, make.MEMORY, 0) == []


def test_the_server_may_be_the_sender():
    _, stages, odd = talk((TO_SERVER, b"send it\n"), (TO_CLIENT, make.STREAM))
    assert [(s.stage, s.side, s.tx.id) for s in stages] == [(STAGE_CONFIG, TO_CLIENT, 1), (STAGE_MEMORY, TO_CLIENT, 1)]
    assert odd == [(IN_CLEAR, TO_CLIENT)]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (make.libxl() + make.libxc(kind=2), "x86 HVM"),
        (make.libxc(2), "x86 PV"),
        (make.xl(order=">") + make.libxl(order=">") + make.libxc(order=">"), "x86 PV"),
        (make.xl(b"") + make.libxl() + make.libxc(kind=7), "type 7"),
    ],
)
def test_parts_and_orders(data, kind):
    _, stages, odd = talk((TO_SERVER, data))
    assert stages[-1].stage == STAGE_MEMORY
    assert stages[-1].tx.eve()["domain_type"] == kind
    assert odd == [(IN_CLEAR, TO_SERVER)]


@pytest.mark.parametrize(
    "config", [b"name = 'db-01'\n", b"{", b"[" * 100_000, b'{"c_info": 7}', b'{"c_info":{"name":"\xff"}}']
)
def test_configurations_that_cannot_be_read(config):
    _, stages, odd = talk((TO_SERVER, make.xl(config) + make.libxl() + make.libxc()))
    assert stages[0].tx.buffer("xen_migration.guest") == ()
    assert "guest" not in stages[0].tx.eve()
    assert odd == [(IN_CLEAR, TO_SERVER)]


@pytest.mark.parametrize(
    "data",
    [
        make.xl(size=MAX_CONFIG + 1),
        make.xl(b"", order="<").replace(b"\4\3\2\1", b"\4\3\2\2"),
        make.xl().replace(b"\0 \r", b"\0 \n"),
        make.xl() + b"LibxlFmX",
        make.xl() + make.libxl(3),
        make.libxl(kind=2),
        make.libxl() + b"\xff" * 7 + b"\xfe",
        make.libxc(4),
        make.libxc(image=b"XENG"),
        make.libxc(kind=0),
    ],
)
def test_malformed(data):
    parser, stages, odd = talk((TO_SERVER, data), (TO_CLIENT, b"sorry, I can not\n"))
    assert odd == [(MALFORMED, TO_SERVER)]
    assert all(stage.stage == STAGE_CONFIG for stage in stages)
    assert parser.done


def test_an_old_stream_is_told_by_its_header():
    _, stages, odd = talk((TO_SERVER, make.xl(flags=1) + b"legacy"))
    assert [s.stage for s in stages] == [STAGE_CONFIG]
    assert odd == []


def test_lost_bytes():
    parser, _, _ = talk((TO_SERVER, make.xl()[:40]))
    assert parser.gap(TO_SERVER, 10, 0) == []
    assert parser.feed(TO_SERVER, make.STREAM, 0) == []
    assert [one.event for one, _ in parser.anomalies()] == ["applayer.protocol_gap"]


@pytest.mark.parametrize("data", [make.STREAM, make.libxl(), make.libxc()])
def test_detection(data):
    assert stream(data) == XEN_MIGRATION
    assert stream(b"", data) == XEN_MIGRATION
    assert stream(data[:6]) == APP_UNDECIDED


def test_detection_by_the_banner():
    assert stream(b"", make.BANNER) == XEN_MIGRATION
    assert stream(b"xl migration receiver gone, sorry and bye") != XEN_MIGRATION
    assert stream(b"Xen saved domains are in /var/lib/xen/save") != XEN_MIGRATION
