"""Our signature, as an independent library sees it."""

import base64
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gateway.core.ed25519 import PrivateKey, format_private
from gateway.core.model import SECOND
from gateway.core.schemes.signed import Signature
from gateway.core.schemes.template import Template
from gateway.core.schemes.timestamp import Timestamp
from gateway.core.secret import Key
from gateway.core.signing import (
    HeaderForm,
    format_key,
    parse_key,
    parse_signing_key,
    sign,
)

NOW = 1_795_000_000 * SECOND


def just_now() -> int:
    """For the reference library, which asks its own clock, and takes nothing older than five minutes."""
    return round(datetime.now(UTC).timestamp()) * SECOND  # noqa: TID251


@given(
    body=st.text(max_size=300).map(str.encode),
    key=st.binary(min_size=24, max_size=64),
    webhook_id=st.from_regex(r"dlv_[0-9a-f]{24}_[0-9]", fullmatch=True),
)
def test_the_reference_library_verifies_what_we_sign(body, key, webhook_id):
    headers = sign(webhook_id, just_now(), body, [Key(key)])
    Webhook(format_key(key)).verify(body, headers, json_parse=False)


def test_every_valid_key_signs_so_that_either_verifies():
    old, new = b"o" * 32, b"n" * 32
    headers = sign(
        "dlv_1_0", just_now(), b"{}", [Key(new), Key(old, until=just_now() + 60 * SECOND)]
    )
    assert headers["webhook-signature"].count("v1,") == 2
    for key in (old, new):
        Webhook(format_key(key)).verify(b"{}", headers, json_parse=False)


def test_a_key_that_has_expired_signs_nothing():
    headers = sign("dlv_1_0", NOW, b"{}", [Key(b"n" * 32), Key(b"o" * 32, until=NOW)])
    assert headers["webhook-signature"].count("v1,") == 1


@given(st.binary(min_size=24, max_size=64))
def test_a_key_survives_its_text(material):
    assert parse_key(format_key(material)) == material
    assert parse_key(base64.b64encode(material).decode().rstrip("=")) == material


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "whsec_" + "A" * 200]
)
def test_what_is_no_key_is_refused_without_being_quoted(text):
    with pytest.raises(ValueError) as caught:
        parse_key(text)
    assert len(text) < 10 or text.removeprefix("whsec_") not in str(caught.value)


def test_a_key_does_not_print():
    assert "secret" not in repr(Key(b"secret"))


# -- ed25519 ---------------------------------------------------------------------------------------


@given(body=st.binary(max_size=300), seed=st.binary(min_size=32, max_size=32))
def test_an_ed25519_signature_is_over_id_timestamp_and_body(body, seed):
    key = PrivateKey(seed)
    headers = sign("dlv_1_0", NOW, body, [key])
    version, _, text = headers["webhook-signature"].partition(",")
    assert version == "v1a"
    content = b"dlv_1_0.%b.%b" % (headers["webhook-timestamp"].encode(), body)
    public = Ed25519PublicKey.from_public_bytes(key.public)
    public.verify(base64.b64decode(text), content)
    with pytest.raises(InvalidSignature):
        public.verify(base64.b64decode(text), content + b"x")


def test_both_kinds_of_keys_sign_one_request():
    headers = sign("dlv_1_0", just_now(), b"{}", [PrivateKey(b"s" * 32), Key(b"n" * 32)])
    versions = [entry.partition(",")[0] for entry in headers["webhook-signature"].split(" ")]
    assert versions == ["v1a", "v1"]
    Webhook(format_key(b"n" * 32)).verify(b"{}", headers, json_parse=False)


def test_an_ed25519_key_that_has_expired_signs_nothing():
    headers = sign("dlv_1_0", NOW, b"{}", [PrivateKey(b"s" * 32, until=NOW), Key(b"n" * 32)])
    assert headers["webhook-signature"].startswith("v1,")


def test_a_secrets_prefix_says_which_kind_of_key_it_is():
    assert parse_signing_key(format_private(b"s" * 32)) == PrivateKey(b"s" * 32)
    assert parse_signing_key(format_key(b"s" * 32)) == Key(b"s" * 32)


# -- other senders' forms --------------------------------------------------------------------------

NEW, OLD = Key(b"new"), Key(b"old", until=NOW + 1)


def signed_as(keys=(NEW, OLD), signed="{body}", timestamp=None, id_header=None, **written):
    signature = Signature((b"x-signature",), **written)
    made = HeaderForm(
        signature=signature, signed=Template(signed), timestamp=timestamp, id_header=id_header
    )
    return made.sign("dlv_1_0", NOW, b"{}", list(keys), method="POST")


def test_a_list_has_a_signature_of_every_valid_key():
    value = signed_as(style="list", label=b"v1")["x-signature"]
    assert [entry.partition("=")[0] for entry in value.split(",")] == ["v1", "v1"]


def test_pairs_have_the_timestamp_first_and_a_signature_of_every_valid_key():
    value = signed_as(style="pairs", label=b"s", timestamp=Timestamp(pair=b"t"))["x-signature"]
    assert [entry.partition("=")[0] for entry in value.split(",")] == ["t", "s", "s"]
    assert value.startswith(f"t={NOW // SECOND},")


def test_a_header_for_one_signature_has_that_of_the_first_valid_key():
    assert signed_as([NEW, OLD]) == signed_as([NEW])
    assert signed_as([Key(b"gone", until=NOW), OLD]) == signed_as([OLD])


def test_the_timestamp_is_written_as_the_form_says():
    def written(form):
        return signed_as(timestamp=Timestamp(header=b"x-time", format=form))["x-time"]

    assert written("unix") == str(NOW // SECOND)
    assert written("unix_ms") == str(NOW // 1000)
    assert datetime.fromisoformat(written("rfc3339")).timestamp() == NOW // SECOND


def test_the_delivery_id_goes_with_every_form():
    headers = signed_as(id_header=b"x-delivery")
    assert headers["webhook-id"] == headers["x-delivery"] == "dlv_1_0"


def test_everything_that_is_named_is_signed():
    names = ("{method}", "{id}", "{timestamp}", "{body}", "{body_sha256_hex}", "text")
    stamp = Timestamp(header=b"x-time")
    values = {signed_as(signed=name, timestamp=stamp)["x-signature"] for name in names}
    assert len(values) == len(names)


def test_an_ed25519_signature_is_the_one_that_svix_publishes():
    """https://github.com/svix/svix-webhooks, the key pair of its README and the signature of its tests."""
    key = parse_signing_key(
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
    )
    webhook_id = "msg_p5jXN8AQM9LWM0D4loKWxJek"
    headers = sign(webhook_id, 1614265330 * SECOND, b'{"test": 2432232314}', [key])
    assert headers["webhook-signature"] == (
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
