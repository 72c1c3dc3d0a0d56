"""Amazon SNS: the signature stands in the body, over some of its fields.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.errors import CannotSign
from gateway.core.model import SECOND
from gateway.core.schemes.algorithms import Algorithm, Rsa
from gateway.core.schemes.certificates import CertificateRule
from gateway.core.schemes.encodings import decode
from gateway.core.schemes.timestamp import Window, read_moment
from gateway.core.secret import Key
from gateway.core.verifying import Inbound, Sending, Verdict, valid_keys

HOST = re.compile(r"sns\.[a-zA-Z0-9-]{3,}\.amazonaws\.com(\.cn)?")
"""As AWS's own validators have it. No port: a host with one is another service's."""
CERTIFICATES = CertificateRule(HOST, suffix=".pem")

NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED: Mapping[str, tuple[str, ...]] = {
    "Notification": NOTIFICATION,
    "SubscriptionConfirmation": CONFIRMATION,
    "UnsubscribeConfirmation": CONFIRMATION,
}
"""By type of message: its signed fields, in order. `Subject` may be missing."""
ALGORITHMS: Mapping[str, Algorithm] = {"1": Rsa("sha1"), "2": Rsa("sha256")}
"""By SignatureVersion."""
RAW = b"x-amz-sns-rawdelivery"
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class SnsVerifier:
    """Verifies messages of some topics; without pinned keys, by the certificate that they name."""

    topics: tuple[str, ...]
    """Their ARNs. Without this, anyone with an AWS account could post."""
    keys: tuple[Key, ...] = ()
    window: Window = field(default_factory=lambda: Window(3600 * SECOND, 300 * SECOND))

    def verify(self, request: Inbound) -> Verdict:
        """Whether the message's own signature is right, and its topic one of ours."""
        if request.headers.get(RAW, b"").lower() == b"true":
            return Verdict("missing_header")  # nothing of it is signed
        fields = decoded_message(request.body)
        if fields is None:
            return Verdict("malformed_header")
        signed = SIGNED.get(fields.get("Type", ""))
        algorithm = ALGORITHMS.get(fields.get("SignatureVersion", ""))
        if signed is None or algorithm is None:
            return Verdict("unsupported_version")
        if any(name not in fields for name in signed if name != "Subject"):
            return Verdict("missing_header")
        moment = read_moment(fields["Timestamp"].encode(), "rfc3339")
        if moment is None:
            return Verdict("malformed_timestamp")
        outcome = self.window.judge(moment, request.received_at)
        if outcome != "ok":
            return Verdict(outcome)
        signature = decode(fields.get("Signature", "").encode(), "base64")
        if signature is None:
            return Verdict("malformed_signature")
        if fields["TopicArn"] not in self.topics:
            return Verdict("bad_signature")
        keys, wants = self._keys(fields, request)
        content = "".join(f"{name}\n{fields[name]}\n" for name in signed if name in fields)
        if not algorithm.proven([signature], [content.encode()], keys):
            return Verdict("bad_signature", wants=wants)
        return Verdict("ok", fields["MessageId"])

    def _keys(self, fields: Mapping[str, str], request: Inbound) -> tuple[list[bytes], str | None]:
        if self.keys:
            return [key.material for key in valid_keys(self.keys, request)], None
        found = CERTIFICATES.find(fields.get("SigningCertURL", ""), request)
        return [] if found.key is None else [found.key], found.wants

    def sign(self, sending: Sending) -> dict[str, str]:  # noqa: ARG002
        """Only Amazon can."""
        raise CannotSign


def decoded_message(body: bytes) -> dict[str, str] | None:
    """The text fields of a message; None where the body is no JSON object."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    return {name: value for name, value in fields.items() if _is_text(value)}


def _is_text(value: object) -> bool:
    """Whether it is text that can be written: JSON may spell half of a character."""
    return isinstance(value, str) and (value.isascii() or not _SURROGATE.search(value))


def subscribe_url(body: bytes) -> str | None:
    """Where the subscription that a verified message announces is confirmed; None: it is no such message.

    The URL has to be SNS's own, as its certificate's: it is about to be called.
    """
    fields = decoded_message(body) or {}
    url = fields.get("SubscribeURL", "")
    confirms = fields.get("Type") == "SubscriptionConfirmation"
    return url if confirms and CertificateRule(HOST).allows(url) else None
