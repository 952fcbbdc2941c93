import pytest

from sensor.model import rows
from sensor.model.app import RAW_BODY, RAW_DERIVED, RAW_HEADERS, RAW_NAME, RAW_URI, RAW_VERBATIM
from sensor.proto import registry

RAW = {RAW_BODY, RAW_DERIVED, RAW_HEADERS, RAW_NAME, RAW_URI, RAW_VERBATIM}


def test_ids_follow_the_tuple_and_leave_room_for_undecided_and_unknown():
    assert [spec.name for spec in registry.PROTOCOLS] == ["http", "dns", "tls", "ssh", "dhcp"]
    assert [registry.APP_ID[spec.name] for spec in registry.PROTOCOLS] == [2, 3, 4, 5, 6]
    assert max(rows.APP_UNDECIDED, rows.APP_UNKNOWN) < registry.FIRST_APP_ID


def test_names_of_protocols_are_distinct_and_found():
    words = [word for spec in registry.PROTOCOLS for word in (spec.name, *spec.rule_names)]
    assert len(words) == len(set(words)) == len(registry.BY_NAME)
    assert registry.BY_NAME["http1"].name == "http"


def test_no_buffer_name_means_two_buffers():
    names = [
        name
        for spec in registry.PROTOCOLS
        for buffer in spec.buffers
        for name in (buffer.name, *buffer.aliases)
    ]
    assert len(names) == len(set(names)) == len(registry.BUFFERS)


def test_buffers_are_found_by_every_spelling():
    spec, buffer = registry.BUFFERS["uricontent"]
    assert (spec.name, buffer.name) == ("http", "http.uri")
    assert registry.BUFFERS["file_data@to_client"][1].name == "file.data@to_client"
    assert registry.BUFFERS["dns_query"][0].name == "dns"


def test_look_ups_cannot_be_changed():
    for table in (registry.BY_NAME, registry.APP_ID, registry.BUFFERS):
        with pytest.raises(TypeError):
            table["x"] = None


@pytest.mark.parametrize("spec", registry.PROTOCOLS, ids=lambda spec: spec.name)
def test_specs_are_coherent(spec):
    assert spec.log_stages
    assert all(0 <= stage < len(spec.stages) for stage in spec.log_stages)
    for buffer in spec.buffers:
        assert 0 <= buffer.stage < len(spec.stages)
        assert buffer.raw in RAW
        base = buffer.name.removesuffix("@to_client")
        if base != buffer.name:
            twin = registry.BUFFERS[base][1]
            assert spec.stages[twin.stage].side != spec.stages[buffer.stage].side
    parser = spec.new_parser()
    assert not parser.done
    assert parser.anomalies() == []
    assert parser.finish(0) == []
