from suricatakit import matches, rule

from sensor.rules.compile import protocol, protocols, scope
from sensor.rules.nodes import All, BufferMatch, Content, HeaderTest
from sensor.rules.sides import sided

HTTP = "alert http1 any any -> any any"


def test_a_rule_with_a_direction_stays_one():
    made = rule('flow:to_server; http.header; content:"x";', HTTP)
    assert sided(made) == (made,)


def test_a_buffer_of_either_side_makes_two():
    made = rule('http.header; content:"x"; http.cookie; content:"y";', HTTP)
    server, client = sided(made)
    assert (server.direction, client.direction) == ("to_server", "to_client")
    assert [m.buffer for m in matches(server)] == ["http.header", "http.cookie"]
    assert [m.buffer for m in matches(client)] == ["http.header@to_client", "http.cookie@to_client"]
    assert not any(m.either for m in matches(server) + matches(client))
    assert {made.sid, server.sid, client.sid} == {1}


def test_a_rule_of_http_is_about_either_version():
    first, second = sided(rule('flow:to_server; http.uri; content:"x";', "alert http any any -> any any"))
    assert [(one.proto, protocol(one).name) for one in (first, second)] == [("http1", "http"), ("http2", "http2")]


def test_what_is_in_a_stream_is_not_judged_as_packets_too():
    made = rule('content:"x";', "alert ip any any -> any any")
    packet, stream = sided(made)
    assert (scope(packet), scope(stream)) == ("packet", "stream")
    no_stream = HeaderTest("tcp.segment", "in", values=(0, 5))
    assert packet.body == All((no_stream, BufferMatch("payload", (Content(b"x"),))))
    assert stream.body == BufferMatch("stream", (Content(b"x"),))


def test_contents_bound_to_the_start_are_judged_on_both():
    for head in ("alert ip any any -> any any", "alert tcp any any -> any any"):
        made = rule('content:"x"; depth:5;', head)
        assert sided(made) == (made,)
        assert scope(made) == "both"


def test_plain_tcp_rules_stay_one():
    made = rule('content:"x";')
    assert sided(made) == (made,)


def test_there_is_no_rule_for_a_side_on_which_a_protocol_has_no_such_buffer():
    parts = sided(rule('file.sha256; content:"00";'))
    assert {part.direction for part in parts if part.proto == "smtp"} == {"to_server"}
    assert {part.direction for part in parts if part.proto == "smb"} == {"to_server", "to_client"}
    assert all(protocols(part) for part in parts)


def test_a_rule_of_a_transport_stays_one_where_a_protocol_has_several():
    of_tcp = {part.proto: part for part in sided(rule('flow:to_server; file.name; content:"x";'))}
    assert HeaderTest("ip.proto", "in", values=(6,)) in of_tcp["nfs"].body.children
    assert isinstance(of_tcp["smb"].body, BufferMatch)  # there is no other SMB
    of_any = sided(rule('flow:to_server; file.name; content:"x";', "alert ip any any -> any any"))
    assert all(isinstance(part.body, BufferMatch) for part in of_any)
