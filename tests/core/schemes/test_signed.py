"""Signatures over a template of the request: what most senders do."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from gateway.config.verifiers import presets
from gateway.core.errors import CannotSign
from gateway.core.model import SECOND
from gateway.core.schemes.signed import URL_FORMS
from gateway.core.schemes.template import Template, TemplateInvalid
from gateway.core.secret import Key
from gateway.core.verifying import OUTCOMES
from tests.kit.senders import NOW, codes, inbound, signed, verifier

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
STANDARD = verifier({"preset": "standard-webhooks"}, SECRET)


def outcome(
    headers: dict[str, str], body: bytes = b"{}", now: int = NOW, repeated=frozenset()
) -> str:
    return STANDARD.verify(inbound(headers, body, now, repeated=repeated)).outcome


def test_a_verified_request_carries_its_senders_id():
    verdict = STANDARD.verify(inbound(signed(STANDARD, request_id="msg_42"), b"{}", NOW))
    assert (verdict.ok, verdict.id) == (True, "msg_42")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_each_header_is_wanted_once(name):
    headers = signed(STANDARD)
    assert outcome({n: v for n, v in headers.items() if n != name}) == "missing_header"
    assert outcome(headers, repeated=frozenset({name.encode()})) == "duplicate_header"


def test_another_repeated_header_does_no_harm():
    assert outcome(signed(STANDARD), repeated=frozenset({b"x-forwarded-for"})) == "ok"


@pytest.mark.parametrize("text", ["1_795_000_000", "+1795000000", "1795000000.0", "1.795e9", " 1795000000",
                                  "١٧٩٥٠٠٠٠٠٠", "", "0" * 16, "-1"])  # fmt: skip
def test_timestamps_are_digits_and_nothing_else(text):
    headers = {**signed(STANDARD), "webhook-timestamp": text}
    assert outcome(headers) in {"malformed_timestamp", "missing_header"}


@pytest.mark.parametrize(
    ("age", "expected"),
    [(300, "ok"), (301, "stale_timestamp"), (-300, "ok"), (-301, "future_timestamp")],
)
def test_the_tolerance_holds_both_ways(age, expected):
    assert outcome(signed(STANDARD, now=NOW - age)) == expected


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
    assert outcome({**signed(STANDARD), "webhook-signature": signature}) == expected


def test_a_right_signature_counts_among_wrong_ones_but_not_beyond_the_sixteenth():
    right = signed(STANDARD)["webhook-signature"]
    wrong = "v1," + base64.b64encode(b"w" * 32).decode()
    assert (
        outcome({**signed(STANDARD), "webhook-signature": " ".join([wrong] * 15 + [right])}) == "ok"
    )
    assert (
        outcome({**signed(STANDARD), "webhook-signature": " ".join([wrong] * 16 + [right])})
        == "bad_signature"
    )


def test_any_of_several_secrets_verifies_until_it_expires():
    old, new = Key(b"k" * 32, until=(NOW + 10) * SECOND), Key(b"n" * 32)
    rotating = replace(STANDARD, keys=(new, old))
    assert rotating.verify(inbound(signed(STANDARD))).ok
    late = inbound(signed(STANDARD, now=NOW + 11), b"{}", NOW + 11)
    assert rotating.verify(late).outcome == "bad_signature"


@given(
    body=st.binary(max_size=200),
    flip=st.integers(0, 10_000),
)
def test_one_flipped_bit_of_the_body_is_noticed(body, flip):
    headers = signed(STANDARD, body)
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


SHARED = [
    name
    for name, preset in presets().items()
    if preset["scheme"] in ("hmac", "digest") and not preset.get("body_hash_query")
]


def secret_for(name: str) -> str:
    return {"base64": SECRET, "hex": "6b" * 32}.get(presets()[name].get("secret_encoding"), "key")


@pytest.mark.parametrize("name", SHARED)
def test_every_preset_verifies_what_it_signs_and_nothing_else(name):
    other = {"base64": SECRET.replace("a", "b"), "hex": "6c" * 32}
    scheme = verifier({"preset": name}, secret_for(name))
    body = b"b=2&a=1"
    headers = signed(scheme, body)
    assert scheme.verify(inbound(headers, body)).outcome == "ok"
    assert scheme.verify(inbound(headers, b"b=2&a=2")).outcome == "bad_signature"
    strange = other.get(presets()[name].get("secret_encoding"), "another key")
    stranger = verifier({"preset": name}, strange)
    assert stranger.verify(inbound(headers, body)).outcome == "bad_signature"


@pytest.mark.parametrize("name", [n for n in SHARED if "timestamp" in presets()[n]])
def test_every_preset_with_a_timestamp_refuses_a_replay(name):
    scheme = verifier({"preset": name}, secret_for(name))
    headers = signed(scheme)
    window = scheme.timestamp.window
    assert scheme.verify(inbound(headers, now=NOW + window.past // SECOND)).ok
    late = inbound(headers, now=NOW + window.past // SECOND + 1)
    assert scheme.verify(late).outcome == "stale_timestamp"
    early = inbound(headers, now=NOW - window.future // SECOND - 1)
    assert scheme.verify(early).outcome == "future_timestamp"


def test_a_tolerance_of_the_file_counts_instead_of_the_presets():
    strict = verifier({"preset": "stripe", "tolerance": "10s"}, "key")
    assert strict.verify(inbound(signed(strict), now=NOW + 11)).outcome == "stale_timestamp"
    assert strict.verify(inbound(signed(strict), now=NOW - 11)).outcome == "future_timestamp"


def test_a_preset_without_a_timestamp_takes_no_tolerance():
    assert codes({"verify": {"preset": "github", "tolerance": "10s"}}, "key") >= {"unknown-key"}


def test_a_sender_that_nobody_knows_needs_no_code():
    acme = verifier(
        {
            "scheme": "hmac",
            "hash": "sha512",
            "signature": {"header": "X-Acme", "style": "pairs", "sep": ";", "key": "sig",
                          "encoding": "base64url"},
            "timestamp": {"pair_key": "ts", "format": "unix_ms"},
            "id": {"header": "X-Acme-Id"},
            "require": {"X-Acme-Version": "2"},
            "signed": "{method}|{timestamp}|{id}|{url}|{body_sha256_hex}|{body_sha1_base64}|{header:X-Acme-Version}|{param:tenant}",
            "params": {"tenant": "t-9"},
        },
        "acme-key",
    )  # fmt: skip
    body, url = b'{"a":1}', "https://hooks.example.com/in/test?x=%20"
    content = b"|".join(
        [
            b"POST", b"%d" % (NOW * 1000), b"id-1", url.encode(), hashlib.sha256(body).hexdigest().encode(),
            base64.b64encode(hashlib.sha1(body).digest()), b"2", b"t-9",
        ]
    )  # fmt: skip
    mac = base64.urlsafe_b64encode(hmac.digest(b"acme-key", content, "sha512")).decode().rstrip("=")
    headers = {
        "X-Acme": f"ts={NOW * 1000}; sig={mac}", "X-Acme-Id": "id-1", "X-Acme-Version": "2",
        "Host": "evil.example.com",
    }  # fmt: skip
    verdict = acme.verify(inbound(headers, body, target="/in/test?x=%20"))
    assert (verdict.outcome, verdict.id) == ("ok", "id-1")
    assert acme.verify(inbound(headers, body, target="/in/test?x=1")).outcome == "bad_signature"
    assert acme.verify(inbound(headers, body, method="PUT")).outcome != "ok"
    other = {**headers, "X-Acme-Version": "3"}
    assert acme.verify(inbound(other, body)).outcome == "unsupported_version"


def test_the_url_is_the_configured_one_whatever_host_says():
    square = verifier({"preset": "square"}, "key", public_url="https://real.example.com")
    real = signed(square)
    assert square.verify(inbound({**real, "Host": "evil.example.com"})).ok
    forged = verifier({"preset": "square"}, "key", public_url="https://evil.example.com")
    assert not square.verify(inbound({**signed(forged), "Host": "evil.example.com"})).ok


def test_a_sender_of_urls_needs_to_have_been_given_one():
    assert codes({"verify": {"preset": "square"}}, "key") == {"public-url-missing"}
    own = {"verify": {"preset": "square"}, "public_url": "https://hooks.example.com/x"}
    assert codes(own, "key") <= {"no-idempotency-key"}


@pytest.mark.parametrize(
    ("url", "forms"),
    [
        ("https://a.example/x", {"https://a.example/x", "https://a.example:443/x"}),
        ("http://a.example:80/x", {"http://a.example/x", "http://a.example:80/x"}),
        ("https://a.example:8443/x", {"https://a.example:8443/x", "https://a.example/x"}),
        ("https://[::1]/x", {"https://[::1]/x", "https://[::1]:443/x"}),
    ],
)
def test_twilio_signs_urls_with_and_without_the_default_port(url, forms):
    assert {form(url) for form in URL_FORMS.values()} == forms


def test_a_form_is_signed_sorted_each_pair_once():
    """https://github.com/twilio/twilio-python: RequestValidator.compute_signature."""
    fill = Template("{form_sorted}").fill
    body = b"b=2&a=1&b=1&b=2&c=&d=%C3%A9+x"
    assert fill(inbound({}, body), None) == "a1b1b2cdé x".encode()
    assert fill(inbound({}, b"&".join([b"a=1"] * 1001)), None) == b""


