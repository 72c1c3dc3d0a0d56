"""Who sent this? Against published vectors, and against ourselves."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gateway.config.document import Document
from gateway.config.part import Part, Surroundings
from gateway.config.secrets import SecretBook
from gateway.config.shapes import HmacVerify, SourceShape
from gateway.config.sources import build_source, presets
from gateway.core.egress import EgressPolicy
from gateway.core.model import SECOND
from gateway.core.secret import Key
from gateway.core.verifying import (
    OUTCOMES,
    Inbound,
    NoVerifier,
    TokenVerifier,
    split_template,
    unknown_placeholder,
)

DATA = Path(__file__).parents[1] / "data"
VECTORS = [json.loads(line) for line in (DATA / "signature_vectors.jsonl").read_text().splitlines()]
SENDERS = yaml.safe_load((DATA / "presets.yaml").read_text())
LATER = {"{url}", "{form_sorted}"}  # placeholders that come with public_url


def hmac_sender(name: str) -> bool:
    sender = SENDERS[name]
    return sender["scheme"] == "hmac" and not any(word in sender["signed"] for word in LATER)


def durations(timestamp: dict) -> dict:
    spelt = {name: f"{timestamp[name]}s" for name in ("tolerance", "future") if name in timestamp}
    return {**timestamp, **spelt}


def verifier(sender: dict, *secrets: str):
    """The verifier that routes.yaml would make of a sender's description."""
    environment = {f"SECRET_{i}": secret for i, secret in enumerate(secrets)}
    verify = {**sender, "secrets": [{"env": name} for name in environment]}
    if "timestamp" in verify:
        verify["timestamp"] = durations(verify["timestamp"])
    around = Surroundings(SecretBook(environment), EgressPolicy(), lambda _: "")
    part = Part(Document("test"), Path(), around)
    source = build_source("test", SourceShape.model_validate({"verify": verify}), part)
    assert source is not None, [str(problem) for problem in part.problems]
    return source.verifier


def inbound(headers: dict[str, str], body: bytes, now: int, method: str = "POST") -> Inbound:
    raw = {n.lower().encode(): v.encode("latin-1", "replace") for n, v in headers.items()}
    return Inbound(method, raw, frozenset(), body, now * SECOND)


CASES = [v for v in VECTORS if v["scheme"] in SENDERS and hmac_sender(v["scheme"])]


@pytest.mark.parametrize("vector", CASES, ids=lambda v: v["id"])
def test_published_vectors_verify_as_published(vector):
    secrets = vector["secret"] if isinstance(vector["secret"], list) else [vector["secret"]]
    try:
        checked = verifier(SENDERS[vector["scheme"]], *secrets)
    except AssertionError:
        assert not vector["valid"]  # a secret that is no key is refused when the file is read
        return
    request = inbound(
        vector["headers"],
        base64.b64decode(vector["body_b64"]),
        vector["now"],
        vector.get("request", {}).get("method", "POST"),
    )
    outcome = checked.verify(request).outcome
    assert (outcome == "ok") is vector["valid"]
    if not vector["valid"] and "reject" in vector:
        assert outcome == vector["reject"]


def test_the_vectors_cover_the_generic_verifier():
    assert len(CASES) > 60
    assert {v["valid"] for v in CASES} == {True, False}


NOW = 1_795_000_000
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
STANDARD = verifier(SENDERS["standard-webhooks"], SECRET)


def signed(body: bytes = b"{}", now: int = NOW, request_id: str = "msg_1") -> dict[str, str]:
    return STANDARD.sign(body, now * SECOND, method="POST", request_id=request_id)


def outcome(
    headers: dict[str, str], body: bytes = b"{}", now: int = NOW, repeated=frozenset()
) -> str:
    request = inbound(headers, body, now)
    request.repeated = repeated
    return STANDARD.verify(request).outcome


def test_a_verified_request_carries_its_senders_id():
    verdict = STANDARD.verify(inbound(signed(request_id="msg_42"), b"{}", NOW))
    assert (verdict.ok, verdict.id) == (True, "msg_42")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_wanted_once(name):
    headers = signed()
    assert outcome({n: v for n, v in headers.items() if n != name}) == "missing_header"
    assert outcome(headers, repeated=frozenset({name.encode()})) == "duplicate_header"


def test_another_repeated_header_does_no_harm():
    assert outcome(signed(), repeated=frozenset({b"x-forwarded-for"})) == "ok"


@pytest.mark.parametrize("text", ["1_795_000_000", "+1795000000", "1795000000.0", "1.795e9", " 1795000000",
                                  "١٧٩٥٠٠٠٠٠٠", "", "0" * 16, "-1"])  # fmt: skip
def test_timestamps_are_digits_and_nothing_else(text):
    headers = {**signed(), "webhook-timestamp": text}
    assert outcome(headers) in {"malformed_timestamp", "missing_header"}


