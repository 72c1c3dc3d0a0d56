"""Amazon SNS, and certificates that a request names."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.core.schemes.certificates import CertificateRule
from gateway.core.schemes.sns import CONFIRMATION, NOTIFICATION, subscribe_url
from tests.kit.senders import NOW, built, codes, inbound, verifier

TOPIC = "arn:aws:sns:eu-west-1:123456789012:assets"
CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-1.pem"
KEY = rsa.generate_private_key(65537, 2048)
MOMENT = datetime.fromtimestamp(NOW, UTC)


def certificate(name: str = "sns.amazonaws.com", days: int = 1, key=KEY) -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(MOMENT - timedelta(days=2))
        .not_valid_after(MOMENT + timedelta(days=days))
        .sign(key, None if isinstance(key, Ed25519PrivateKey) else hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(Encoding.PEM)


def message(version: str = "2", key=KEY, **fields: str) -> bytes:
    whole = {
        "Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Message": '{"a":"ä"}',
        "Timestamp": MOMENT.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "SignatureVersion": version, "SigningCertURL": CERTIFICATE_URL, **fields,
    }  # fmt: skip
    names = NOTIFICATION if whole["Type"] == "Notification" else CONFIRMATION
    content = "".join(f"{name}\n{whole[name]}\n" for name in names if name in whole)
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    proof = key.sign(content.encode(), padding.PKCS1v15(), digest)
    return json.dumps({"Signature": base64.b64encode(proof).decode(), **whole}).encode()


SNS = verifier({"preset": "aws-sns", "topics": [TOPIC]})
KNOWN = {CERTIFICATE_URL: certificate()}


def verdict(body: bytes, certificates=KNOWN, now: int = NOW, **headers: str):
    return SNS.verify(inbound(headers, body, now, certificates=certificates))


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_message_of_its_topic_verifies_by_amazons_certificate(version):
    found = verdict(message(version))
    assert (found.outcome, found.id) == ("ok", "m-1")
    assert verdict(message(version, Subject="s")).ok


def test_the_certificate_is_wanted_before_anything_is_said():
    found = verdict(message(), certificates=None)
    assert (found.outcome, found.wants) == ("bad_signature", CERTIFICATE_URL)


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/a.pem",
        "https://evil@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://snsx.amazonaws.com/a.pem",
        "https://sns.x.y.amazonaws.com/a.pem",
        "https://169.254.169.254/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.pem#.pem",
        "https://sns.eu-west-1.amazonaws.com/\r\na.pem",
        "https://[::1/a.pem",
        "file:///etc/passwd.pem",
        "https://sns.eu-west-1.amazonaws.com/" + "a" * 2000 + ".pem",
        "",
    ],
)
def test_a_certificate_from_elsewhere_is_not_even_asked_for(url):
    found = verdict(message(SigningCertURL=url), certificates=None)
    assert (found.outcome, found.wants) == ("bad_signature", None)


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"TopicArn": TOPIC + "x"}, "bad_signature"),
        ({"SignatureVersion": "3"}, "unsupported_version"),
        ({"SignatureVersion": "1"}, "bad_signature"),
        ({"Type": "Other"}, "unsupported_version"),
        ({"Type": "UnsubscribeConfirmation"}, "missing_header"),
        ({"Message": "{}"}, "bad_signature"),
        ({"Subject": "added"}, "bad_signature"),
        ({"Signature": ""}, "malformed_signature"),
        ({"Timestamp": "now"}, "malformed_timestamp"),
        ({"Message": 1}, "missing_header"),
        ({"Timestamp": "\ud800"}, "missing_header"),
        ({"Signature": "\ud800"}, "malformed_signature"),
    ],
)
def test_a_message_that_was_changed_is_refused(change, outcome):
    body = json.dumps({**json.loads(message()), **change}).encode()
    assert verdict(body).outcome == outcome


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b"[" * 100_000, b"\xff"])
def test_what_is_no_message_is_malformed(body):
    assert verdict(body).outcome == "malformed_header"


def test_a_raw_delivery_proves_nothing():
    assert verdict(message(), **{"x-amz-sns-rawdelivery": "true"}).outcome == "missing_header"


def test_an_old_message_is_a_replay():
    assert verdict(message(), now=NOW + 3600).ok
    assert verdict(message(), now=NOW + 3601).outcome == "stale_timestamp"


WEAK = rsa.generate_private_key(65537, 1024)
ANOTHER = Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    "pem", [b"", b"nonsense", certificate(days=-1), certificate(key=WEAK), certificate(key=ANOTHER)]
)
def test_a_certificate_that_does_not_hold_proves_nothing(pem):
    found = verdict(message(), certificates={CERTIFICATE_URL: pem})
    assert (found.outcome, found.wants) == ("bad_signature", None)


def test_a_strangers_certificate_proves_nothing():
    stranger = rsa.generate_private_key(65537, 2048)
    assert verdict(message(key=stranger)).outcome == "bad_signature"


def test_a_pinned_certificate_is_not_fetched():
    pinned = verifier({"preset": "aws-sns", "topics": [TOPIC]}, certificate().decode())
    assert pinned.verify(inbound({}, message(SigningCertURL="https://evil.example/a.pem"))).ok


def test_topics_have_to_be_named():
    assert codes({"verify": {"preset": "aws-sns"}}) == {"missing-key"}


def test_a_subscription_is_confirmed_only_at_amazons():
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    confirmation = {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": url}
    assert verdict(message(**confirmation)).ok
    assert subscribe_url(message(**confirmation)) == url
    evil = {**confirmation, "SubscribeURL": "https://evil.example/?sns.eu-west-1.amazonaws.com"}
    assert subscribe_url(message(**evil)) is None
    assert subscribe_url(message()) is None


def test_a_certificates_subject_has_to_be_the_senders():
    rule = CertificateRule(re.compile(r"api\.paypal\.com"), common_name="*.paypal.com")
    for name, held in (("messageverificationcerts.paypal.com", True), ("evilpaypal.com", False)):
        request = inbound({}, certificates={"https://api.paypal.com/c": certificate(name)})
        assert (rule.find("https://api.paypal.com/c", request).key is not None) is held


def test_paypal_verifies_by_the_certificate_that_it_names():
    paypal = verifier({"preset": "paypal", "params": {"webhook_id": "W"}})
    url, stamp = "https://api.paypal.com/v1/notifications/certs/c", MOMENT.isoformat()
    content = f"t-1|{stamp}|W|2745614147".encode()  # the CRC-32 of `{}`
    headers = {
        "PAYPAL-TRANSMISSION-ID": "t-1", "PAYPAL-TRANSMISSION-TIME": stamp, "PAYPAL-CERT-URL": url,
        "PAYPAL-TRANSMISSION-SIG": base64.b64encode(
            KEY.sign(content, padding.PKCS1v15(), hashes.SHA256())
        ).decode(),
    }  # fmt: skip
    assert paypal.verify(inbound(headers)).wants == url
    held = {url: certificate("x.paypal.com")}
    assert paypal.verify(inbound(headers, certificates=held)).outcome == "ok"
    other = {url: certificate("x.example.com")}
    assert paypal.verify(inbound(headers, certificates=other)).outcome == "bad_signature"
    elsewhere = {**headers, "PAYPAL-CERT-URL": "https://api.paypal.com.evil.example/c"}
    assert paypal.verify(inbound(elsewhere)).wants is None


def test_a_message_of_another_topic_proves_nothing_however_right_its_signature_is():
    assert verdict(message(TopicArn=TOPIC + "-of-another")).outcome == "bad_signature"


def test_a_subscription_is_confirmed_and_read_beside_other_proofs_too():
    also = [{"scheme": "mtls_header", "header": "X-C", "value": "CN=a"}]
    source, _ = built({"verify": {"preset": "aws-sns", "topics": [TOPIC]}, "also": also})
    assert source.confirmation is subscribe_url
    assert source.content_types == {"text/plain"}