def test_twilio_protects_a_json_body_by_its_hash_in_the_url():
    twilio = verifier({"preset": "twilio-json"}, "key")
    body = b'{"a":1}'
    target = f"/in/test?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = signed(twilio, body, target=target)
    assert twilio.verify(inbound(headers, body, target=target)).ok
    assert not twilio.verify(inbound(headers, b'{"a":2}', target=target)).ok
    without = signed(twilio, body)
    assert not twilio.verify(inbound(without, body)).ok


# Made with @contentful/node-apps-toolkit 3.16.1: its repository has none.
CONTENTFUL = [
    (
        "GET", "/api/resources/1", {}, b"",
        "x-contentful-signed-headers,x-contentful-timestamp",
        "3b21d63c31a2a92d38945394da0b1a2a0dc2d9bf13ef4dfd91b9f3fa1440b404",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "more", "body", "names", "mac"), CONTENTFUL)
def test_contentful_signs_method_path_listed_headers_and_body(method, path, more, body, names, mac):
    source = {"preset": "contentful"}
    contentful = verifier(source, "a" * 64, public_url="")
    contentful = replace(contentful, public_url=f"https://hooks.example.com{path}")
    headers = {
        "x-contentful-signature": mac, "x-contentful-signed-headers": names,
        "x-contentful-timestamp": "1603379941037", **more,
    }  # fmt: skip
    request = inbound(headers, body, 1_603_379_941, method, path)
    assert contentful.verify(request).outcome == "ok"
    assert contentful.verify(inbound(headers, b"x", 1_603_379_941, method, path)).outcome == "bad_signature"  # fmt: skip


