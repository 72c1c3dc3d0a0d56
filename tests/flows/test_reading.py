"""From a request to events."""

import contextlib
import itertools

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.expressions import Expressions
from gateway.core.errors import BodyMalformed, ExpressionFailed, MediaTypeUnsupported
from gateway.core.model import event_id
from gateway.core.routes import MOST_EVENTS, EventCase, Source
from gateway.core.verifying import Inbound, NoVerifier
from gateway.flows.reading import BATCHED, STRUCTURED, read
from tests.kit.build import NOW

X = Expressions(["body", "headers"])
CLOUD = {
    "specversion": "1.0", "id": "e-1", "source": "/contracts", "type": "license.expiring",
    "subject": "license/1", "time": "2026-11-18T11:06:40Z", "datacontenttype": "application/json",
}  # fmt: skip


def source(**fields) -> Source:
    return Source(name="getty", verifier=NoVerifier(), **fields)


def read_all(body: bytes, content_type: str = "application/json", of: Source | None = None,
             verified_id: str | None = None, **headers: str):  # fmt: skip
    serials = itertools.count(1)
    raw = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    if content_type:
        raw[b"content-type"] = content_type.encode()
    request = Inbound("POST", raw, frozenset(), body, NOW)
    return read(of or source(), request, verified_id, lambda: event_id(NOW, next(serials))).events


def read_one(*arguments, **more):
    (event,) = read_all(*arguments, **more)
    return event


# -- structured ------------------------------------------------------------------------------------


def test_a_structured_event_keeps_its_attributes_and_the_bytes_of_its_data():
    data = b'{ "days_left":14.0,\n "x": "\\u00fc" }'
    body = orjson.dumps(CLOUD)[:-1] + b', "tenant":"acme", "data": ' + data + b" }"
    event = read_one(body, STRUCTURED)
    assert event.splice == data
    assert event.attributes == {**CLOUD, "tenant": "acme"}
    assert (event.id, event.origin, event.source) == ("e-1", "/contracts", "getty")
    assert event.data == {"days_left": 14.0, "x": "ü"}
    assert event.body == body
    assert event.key == "/contracts e-1"
    sent = orjson.loads(event.envelope)
    assert sent == {**CLOUD, "tenant": "acme", "data": event.data}


@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=10),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_any_data_goes_out_as_it_came(data):
    event = read_one(orjson.dumps({**CLOUD, "data": data}), STRUCTURED)
    assert event.splice == orjson.dumps(data)
    assert orjson.loads(event.envelope)["data"] == orjson.loads(event.splice)


def test_plain_json_that_is_a_cloudevent_is_read_as_one():
    assert read_one(orjson.dumps({**CLOUD, "data": 1})).attributes["source"] == "/contracts"


def test_data_in_base64_stays_as_it_is():
    event = read_one(orjson.dumps({**CLOUD, "data_base64": "AAEC"}), STRUCTURED)
    assert event.envelope.endswith(b'"data_base64":"AAEC"}')
    assert event.data is None


def test_an_event_without_data_has_none():
    event = read_one(orjson.dumps(CLOUD), STRUCTURED)
    assert "data" not in event.fields
    assert orjson.loads(event.envelope) == CLOUD


def test_an_event_without_a_time_gets_that_of_its_receipt():
    timeless = {n: v for n, v in CLOUD.items() if n != "time"}
    assert read_one(orjson.dumps(timeless), STRUCTURED).time == "2026-11-18T11:06:40.000Z"


def test_null_attributes_are_absent():
    event = read_one(orjson.dumps({**CLOUD, "subject": None, "tenant": None}), STRUCTURED)
    assert event.subject is None
    assert "tenant" not in event.attributes


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"specversion": None}, "specversion"),
        ({"id": ""}, "id is not text"),
        ({"id": None}, "has no id"),
        ({"id": 3}, "id is not text"),
        ({"source": None}, "has no source"),
        ({"type": None}, "has no type"),
        ({"subject": 5}, "subject is not text"),
        ({"time": "yesterday"}, "RFC 3339"),
        ({"Tenant": "x"}, "attribute name"),
        ({"trace-id": "x"}, "attribute name"),
        ({"tenant": {"a": 1}}, "neither text"),
        ({"tenant": 1.5}, "neither text"),
        ({"data": 1, "data_base64": "AA=="}, "both"),
        ({"data_base64": 3}, "data_base64"),
    ],
)
def test_what_is_no_cloudevent_is_said_to_be_none(change, word):
    with pytest.raises(BodyMalformed, match=word) as caught:
        read_all(orjson.dumps({**CLOUD, **change}), STRUCTURED)
    assert caught.value.code == "cloudevent-invalid"