@pytest.mark.parametrize(
    ("age", "expected"),
    [(300, "ok"), (301, "stale_timestamp"), (-300, "ok"), (-301, "future_timestamp")],
)
def test_the_tolerance_holds_both_ways(age, expected):
    assert outcome(signed(now=NOW - age)) == expected


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("v1,", "malformed_signature"),
        ("v1", "unsupported_version"),
        ("v2,abcd", "unsupported_version"),
        ("v1a,abcd", "unsupported_version"),
        ("v1,!!!!", "malformed_signature"),
        ("v1,AAAA", "bad_signature"),
        ("", "unsupported_version"),
    ],
)
def test_broken_signatures_have_their_own_outcome(signature, expected):
    assert outcome({**signed(), "webhook-signature": signature}) == expected


def test_a_right_signature_counts_among_wrong_ones_but_not_beyond_the_sixteenth():
    right = signed()["webhook-signature"]
    wrong = "v1," + base64.b64encode(b"w" * 32).decode()
    assert outcome({**signed(), "webhook-signature": " ".join([wrong] * 15 + [right])}) == "ok"
    assert (
        outcome({**signed(), "webhook-signature": " ".join([wrong] * 16 + [right])})
        == "bad_signature"
    )


def test_any_of_several_secrets_verifies_until_it_expires():
    old, new = Key(b"k" * 32, until=(NOW + 10) * SECOND), Key(b"n" * 32)
    rotating = replace(STANDARD, keys=(new, old))
    assert rotating.verify(inbound(signed(), b"{}", NOW)).ok
    late = inbound(signed(now=NOW + 11), b"{}", NOW + 11)
    assert rotating.verify(late).outcome == "bad_signature"


@given(
    body=st.binary(max_size=200),
    flip=st.integers(0, 10_000),
)
def test_one_flipped_bit_of_the_body_is_noticed(body, flip):
    headers = signed(body)
    assert outcome(headers, body) == "ok"
    if body:
        at = flip % len(body)
        changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        assert outcome(headers, changed) == "bad_signature"


@given(headers=st.dictionaries(
    st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
    st.text(st.characters(max_codepoint=255), max_size=80),
))  # fmt: skip
def test_no_header_whatever_it_holds_is_more_than_an_outcome(headers):
    assert outcome(headers) in set(OUTCOMES) - {"ok"}


def test_what_the_reference_library_signs_is_verified():
    moment = datetime.fromtimestamp(NOW, UTC)
    signature = Webhook(SECRET).sign("msg_7", moment, '{"a":1}')
    headers = {"webhook-id": "msg_7", "webhook-timestamp": str(NOW), "webhook-signature": signature}
    assert outcome(headers, b'{"a":1}') == "ok"


@pytest.mark.parametrize("name", [n for n in SENDERS if hmac_sender(n)])
def test_every_scheme_verifies_what_it_signs(name):
    secret = {"base64": SECRET, "hex": "6b" * 32}.get(
        SENDERS[name].get("secret_encoding", ""), "key"
    )
    scheme = verifier(SENDERS[name], secret)
    headers = scheme.sign(b'{"a":1}', NOW * SECOND, method="POST", request_id="id-1")
    assert scheme.verify(inbound(headers, b'{"a":1}', NOW)).outcome == "ok"
    assert scheme.verify(inbound(headers, b'{"a":2}', NOW)).outcome == "bad_signature"


def test_a_token_is_compared_whole():
    token = TokenVerifier((Key(b"t0ken"),))
    assert token.verify(inbound({"Authorization": "Bearer t0ken"}, b"", NOW)).ok
    assert token.verify(inbound({"Authorization": "bearer t0ken"}, b"", NOW)).ok
    assert (
        token.verify(inbound({"Authorization": "Bearer t0ke"}, b"", NOW)).outcome == "bad_signature"
    )
    assert (
        token.verify(inbound({"Authorization": "Basic t0ken"}, b"", NOW)).outcome
        == "malformed_header"
    )
    assert token.verify(inbound({}, b"", NOW)).outcome == "missing_header"


def test_a_token_in_a_header_of_its_own_needs_no_word_before_it():
    token = TokenVerifier((Key(b"t0ken"),), b"x-token", b"")
    assert token.verify(inbound(token.sign(b"", 0, method="POST", request_id=""), b"", NOW)).ok


def test_no_verification_takes_everything():
    assert NoVerifier().verify(inbound({}, b"", NOW)).ok


def test_placeholders_are_cut_out_of_a_template():
    assert split_template("{id}.{timestamp}.{body}") == ("{id}", ".", "{timestamp}", ".", "{body}")
    assert unknown_placeholder(split_template("{body}{header:X-Id}")) is None
    assert unknown_placeholder(split_template("{body}{nonsense}")) == "{nonsense}"


def test_the_shipped_preset_is_the_published_one():
    published = SENDERS["standard-webhooks"]
    own = HmacVerify.model_validate({**presets()["standard-webhooks"], "secrets": [{"env": "X"}]})
    theirs = HmacVerify.model_validate(
        {**published, "timestamp": durations(published["timestamp"]), "secrets": [{"env": "X"}]}
    )
    assert own == theirs