@pytest.mark.parametrize("names", ["x-contentful-signed-headers", "x-contentful-timestamp", ""])
def test_a_list_of_signed_headers_has_to_have_itself_and_the_timestamp(names):
    contentful = verifier({"preset": "contentful"}, "a" * 64)
    headers = {**signed(contentful), "x-contentful-signed-headers": names}
    assert contentful.verify(inbound(headers)).outcome == "malformed_header"


@pytest.mark.parametrize(
    ("hashed", "body", "stamp", "secret", "proof"),
    [  # https://github.com/cloudinary/pycloudinary and cloudinary_npm: their tests
        ("-sha256", b"{}", 0, "someApiSecret",
         "d5497e1a206ad0ba29ad09a7c0c5f22e939682d15009c15ab3199f62fefbd14b"),
        ("", (b'{"notification_type":"eager","eager":[{"transformation":"sp_full_hd/mp4","bytes":1055,'
         b'"url":"http://res.cloudinary.com/demo/video/upload/sp_full_hd/v1533125278/dog.mp4",'
         b'"secure_url":"https://res.cloudinary.com/demo/video/upload/sp_full_hd/v1533125278/dog.mp4"}],'
         b'"public_id":"dog","batch_id":"9b11fa058c61fa577f4ec516bf6ee756ac2aefef095af99aef1302142cc1694a"}'),
         1549533514, "X7qLTrsES31MzxxkxPPA-pAGGfU", "dfe82de1d9083fe0b7ea68070649f9a15b8874da"),
    ],
)  # fmt: skip
def test_cloudinary_hashes_body_timestamp_and_secret(hashed, body, stamp, secret, proof):
    cloudinary = verifier({"preset": f"cloudinary{hashed}"}, secret)
    headers = {"X-Cld-Signature": proof, "X-Cld-Timestamp": str(stamp)}
    assert cloudinary.verify(inbound(headers, body, stamp)).outcome == "ok"
    assert cloudinary.verify(inbound(headers, body + b" ", stamp)).outcome == "bad_signature"