@pytest.mark.parametrize("body", [b"[]", b'"x"', b"1", b"null"])
def test_a_cloudevent_is_an_object(body):
    with pytest.raises(BodyMalformed, match="object"):
        read_all(body, STRUCTURED)


# -- batch -----------------------------------------------------------------------------------------


def test_a_batch_makes_several_events_each_with_its_own_bytes():
    events = [orjson.dumps({**CLOUD, "id": f"e-{i}", "data": i}) for i in range(3)]
    found = read_all(b"[" + b" , ".join(events) + b"]", BATCHED)
    assert [e.id for e in found] == ["e-0", "e-1", "e-2"]
    assert [e.body for e in found] == events
    assert len({e.event_id for e in found}) == 3


def test_the_events_of_a_batch_have_keys_of_their_own():
    batch = orjson.dumps([{**CLOUD, "id": "a"}, {**CLOUD, "id": "b"}])
    for of in (source(signed_content_key=True), source(dedupe_key=X.template("${body.id}"))):
        one, two = read_all(batch, BATCHED, of=of)
        assert one.key != two.key


def test_an_event_of_a_batch_is_a_structured_one():
    (event,) = read_all(orjson.dumps([CLOUD]), BATCHED)
    assert event.content_type == STRUCTURED


@pytest.mark.parametrize("body", [b"[]", b"{}", b"[1]"])
def test_a_batch_is_an_array_of_events(body):
    with pytest.raises(BodyMalformed):
        read_all(body, BATCHED)


def test_one_bad_event_refuses_the_whole_batch():
    with pytest.raises(BodyMalformed):
        read_all(orjson.dumps([CLOUD, {**CLOUD, "type": None}]), BATCHED)


# -- binary ----------------------------------------------------------------------------------------

BINARY = {
    "ce_specversion": "1.0", "ce_id": "e-1", "ce_source": "/contracts", "ce_type": "asset.updated",
}  # fmt: skip


def test_binary_attributes_are_headers_and_the_body_is_the_data():
    event = read_one(b'{ "a": 1 }', **BINARY, ce_subject="asset%2F1%20%C3%BC", ce_tenant="acme")
    assert event.attributes["subject"] == "asset/1 ü"
    assert (event.attributes["tenant"], event.data, event.splice) == (
        "acme",
        {"a": 1},
        b'{ "a": 1 }',
    )
    assert event.attributes["datacontenttype"] == "application/json"


def test_binary_data_that_is_no_json_goes_out_in_base64():
    event = read_one(b"\x00\x01\x02", "image/jpeg", **BINARY)
    assert orjson.loads(event.envelope)["data_base64"] == "AAEC"
    assert event.data is None


def test_a_binary_event_may_have_no_body():
    assert "data" not in read_one(b"", "", **BINARY).fields


def test_a_header_that_is_no_utf8_is_refused():
    with pytest.raises(BodyMalformed, match="UTF-8"):
        read_all(b"{}", **BINARY, ce_subject="%ff%fe")


# -- plain -----------------------------------------------------------------------------------------


def test_without_a_mapping_the_body_that_standard_webhooks_recommends_is_read():
    body = b'{"type":"asset.updated","timestamp":"2026-11-18T10:00:00Z","data": {"a":1.0}}'
    event = read_one(body, verified_id="msg_1")
    assert (event.id, event.type, event.time) == ("msg_1", "asset.updated", "2026-11-18T10:00:00Z")
    assert event.splice == b'{"a":1.0}'
    assert event.key == "msg_1"
    assert event.attributes["source"] == "/in/getty"
    assert event.origin is None


