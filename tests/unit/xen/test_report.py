"""Reports of dom0: read with care, compared with the one before."""

import contextlib
import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.xen.faults import BROKEN, FAILED, LOST, NOT_COPIED, TOO_LONG, Growth, faults, growth
from sensor.xen.report import ReportError, parse

BRIDGE = {
    "bridge": "xenbr0", "kind": "linux", "hub": "xenmon0", "ports": 3, "missing": 0, "exempt": 1, "copied": 100,
    "failed": 0, "mtu": 1500, "names": ["vif1.0"], "missing_names": [], "error": "",
}  # fmt: skip
VIF = {"name": "vif9.1", "carrier": True, "mtu": 1500, "frames": 100, "dropped": 5}
WHOLE = {"version": 1, "generation": 3, "time": 1_700_000_000, "repaired": 0, "bridges": [BRIDGE], "vifs": [VIF]}


def report(bridge=None, vif=None, **values):
    whole = WHOLE | {"bridges": [BRIDGE | (bridge or {})], "vifs": [VIF | (vif or {})]} | values
    return parse(json.dumps(whole))


def test_a_report():
    found = report({"missing": 1, "missing_names": ["vif2.0"]})
    assert (found.generation, found.time, found.bridges[0].name, found.vifs[0].dropped) == (
        3, 1_700_000_000, "xenbr0", 5,
    )  # fmt: skip
    assert found.bridges[0].missing_names == ("vif2.0",)


@pytest.mark.parametrize("values", [
    {"version": 2}, {"version": "1"}, {"generation": -1}, {"generation": 1.5}, {"time": None}, {"bridges": {}},
    {"bridges": [1]}, {"bridges": [BRIDGE] * 17}, {"vifs": [VIF] * 17}, {"vifs": [VIF | {"dropped": "5"}]},
    {"bridges": [BRIDGE | {"bridge": 7}]}, {"bridges": [BRIDGE | {"copied": 1 << 63}]},
])  # fmt: skip
def test_what_is_no_report(values):
    with pytest.raises(ReportError):
        parse(json.dumps(WHOLE | values))


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, "7", "x" * 70_000, json.dumps(WHOLE) + " " * 70_000])
def test_what_is_no_report_at_all(text):
    with pytest.raises(ReportError):
        parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*WHOLE, *BRIDGE, *VIF]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(list(WHOLE)), JSON, max_size=3))
def test_nothing_but_the_declared_error(values):
    with contextlib.suppress(ReportError):
        parse(json.dumps(WHOLE | values))


def test_long_names_are_cut():
    found = report({"bridge": "x" * 1000, "error": "e" * 1000, "missing_names": ["n" * 500] * 100})
    bridge = found.bridges[0]
    assert [len(bridge.name), len(bridge.error), len(bridge.missing_names), len(bridge.missing_names[0])] == [
        64, 200, 64, 64,
    ]  # fmt: skip


def test_growth():
    before = report(repaired=2)
    assert growth(None, before) == Growth()
    assert growth(before, report({"copied": 150, "failed": 2}, {"dropped": 8}, repaired=3)) == Growth(3, 2, 50, 1)
    # A restarted sensor has another vif, and a restarted publisher counts anew.
    assert growth(before, report({"copied": 7}, {"name": "vif10.1", "dropped": 4}, repaired=1)) == Growth(4, 0, 7, 1)


def test_faults():
    fine = report()
    assert faults(fine, Growth(copied=100)) == {}
    assert faults(report({"missing": 2, "missing_names": ["vif1.0", "vif2.0"]}), Growth()) == {
        NOT_COPIED: "guests are not mirrored: xenbr0: 2 of 3 ports (vif1.0, vif2.0)"
    }
    assert set(faults(fine, Growth(lost=1, failed=2))) == {LOST, FAILED}
    assert faults(report({"error": "there is no bridge xenbr0"}), Growth()) == {
        BROKEN: "xenbr0: there is no bridge xenbr0"
    }
    assert set(faults(dataclasses.replace(fine, bridges=()), Growth())) == {BROKEN}
    assert set(faults(report({"mtu": 9000}), Growth())) == {TOO_LONG}
