"""The nouns."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.model import (
    BodyForm,
    EventId,
    Response,
    delivery_id,
    event_id,
    parse_delivery_id,
    rfc3339,
)
from tests.kit.build import a_delivery, an_event


def test_event_ids_sort_by_time_then_by_serial():
    ids = [event_id(ms * 1000, serial) for ms in (1, 2, 1_795_000_000_000) for serial in (1, 2)]
    assert ids == sorted(ids)


@given(now=st.integers(0, 1 << 52), serial=st.integers(0, 1 << 60), n=st.integers(0, 999_999_999))
def test_a_delivery_id_leads_back_to_its_event(now, serial, n):
    event = event_id(now, serial)
    assert parse_delivery_id(delivery_id(event, n)) == (event, n)


@pytest.mark.parametrize("text", ["", "dlv_", "dlv__1", "evt_1_1", "dlv_1_", "dlv_1_x", "dlv_1_-1",
                                  "dlv_1_\u0661", "dlv_1_9999999999"])  # fmt: skip
def test_what_is_no_delivery_id_leads_nowhere(text):
    assert parse_delivery_id(text) is None


def test_a_delivery_id_has_no_dot_in_it():
    # Standard Webhooks signs `id.timestamp.body`: a dot in the id would be ambiguous.
    assert "." not in delivery_id(event_id(1, 1), 3)


def test_fields_are_what_match_sees():
    event = an_event(source="dam", subject="asset/1", tenant="acme", data={"a": 1})
    assert event.fields == {
        "id": event.id, "source": "dam", "origin": "/test", "type": "license.expiring",
        "subject": "asset/1", "time": "2026-11-18T11:06:40Z", "tenant": "acme", "data": {"a": 1},
    }  # fmt: skip


def test_an_event_whose_sender_names_no_origin_has_none():
    event = an_event(source="dam")
    event.attributes["source"] = "/in/dam"
    assert event.origin is None
    assert "origin" not in event.fields


def test_the_envelope_holds_the_data_byte_for_byte():
    event = an_event(data={"b": 1.50, "a": [1, 2]})
    assert event.splice in event.envelope
    assert orjson.loads(event.envelope)["data"] == {"b": 1.5, "a": [1, 2]}


def test_a_delivery_sends_what_its_form_says():
    event = an_event()
    assert a_delivery(event).content() == ("application/cloudevents+json", event.envelope)
    assert a_delivery(event, form=BodyForm.RAW).content() == (event.content_type, event.body)
    own = a_delivery(event, form=BodyForm.OWN, body=b'{"x":1}')
    assert own.content() == ("application/json", b'{"x":1}')


def test_a_response_reads_its_body():
    response = Response(status=201, body=b'{"key":"LIC-1"}')
    assert (response.ok, response.json(), response.text) == (
        True,
        {"key": "LIC-1"},
        '{"key":"LIC-1"}',
    )
    with pytest.raises(ValueError):
        Response(status=200, body=b"ok").json()
    assert Response(status=200, body=b"\xff").text == "�"


def test_moments_are_written_in_utc_to_the_millisecond():
    assert rfc3339(1_795_000_000_123_456) == "2026-11-18T11:06:40.123Z"


def test_an_event_prints_without_its_content():
    event = an_event(data={"secret": "content"})
    assert "content" not in repr(event)
    assert EventId(event.event_id) in repr(event)
