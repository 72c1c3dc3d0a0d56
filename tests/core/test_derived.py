"""Events that the gateway makes of others."""

import json

from gateway.core.derived import MOST_HOPS, OWN_SOURCE, derived, hops_of
from gateway.core.model import event_id
from tests.kit.build import NOW, an_event


def made_of(cause):
    return derived(
        cause, event_id=event_id(NOW, 1), event_type="terms.unconfirmed", origin="/routes/terms",
        data={"route": "terms", "text": "Ä"}, now=NOW, key="confirm/1",
    )  # fmt: skip


def test_it_says_what_it_follows_from_and_what_all_began_with():
    cause = an_event(subject="asset/1")
    first = made_of(cause)
    second = made_of(first)
    assert (first.subject, first.source, first.origin) == ("asset/1", OWN_SOURCE, "/routes/terms")
    assert first.extensions == {"correlationid": cause.id, "causationid": cause.id, "hopcount": 1}
    assert second.extensions["correlationid"] == cause.id
    assert (second.extensions["causationid"], hops_of(second)) == (first.id, 2)


def test_its_envelope_is_the_json_that_it_says():
    event = made_of(an_event(subject=None))
    envelope = json.loads(event.envelope)
    assert envelope["data"] == event.data == {"route": "terms", "text": "Ä"}
    assert "subject" not in envelope
    assert event.body == event.envelope


def test_a_count_of_hops_that_is_none_counts_as_none():
    for claimed in ("16", True, -3, 1.5, None):
        assert hops_of(an_event(hopcount=claimed)) == 0
    assert hops_of(an_event(hopcount=MOST_HOPS)) == MOST_HOPS