def test_without_data_the_whole_body_is_the_data():
    event = read_one(b'{"type":"x","asset":1}')
    assert event.data == {"type": "x", "asset": 1}


def test_an_event_whose_sender_names_none_gets_the_gateways_id_and_no_key():
    event = read_one(b'{"type":"x"}')
    assert event.id == event.event_id
    assert event.key is None


def test_a_body_that_names_no_type_asks_for_a_mapping():
    with pytest.raises(BodyMalformed, match="mapping") as caught:
        read_all(b'{"kind":"x"}')
    assert caught.value.code == "event-unmapped"


def mapped(**templates) -> Source:
    data = templates.pop("data", "body")
    computed = {name: X.template(template) for name, template in templates.items()}
    return source(cases=(EventCase(data=data if data == "body" else X.template(data), **computed),))


def test_a_mapping_makes_an_event_of_plain_json():
    of = mapped(
        type="asset.${body.what}", id='${headers["x-id"]}', subject="asset/${body.asset.id}",
        time="${body.at}", data={"asset": "${body.asset}"},
    )  # fmt: skip
    body = orjson.dumps({"what": "updated", "asset": {"id": 7}, "at": "2026-11-18T10:00:00+01:00"})
    event = read_one(body, of=of, x_id="d-1")
    assert (event.id, event.key, event.type, event.subject) == (
        "d-1",
        "d-1",
        "asset.updated",
        "asset/7",
    )
    assert event.time == "2026-11-18T10:00:00+01:00"
    assert (event.data, event.splice) == ({"asset": {"id": 7}}, b'{"asset":{"id":7}}')


def test_a_mapping_that_leaves_the_data_alone_sends_the_body_byte_for_byte():
    event = read_one(b' {"a" : 1.0} ', of=mapped(type="x"))
    assert event.splice == b' {"a" : 1.0} '


def test_cloudevents_need_no_mapping_even_where_there_is_one():
    assert read_one(orjson.dumps(CLOUD), STRUCTURED, of=mapped(type="x")).type == "license.expiring"


@pytest.mark.parametrize(
    ("templates", "word"),
    [
        ({"type": "${body.missing}"}, "missing"),
        ({"type": "${body.list}"}, "not text"),
        ({"type": "${body.empty}"}, "empty"),
        ({"type": "x", "id": "${body.list}"}, "`event.id`"),
        ({"type": "x", "time": "${body.at}"}, "RFC 3339"),
        ({"type": "x", "subject": "${body.list}"}, "`event.subject`"),
    ],
)
def test_a_mapping_without_a_value_fails_and_says_which(templates, word):
    with pytest.raises(ExpressionFailed, match=word):
        read_all(b'{"list":[],"at":"monday","empty":""}', of=mapped(**templates))


def test_an_id_of_null_is_none():
    event = read_one(b'{"n":null}', of=mapped(type="x", id="${body.n}"), verified_id="msg_1")
    assert (event.id, event.key) == ("msg_1", "msg_1")


def test_the_idempotency_key_can_be_computed_or_be_the_content():
    assert read_one(b'{"type":"x","n":5}', of=source(dedupe_key=X.template("${body.n}"))).key == "5"
    signed = source(signed_content_key=True)
    one, two = read_one(b'{"type":"x"}', of=signed), read_one(b'{"type":"y"}', of=signed)
    assert len(one.key) == 64
    assert one.key != two.key


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{}x", b"\xff", b'{"a":NaN}', b"[1e400]", b'"\\ud800"', b"\xef\xbb\xbf{}", b"[" * 2000 + b"]" * 2000],
)  # fmt: skip
def test_what_is_no_json_is_refused(body):
    with pytest.raises(BodyMalformed) as caught:
        read_all(body)
    assert caught.value.code == "invalid-json"


@pytest.mark.parametrize("content_type", ["text/plain", "image/png"])
def test_other_content_types_are_not_read(content_type):
    with pytest.raises(MediaTypeUnsupported):
        read_all(b"{}", content_type)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"],
)
def test_json_goes_by_several_names(content_type):
    assert read_one(b'{"type":"x"}', content_type).type == "x"