@pytest.mark.parametrize(
    ("name", "secret", "body", "header", "proof"),
    [
        ("dropbox", "the_secret", b'{"delta": {"users": [12345]}}', "X-Dropbox-Signature",
         "0a8c16b085420b960dc78664279fe09e936a2a01b1f91064869d9e77dfd64529"),
        ("jira", "It's a Secret to Everybody", b"Hello World!", "X-Hub-Signature",
         "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"),
    ],
)  # fmt: skip
def test_further_published_signatures_verify(name, secret, body, header, proof):
    assert verifier({"preset": name}, secret).verify(inbound({header: proof}, body)).ok


def test_only_the_sender_can_sign_with_a_public_key():
    discord = verifier({"preset": "discord"}, "815f6ab74879eb667a101802f0320817478e41ee171157e779204b12761bae7c")  # fmt: skip
    with pytest.raises(CannotSign):
        signed(discord)


@pytest.mark.parametrize(
    ("verify", "secret"),
    [
        ({"preset": "discord"}, "abcd"),
        ({"preset": "sendgrid"}, "key"),
        ({"preset": "sendgrid"}, "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="),
        ({"preset": "paypal", "params": {"webhook_id": "x"}}, "no PEM"),
        ({"preset": "adyen-payload"}, "nothex"),
        ({"preset": "adyen-payload"}, "  "),
        ({"preset": "standard-webhooks"}, "whsec_"),
        ({"preset": "standard-webhooks"}, "whsec_" + base64.b64encode(b"short").decode()),
    ],
)
def test_a_secret_of_another_kind_is_an_error_of_the_file(verify, secret):
    assert codes({"verify": verify}, secret) & {"secret-form", "secret-missing"}


def test_no_more_than_eight_secrets_are_tried():
    assert codes({"verify": {"preset": "github"}}, *(["key"] * 8)) == set()
    assert codes({"verify": {"preset": "github"}}, *(["key"] * 9)) == {"too-long"}


@pytest.mark.parametrize(
    ("signed_content", "code"),
    [
        ("{timestamp}", "signed-body"),
        ("{body}{nonsense}", "signed-placeholder"),
        ("{body}{param:tenant}", "signed-placeholder"),
        ("{body}{timestamp}", "signed-timestamp"),
        ("{id}{body}", "signed-id"),
        ("{url}{body}", "public-url-missing"),
    ],
)
def test_a_template_that_proves_too_little_is_an_error_of_the_file(signed_content, code):
    verify = {"scheme": "hmac", "signature": {"header": "X"}, "signed": signed_content}
    assert code in codes({"verify": verify}, "key")


def test_a_placeholder_that_nobody_knows_is_named():
    with pytest.raises(TemplateInvalid, match="nonsense"):
        Template("{body}{nonsense}")


