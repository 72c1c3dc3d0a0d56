"""Ed25519 keys: their text, and their public parts as others compute them."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.ed25519 import (
    PrivateKey,
    format_private,
    format_public,
    json_web_key,
    parse_seed,
)

# RFC 8037, appendix A.
SEED = base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=")
X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_json_web_key_is_that_of_the_rfc():
    assert json_web_key(PrivateKey(SEED).public) == {
        "kty": "OKP", "crv": "Ed25519", "x": X, "kid": THUMBPRINT, "use": "sig", "alg": "EdDSA",
    }  # fmt: skip


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_the_public_key_verifies_what_the_private_one_signs(seed, content):
    key = PrivateKey(seed)
    Ed25519PublicKey.from_public_bytes(key.public).verify(key.sign(content), content)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_survives_its_text_with_and_without_its_public_half(seed):
    assert parse_seed(format_private(seed)) == seed
    assert parse_seed("whsk_" + base64.b64encode(seed).decode()) == seed
    assert len(base64.b64decode(format_private(seed).removeprefix("whsk_"))) == 64


def test_a_public_half_of_another_key_is_refused():
    material = SEED + PrivateKey(b"x" * 32).public
    with pytest.raises(ValueError, match="second half"):
        parse_seed("whsk_" + base64.b64encode(material).decode())


@pytest.mark.parametrize("text", ["whsk_", "whsk_!!!!", "whsk_c2hvcnQ=", "whsk_" + "A" * 200])
def test_what_is_no_key_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError) as caught:
        parse_seed(text)
    assert len(text) < 10 or text.removeprefix("whsk_") not in str(caught.value)


def test_a_key_prints_its_public_part_only():
    printed = repr(PrivateKey(b"secret-secret-secret-secret-secr"))
    assert "secret" not in printed
    assert "public" in printed


def test_a_public_key_is_written_as_standard_webhooks_does():
    assert format_public(b"\0" * 32) == "whpk_" + "A" * 43 + "="
