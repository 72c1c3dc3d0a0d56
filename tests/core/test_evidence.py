"""What is digested is canonical, however it was written."""

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.evidence import Link, canonical, digest, number_of_event
from gateway.core.model import event_id
from gateway.core.proof import verify
from tests.kit.build import EVIDENCE_KEY, NOW

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc_"), inner),
)  # fmt: skip


@given(VALUES)
def test_the_fast_writer_writes_what_is_canonical(value):
    assert orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == canonical(value)


def test_canonical_json_is_that_of_rfc_8785():
    assert canonical({"b": "\u20ac\x0f\n'\"\\", "a": [1, None, True]}) == (
        b'{"a":[1,null,true],"b":"\xe2\x82\xac\\u000f\\n\'\\"\\\\"}'
    )


def test_the_hash_of_a_link_is_that_of_its_facts():
    link = Link(chain="ab12", seq=7, at=NOW, previous=bytes(32), root=digest(b"x"), count=3)
    assert link.hash == digest(canonical(link.facts))
    assert json.loads(canonical(link.facts))["previous"] == "00" * 32


def test_numbers_of_events_ascend_and_fit_into_a_column():
    numbers = [number_of_event(event_id(NOW + i * 1000, i)) for i in range(3)]
    assert numbers == sorted(set(numbers))
    assert max(numbers) < 2**63
    assert 0 <= number_of_event("evt_0") < 2**63


def test_only_who_has_the_key_knows_the_number_of_a_subject():
    assert EVIDENCE_KEY.number_of_subject("a") != EVIDENCE_KEY.number_of_subject("b")
    assert 0 <= EVIDENCE_KEY.number_of_subject("a") < 2**63
    assert "seed" not in repr(EVIDENCE_KEY)


def test_a_line_that_nests_too_deep_is_told_as_no_line_of_evidence():
    assert verify([b"[" * 100_000]).faults
