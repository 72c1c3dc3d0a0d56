"""Our signature, as an independent library sees it."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gateway.core.model import SECOND
from gateway.core.secret import Key
from gateway.core.signing import format_key, parse_key, sign

NOW = round(datetime.now(UTC).timestamp()) * SECOND  # noqa: TID251  # the library has its own clock


@given(
    body=st.text(max_size=300).map(str.encode),
    key=st.binary(min_size=24, max_size=64),
    webhook_id=st.from_regex(r"dlv_[0-9a-f]{24}_[0-9]", fullmatch=True),
)
def test_the_reference_library_verifies_what_we_sign(body, key, webhook_id):
    headers = sign(webhook_id, NOW, body, [Key(key)])
    Webhook(format_key(key)).verify(body, headers, json_parse=False)


def test_every_valid_key_signs_so_that_either_verifies():
    old, new = b"o" * 32, b"n" * 32
    headers = sign("dlv_1_0", NOW, b"{}", [Key(new), Key(old, until=NOW + 1)])
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
