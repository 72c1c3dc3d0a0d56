"""`sign` of endpoints: its forms, and that verifiers of the same form believe what they make."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.document import Document
from gateway.config.endpoint_shapes import SignShape
from gateway.config.event_types import Types
from gateway.config.part import Part, Surroundings
from gateway.config.secrets import SecretBook
from gateway.config.shapes import SourceShape
from gateway.config.signatures import build_signature, sign_presets
from gateway.config.sources import build_source, presets
from gateway.core.ed25519 import PrivateKey, format_private
from gateway.core.egress import EgressPolicy
from gateway.core.model import SECOND
from gateway.core.routes import EndpointConfig
from gateway.core.verifying import Inbound
from tests.config.conftest import KEY

NOW = 1_795_000_000 * SECOND
SPELLED_OUT = {
    "list": "signature: {header: X-Sig, style: list, sep: ' ', kv: ',', version: v1, encoding: base64}\n"
    "timestamp: {header: X-Time, format: rfc3339}\nid: {header: X-Id}\n"
    "signed: '{id}.{timestamp}.{method}.{body_sha256_hex}'\nhash: sha512",
    "plain": "signature: {header: X-Sig, prefix: 'sha1='}\nhash: sha1\nsecret_encoding: hex",
    "pairs": "signature: {header: X-Sig, style: pairs, sep: ';', kv: ':', key: h1}\n"
    "timestamp: {pair_key: ts, format: unix_ms}\nsigned: '{timestamp}:{body}'\n"
    "secret_encoding: base64\nsecret_prefix: whsec_",
}
SECRETS = {"hex": "0f" * 32, "base64": KEY, "utf8": "täxt", "": KEY}


def nowhere(tmp_path, **environment):
    around = Surroundings(SecretBook(environment), EgressPolicy(), lambda _name, _arguments: "")
    return Part(Document("routes.yaml"), tmp_path, around)


def endpoint_of(shape: dict, secret: str, tmp_path) -> EndpointConfig:
    part = nowhere(tmp_path, S=secret)
    shape = SignShape.model_validate({**shape, "secrets": [{"env": "S"}]})
    keys, form = build_signature(shape, part)
    assert part.problems == []
    return EndpointConfig(name="x", url="https://x/", keys=keys, signed_as=form)


def verifier_of(verify: dict, secret: str, tmp_path):
    part = nowhere(tmp_path, S=secret)
    shape = SourceShape.model_validate({"verify": {**verify, "secrets": [{"env": "S"}]}})
    source = build_source("x", shape, part, Types())
    assert source is not None, part.problems
    return source.verifier


def outcome(verifier, headers: dict[str, str], body: bytes, now: int = NOW) -> str:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    return verifier.verify(Inbound("POST", raw, frozenset(), body, now)).outcome


CASES = {
    "standard-webhooks": ({}, {"preset": "standard-webhooks"}),
    **{
        name: (
            {"preset": name},
            {"preset": name} if name in presets() else {"scheme": "hmac", **form},
        )
        for name, form in sign_presets().items()
    },
    **{
        name: (yaml.safe_load(text), {"scheme": "hmac", **yaml.safe_load(text)})
        for name, text in SPELLED_OUT.items()
    },
}


@pytest.mark.parametrize("name", list(CASES))
@given(
    body=st.binary(max_size=200), webhook_id=st.from_regex(r"dlv_[0-9a-f]{8}_[0-9]", fullmatch=True)
)
def test_a_verifier_of_the_same_form_believes_what_is_signed(name, tmp_path, body, webhook_id):
    shape, verify = CASES[name]
    secret = SECRETS[shape.get("secret_encoding", "utf8" if name in sign_presets() else "")]
    endpoint = endpoint_of(shape, secret, tmp_path)
    verifier = verifier_of(verify, secret, tmp_path)
    headers = endpoint.signature(webhook_id, NOW, body, "POST")
    assert headers["webhook-id"] == webhook_id
    assert outcome(verifier, headers, body) == "ok"
    assert outcome(verifier, headers, body + b"x") == "bad_signature"


def test_what_stripes_and_slacks_and_githubs_documents_show_is_what_is_sent(tmp_path):
    def headers(preset):
        return endpoint_of({"preset": preset}, "s", tmp_path).signature("dlv_1", NOW, b"{}", "POST")

    assert headers("github").keys() == {"webhook-id", "x-hub-signature-256", "x-github-delivery"}
    assert headers("github")["x-hub-signature-256"].startswith("sha256=")
    assert headers("stripe").keys() == {"webhook-id", "stripe-signature"}
    assert headers("stripe")["stripe-signature"].startswith(f"t={NOW // SECOND},v1=")
    assert headers("slack").keys() == {
        "webhook-id", "x-slack-signature", "x-slack-request-timestamp",
    }  # fmt: skip
    assert headers("slack")["x-slack-signature"].startswith("v0=")


# -- routes.yaml -----------------------------------------------------------------------------------


def with_sign(sign: str) -> str:
    return f"version: 1\nendpoints:\n  x:\n    url: https://x.example.com/\n    sign: {sign}\n"


def test_both_kinds_of_keys_stand_side_by_side(load):
    text = with_sign("{secrets: [{env: A, until: 2026-12-01T00:00:00Z}, {env: B}]}")
    loaded = load(text, A=format_private(b"s" * 32), B=KEY)
    ed25519, hmac = loaded.routes.endpoints["x"].keys
    assert ed25519 == PrivateKey(b"s" * 32, until=ed25519.until)
    assert ed25519.until is not None
    assert hmac.until is None


def test_the_preset_of_standard_webhooks_is_the_default(load):
    with_preset = load(with_sign("{preset: standard-webhooks, secrets: [{env: A}]}"), A=KEY)
    without = load(with_sign("{secrets: [{env: A}]}"), A=KEY)
    assert with_preset.routes.endpoints["x"] == without.routes.endpoints["x"]


@pytest.mark.parametrize(
    ("sign", "code"),
    [
        ("{preset: githib, secrets: [{env: A}]}", "unknown-preset"),
        ("{preset: github, hash: sha1, secrets: [{env: A}]}", "sign-forms"),
        ("{hash: sha1, secrets: [{env: A}]}", "sign-forms"),
        ("{signature: {header: X, style: list}, secrets: [{env: A}]}", "missing-key"),
        ("{signature: {header: X}, signed: '{text}', secrets: [{env: A}]}", "signed-placeholder"),
        ("{signature: {header: Webhook-Id}, secrets: [{env: A}]}", "sign-header"),
        ("{signature: {header: X}, id: {header: Authorization}, secrets: [{env: A}]}", "sign-header"),
        ("{signature: {header: X}, signed: 'x', secrets: [{env: A}]}", "signed-body"),
        ("{signature: {header: X}, signed: '{timestamp}{body}', secrets: [{env: A}]}", "signed-timestamp"),
        ("{signature: {header: X}, timestamp: {header: T}, secrets: [{env: A}]}", "signed-timestamp"),
        ("{signature: {header: X}, timestamp: {pair_key: t}, signed: '{timestamp}{body}', secrets: [{env: A}]}", "timestamp-place"),
        ("{signature: {header: X}, secret_encoding: hex, secrets: [{env: A}]}", "secret-form"),
        ("{signature: {header: X}, secret_encoding: base64, secrets: [{env: A}]}", "secret-form"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_form_is_told(load, sign, code):
    codes = {problem.code for problem in load(with_sign(sign), A="§").problems}
    assert code in codes


def test_an_ed25519_key_whose_halves_differ_is_told_without_being_shown(load):
    text = "whsk_" + "A" * 86 + "=="
    loaded = load(with_sign("{secrets: [{env: A}]}"), A=text)
    (problem,) = (problem for problem in loaded.problems if problem.severity == "error")
    assert problem.code == "secret-form"
    assert "whsk_A" not in str(problem)