def test_a_window_of_deduplication_is_at_least_twice_the_tolerance():
    source = {"verify": {"preset": "box"}, "dedupe": {"window": "19m"}}
    assert "dedupe-window" in codes(source, "key")
    assert codes({**source, "dedupe": {"window": "20m"}}, "key") == set()


def test_a_source_that_cannot_tell_a_repetition_is_warned_of():
    source = {"verify": {"preset": "stripe"}, "event": {"type": "${body.type}"}}
    assert codes(source, "key") == {"no-idempotency-key"}
    assert codes({**source, "event": {"type": "t", "id": "${body.id}"}}, "key") == set()
    assert codes({**source, "dedupe": {"key": "${body.id}"}}, "key") == set()


def test_paypal_wants_the_webhook_id():
    assert codes({"verify": {"preset": "paypal"}}) == {"signed-placeholder"}


def test_only_the_forms_of_the_url_that_are_named_are_tried():
    described = {
        "scheme": "hmac", "signature": {"header": "X-S"}, "signed": "{url}{body}",
        "url_variants": ["without_port"],
    }  # fmt: skip
    scheme = verifier(described, "key", public_url="https://hooks.example.com:8443")
    content = b"https://hooks.example.com/in/test{}"
    headers = {"X-S": hmac.digest(b"key", content, "sha256").hex()}
    assert scheme.verify(inbound(headers)).ok
    configured = hmac.digest(b"key", b"https://hooks.example.com:8443/in/test{}", "sha256").hex()
    assert scheme.verify(inbound({"X-S": configured})).outcome == "bad_signature"


@pytest.mark.parametrize(
    ("verify", "secret", "code"),
    [
        ({"scheme": "hmac", "signature": {"header": "X"}, "signed": "{timestamp}",
          "timestamp": {"header": "T"}, "body_hash_query": {"param": "h"}}, "k", "signed-body"),
        ({"scheme": "hmac", "signature": {"header": "X"}, "secret_prefix": "x_"}, "x_", "secret-form"),
        ({"scheme": "rsa-pkcs1-sha256", "hash": "sha512", "signature": {"header": "X"}}, "k", "does-nothing"),
        ({"scheme": "token", "query": "t", "header": "X"}, "k", "does-nothing"),
    ],
)  # fmt: skip
def test_what_would_protect_nothing_is_an_error_of_the_file(verify, secret, code):
    assert code in codes({"verify": verify}, secret)


def test_a_signed_header_that_comes_twice_is_not_taken():
    contentful = verifier({"preset": "contentful"}, "a" * 64)
    headers = signed(contentful)
    repeated = frozenset({b"x-contentful-idempotency-key"})
    assert contentful.verify(inbound(headers, repeated=repeated)).outcome == "duplicate_header"
    listed = headers["x-contentful-signed-headers"] + ",x-tenant"
    request = inbound({**headers, "x-contentful-signed-headers": listed, "x-tenant": "a"}, repeated=frozenset({b"x-tenant"}))  # fmt: skip
    assert contentful.verify(request).outcome == "malformed_header"


def test_the_age_of_a_timestamp_is_counted_in_whole_seconds():
    request = inbound(signed(STANDARD, now=NOW - 300))
    request.received_at += SECOND - 1
    assert STANDARD.verify(request).ok


@pytest.mark.parametrize(
    ("more", "ahead", "expected"),
    [
        ({"tolerance": "2m"}, 120, "ok"),
        ({"tolerance": "2m"}, 121, "future_timestamp"),
        ({"tolerance": "1h"}, 300, "ok"),
        ({"tolerance": "1h"}, 301, "future_timestamp"),
        ({"tolerance": "2m", "future": "10m"}, 600, "ok"),
    ],
)
def test_a_tolerance_holds_ahead_too_unless_it_is_said_otherwise(more, ahead, expected):
    described = {
        "scheme": "hmac", "signature": {"header": "X"}, "signed": "{timestamp}{body}",
        "timestamp": {"header": "T", **more},
    }  # fmt: skip
    scheme = verifier(described, "key")
    assert scheme.verify(inbound(signed(scheme, now=NOW + ahead))).outcome == expected
