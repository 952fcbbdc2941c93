import pytest

from sensor.config.settings import EVE_TYPES
from sensor.model import rows
from sensor.model.app import RAW_BODY, RAW_DERIVED, RAW_DN, RAW_HEADERS, RAW_NAME, RAW_QUESTION, RAW_URI, RAW_VERBATIM
from sensor.proto import ids, registry

RAW = {RAW_BODY, RAW_DERIVED, RAW_DN, RAW_HEADERS, RAW_NAME, RAW_QUESTION, RAW_URI, RAW_VERBATIM}


def test_ids_are_constants_and_leave_room_for_undecided_and_unknown():
    assert [registry.APP_ID[name] for name in ("http", "dns", "tls", "ssh", "dhcp")] == [2, 3, 4, 5, 6]
    assert min(registry.SPECS) > max(rows.APP_UNDECIDED, rows.APP_UNKNOWN)
    assert max(registry.SPECS) < ids.LIMIT
    numbers = [value for name, value in vars(ids).items() if name.isupper() and name != "LIMIT"]
    assert len(numbers) == len(set(numbers))


def test_records_of_all_protocols_can_be_asked_for():
    assert {spec.eve_key or spec.name for spec in registry.PROTOCOLS} <= set(EVE_TYPES)


def test_names_of_protocols_are_distinct_and_found():
    words = [word for spec in registry.PROTOCOLS for word in (spec.name, *spec.rule_names)]
    assert len(words) == len(set(words)) == len(registry.BY_NAME)
    assert registry.BY_NAME["http1"].name == "http"


@pytest.mark.parametrize("spec", registry.PROTOCOLS, ids=lambda spec: spec.name)
def test_no_name_means_two_buffers_of_a_protocol(spec):
    names = [name for buffer in spec.buffers for name in (buffer.name, *buffer.aliases)]
    assert len(names) == len(set(names))


def test_buffers_that_protocols_share_have_the_same_spellings_and_sides():
    for name, entries in registry.BUFFERS.items():
        assert len({(buffer.name, buffer.aliases, buffer.lowercase) for _, buffer in entries}) == 1, name
        sides = {spec.stages[buffer.stage].side for spec, buffer in entries}
        assert len(sides) == 1 or f"{name}@to_client" not in registry.BUFFERS, name


def test_events_are_declared_once_and_numbered_by_protocol():
    declared = [event for spec in registry.PROTOCOLS for event in spec.events]
    assert len(declared) == len(set(declared))
    for number, spec in registry.SPECS.items():
        assert all(event // 32 in (0, 1, number) for event in spec.events), "0 and 1 are no protocols: shared"


def test_buffers_are_found_by_every_spelling():
    (spec, buffer), *_ = registry.BUFFERS["uricontent"]
    assert (spec.name, buffer.name) == ("http", "http.uri")
    assert registry.BUFFERS["file_data@to_client"][0][1].name == "file.data@to_client"
    assert registry.BUFFERS["dns_query"][0][0].name == "dns"


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
            twin = next(entry for owner, entry in registry.BUFFERS[base] if owner is spec)
            assert spec.stages[twin.stage].side != spec.stages[buffer.stage].side
    parser = spec.new_parser()
    assert not parser.done
    assert parser.anomalies() == []
    assert parser.finish(0) == []


def test_parsers_keep_the_parts_of_the_contract_that_are_asked_of_them():
    traits = registry.TRAITS
    assert {name for name, has in traits.items() if has.hands_over} >= {"http", "smtp", "ftp", "pop3", "imap"}
    assert {name for name, has in traits.items() if has.knows_ends} == {"ftp"}
    assert {name for name, has in traits.items() if has.expects} == {"ftp-data"}
    for spec in registry.PROTOCOLS:
        parser = spec.new_parser()
        assert hasattr(parser, "treat_files") is (spec.files is not None), spec.name
        assert not traits[spec.name].hands_over or callable(parser.rest)
    carriers = {carrier for spec in registry.PROTOCOLS for carrier in spec.carriers}
    assert all(traits[name].hands_over for name in carriers)