@given(st.binary(max_size=100), st.sampled_from([STRUCTURED, BATCHED, "application/json"]))
def test_no_bytes_are_more_than_unreadable(body, content_type):
    with contextlib.suppress(BodyMalformed, ExpressionFailed):
        read_all(body, content_type)


# -- forms, and JSON under another name --------------------------------------------------------------

FORM = "application/x-www-form-urlencoded"


def test_a_form_is_an_object_of_texts_and_stays_a_form_for_who_wants_it_raw():
    of = mapped(type="sms.${body.Status}", id="${body.Sid}")
    event = read_one(b"Sid=S1&Status=sent&To=%2B49&Tag=a&Tag=b&Empty=", FORM, of)
    assert event.data == {
        "Sid": "S1",
        "Status": "sent",
        "To": "+49",
        "Tag": ["a", "b"],
        "Empty": "",
    }
    assert orjson.loads(event.envelope)["data"] == event.data
    assert (event.type, event.key) == ("sms.sent", "S1")
    assert (event.body, event.content_type) == (
        b"Sid=S1&Status=sent&To=%2B49&Tag=a&Tag=b&Empty=",
        FORM,
    )


def test_json_in_a_field_of_a_form_can_be_looked_into():
    of = mapped(type="${json(body.payload).type}", data="${json(body.payload)}")
    event = read_one(b"payload=%7B%22type%22%3A%22block_actions%22%7D", FORM, of)
    assert (event.type, event.data) == ("block_actions", {"type": "block_actions"})


@pytest.mark.parametrize("body", [b"a=%FF", b"&".join([b"a=1"] * 1001)])
def test_a_form_that_cannot_be_read_is_refused(body):
    with pytest.raises(BodyMalformed):
        read_all(body, FORM, mapped(type="t"))


def test_a_source_may_call_its_json_something_else():
    of = source(content_types=frozenset({"text/plain"}))
    assert read_one(b'{"type":"t"}', "text/plain; charset=UTF-8", of).type == "t"
    with pytest.raises(MediaTypeUnsupported):
        read_all(b'{"type":"t"}', "text/html", of)


# -- what is too much ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"[" + b"[]," * 250_000 + b"1]", b"[" + b"1," * 250_000 + b"1]"])
def test_a_body_of_too_many_values_is_refused_before_it_is_decoded(body):
    with pytest.raises(BodyMalformed) as caught:
        read_all(body)
    assert caught.value.code == "json-too-wide"


def test_a_long_text_with_commas_is_no_body_of_many_values():
    assert read_one(orjson.dumps({"type": "t", "data": {"text": "a, b " * 10_000}})).type == "t"


def test_a_batch_has_no_more_events_than_a_mapping_makes():
    batch = orjson.dumps([{**CLOUD, "id": str(i)} for i in range(MOST_EVENTS + 1)])
    with pytest.raises(BodyMalformed, match="10,000"):
        read_all(batch, BATCHED)


@pytest.mark.parametrize("name", ["id", "type", "subject", "source"])
def test_an_attribute_is_no_longer_than_a_header_may_be(name):
    with pytest.raises(BodyMalformed, match="1024"):
        read_all(orjson.dumps({**CLOUD, name: "x" * 1025}), STRUCTURED)
    assert read_one(orjson.dumps({**CLOUD, name: "x" * 1024}), STRUCTURED)
    if name in {"id", "type", "subject"}:
        templates = {"type": "t", name: "${body.long}"}
        with pytest.raises(ExpressionFailed, match="1024"):
            read_all(orjson.dumps({"long": "x" * 1025}), of=mapped(**templates))


def test_headers_that_nobody_signed_do_not_decide_what_a_mapping_decides():
    of = mapped(type="asset.updated", id="${body.id}")
    headers = {"ce_specversion": "1.0", "ce_id": "other", "ce_type": "evil", "ce_source": "/e"}
    event = read_one(b'{"id":"1"}', of=of, **headers)
    assert (event.type, event.id, event.key) == ("asset.updated", "1", "1")
