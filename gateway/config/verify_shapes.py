"""What `verify:` and `also:` of a source may contain: a preset's name, or a scheme spelled out."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gateway.config.quantities import Duration
from gateway.config.shape import HeaderName, Secrets, Shape
from gateway.core.model import SECOND

SecretEncoding = Literal["utf8", "base64", "base64url", "hex", "spki_base64", "pem"]


def _does_nothing(key: str, why: str) -> PydanticCustomError:
    return PydanticCustomError(
        "does-nothing",
        "{key} does nothing here: {why}",
        {"key": f"`{key}`", "why": why, "cure": "remove one or the other"},
    )


class PresetVerify(Shape):
    """Verification as a known sender does it."""

    preset: str = Field(examples=["standard-webhooks"])
    """The sender's name."""
    secrets: Secrets | None = Field(None, examples=[[{"env": "GETTY_WEBHOOK_SECRET"}]])
    """One, or several while they are being rotated: any of them verifies."""
    tolerance: Duration | None = Field(None, examples=["5m"])
    """How old a signature's timestamp may be (and how far ahead at most); default: the preset's."""
    params: dict[str, str] = Field(
        default_factory=dict, examples=[{"webhook_id": "4JH86294D6297924G"}]
    )
    """What the sender signs besides the request, where its preset says so: PayPal's `webhook_id`."""
    covers: list[str] | None = Field(None, examples=[["content-digest", "@method"]])
    """For HTTP message signatures: the components that a signature has to cover."""
    topics: list[str] | None = Field(
        None, min_length=1, examples=[["arn:aws:sns:eu-west-1:123456789012:assets"]]
    )
    """For Amazon SNS: the ARNs of the topics that may post here."""


class WrittenSignature(Shape):
    """How signatures are written in their header."""

    prefix: str = Field("", examples=["sha256="])
    """Text before each signature."""
    style: Literal["plain", "list", "pairs"] = "plain"
    """One signature; a list of `version,signature`; or pairs `key=signature`."""
    sep: str = Field(",", min_length=1, examples=[",", " "])
    """Between the entries of a list or of pairs."""
    kv: str = Field("=", min_length=1, examples=["=", ","])
    """Between version or key and signature."""
    version: str | None = Field(None, examples=["v1"])
    """In a list: the version of the signatures."""
    key: str | None = Field(None, examples=["v1"])
    """In pairs: the key of the signatures."""


class SignatureShape(WrittenSignature):
    """Where signatures stand, and how they are written."""

    header: HeaderName | None = Field(None, examples=["X-Acme-Signature"])
    """The header that holds them."""
    headers: list[HeaderName] | None = Field(
        None, min_length=1, examples=[["X-Acme-Signature", "X-Acme-Signature-Old"]]
    )
    """Several headers, any of which may hold one."""
    encoding: Literal["hex", "base64", "base64url"] = "hex"
    """How the bytes are written."""


class TimestampShape(Shape):
    """Where the moment of sending stands, and how far from ours it may be."""

    header: HeaderName | None = Field(None, examples=["X-Acme-Time"])
    """The header that holds it."""
    pair_key: str | None = Field(None, examples=["t"])
    """Or the key of the pair that does, in the signature's header."""
    format: Literal["unix", "unix_ms", "rfc3339"] = "unix"
    """How it is written."""
    tolerance: Duration = 300 * SECOND
    """How old it may be."""
    future: Duration | None = Field(None, examples=["60s"])
    """How far ahead it may be; default: as old as it may be, five minutes at most."""


class IdShape(Shape):
    """Where the sender's own id of a request stands."""

    header: HeaderName = Field(examples=["X-Acme-Delivery"])
    """The header that holds it."""


class BodyHashShape(Shape):
    """A hash of the body in the query of a URL that is signed."""

    param: str = Field(examples=["bodySHA256"])
    """The query's parameter that holds it."""
    encoding: Literal["hex"] = "hex"
    """How the bytes are written."""
    hash: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """The hash function."""


class CertificateShape(Shape):
    """A certificate that the request names by its URL, fetched by the gateway, and kept."""

    header: HeaderName = Field(examples=["PAYPAL-CERT-URL"])
    """The header that holds the URL."""
    hosts: list[str] = Field(min_length=1, examples=[["api.paypal.com"]])
    """The hosts that it may be fetched from: any other is refused without being asked."""
    common_name: str | None = Field(None, examples=["*.paypal.com"])
    """What the certificate's subject must be called."""


class SignedVerify(Shape):
    """A signature over a template of the request: for senders that have no preset."""

    scheme: Literal["hmac", "digest", "ed25519", "ecdsa-p256-sha256", "rsa-pkcs1-sha256"]
    """How requests are verified: a keyed hash, a plain hash of content and secret, or a public key."""
    secrets: Secrets | None = Field(None, examples=[[{"env": "ACME_SECRET"}]])
    """One, or several while they are being rotated; for public keys, those of the sender."""
    hash: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """The hash function of `hmac` and `digest`."""
    secret_encoding: SecretEncoding | None = Field(None, examples=["hex"])
    """How the secret's text stands for its bytes; default: `utf8`, for public keys `pem`."""
    secret_prefix: str = Field("", examples=["whsec_"])
    """Text before the secret that is no part of it."""
    signature: SignatureShape = Field(examples=[{"header": "X-Acme-Signature"}])
    """Where the signatures are."""
    timestamp: TimestampShape | None = Field(None, examples=[{"header": "X-Acme-Time"}])
    """Where the timestamp is, if the sender sends one."""
    id: IdShape | None = Field(None, examples=[{"header": "X-Acme-Delivery"}])
    """Where the id is, if the sender sends one."""
    signed: str = Field("{body}", examples=["{timestamp}.{body}"])
    """What is signed: text with {body}, {timestamp}, {id}, {method}, {url}, {path_query}, {form_sorted},
    {body_sha256_hex}, {body_crc32}, {header:NAME}, {signed_headers:NAME}, {param:NAME}."""
    params: dict[str, str] = Field(
        default_factory=dict, examples=[{"webhook_id": "4JH86294D6297924G"}]
    )
    """What `{param:NAME}` stands for."""
    require: dict[HeaderName, str] = Field(default_factory=dict, examples=[{"X-Acme-Version": "2"}])
    """Headers that must have exactly these values."""
    url_variants: list[Literal["as_configured", "with_default_port", "without_port"]] | None = (
        Field(None, examples=[["as_configured", "with_default_port", "without_port"]])
    )
    """Forms of the URL that the sender may have signed; default: as configured."""
    body_hash_query: BodyHashShape | None = Field(None, examples=[{"param": "bodySHA256"}])
    """Where the body is signed only by a hash of it in the URL."""
    certificate: CertificateShape | None = Field(
        None, examples=[{"header": "PAYPAL-CERT-URL", "hosts": ["api.paypal.com"]}]
    )
    """Where the request names the sender's key; not needed where `secrets` has it."""

    @model_validator(mode="after")
    def _hash_of_hashes(self) -> "SignedVerify":
        if "hash" in self.model_fields_set and self.scheme not in ("hmac", "digest"):
            raise _does_nothing(
                "hash",
                f"{self.scheme} is SHA-256" if "-" in self.scheme else f"{self.scheme} has its own",
            )
        return self


class MessageSignatureVerify(Shape):
    """HTTP message signatures, RFC 9421."""

    scheme: Literal["httpsig"]
    """How requests are verified."""
    secrets: Secrets
    """Keys as `ALGORITHM:KEY`: `ed25519:` or another public key in PEM, or `hmac-sha256:` in base64."""
    covers: list[str] | None = Field(None, examples=[["content-digest", "@method"]])
    """Components that a signature has to cover; without `content-digest` the body is not proven."""
    tolerance: Duration = 300 * SECOND
    """How long ago `created` may be."""
    future: Duration | None = Field(None, examples=["60s"])
    """How far ahead it may be; default: as old as it may be, five minutes at most."""


class JwsVerify(Shape):
    """A detached JSON web signature in a header: RFC 7515, RFC 7797."""

    scheme: Literal["jws-detached"]
    """How requests are verified."""
    secrets: Secrets
    """Shared secrets for HS256 and its like, public keys in PEM for the others."""
    header: HeaderName = Field(examples=["X-JWS-Signature"])
    """The header that holds `header..signature`."""
    algs: list[
        Literal[
            "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "EdDSA"
        ]
    ] = Field(min_length=1, examples=[["HS256"], ["ES256"]])  # fmt: skip
    """The algorithms that are taken: all for keys of one kind."""
    secret_encoding: Literal["utf8", "base64", "base64url", "hex"] = "base64url"
    """How a shared secret's text stands for its bytes."""


class SnsVerify(Shape):
    """Amazon SNS: the body carries its own signature, and names a certificate of Amazon's."""

    scheme: Literal["sns"]
    """How requests are verified."""
    topics: list[str] | None = Field(
        None, min_length=1, examples=[["arn:aws:sns:eu-west-1:123456789012:assets"]]
    )
    """The ARNs of the topics that may post here. They have to be named."""
    secrets: Secrets | None = Field(None, examples=[[{"file": "secrets/sns.pem"}]])
    """Certificates or public keys in PEM, instead of those that are fetched from Amazon."""
    tolerance: Duration = 3600 * SECOND
    """How old a message may be: SNS sends the same one again for up to an hour."""
    future: Duration | None = Field(None, examples=["60s"])
    """How far ahead its timestamp may be; default: five minutes."""


class TokenVerify(Shape):
    """A shared token in a header, or in the query."""

    scheme: Literal["token"]
    """How requests are verified."""
    secrets: Secrets
    """One, or several while they are being rotated."""
    header: HeaderName = Field("Authorization", examples=["X-Register-Token"])
    """The header that holds the token."""
    prefix: str | None = Field(None, examples=["Token "])
    """The word before it; default: `Bearer ` in Authorization, else nothing."""
    query: str | None = Field(None, min_length=1, examples=["access_token"])
    """The query's parameter that holds it, instead of a header: a secret URL."""

    @model_validator(mode="after")
    def _one_place(self) -> "TokenVerify":
        if self.query is not None and self.model_fields_set & {"header", "prefix"}:
            raise _does_nothing("header", "the token stands in the query")
        return self


class BasicVerify(Shape):
    """HTTP basic authentication."""

    scheme: Literal["basic"]
    """How requests are verified."""
    secrets: Secrets
    """`user:password`; several while they are being rotated."""


class ProxyHeaderVerify(Shape):
    """What a trusted proxy says of the client certificate that it has checked."""

    scheme: Literal["mtls_header"]
    """How requests are verified."""
    header: HeaderName = Field(examples=["X-Client-Cert-Subject"])
    """The header that the proxy sets. It counts only from addresses of `--trusted-proxy`."""
    value: str | list[str] = Field(examples=["CN=acme"])
    """What it must hold; several: one of them."""


class AddressAllow(Shape):
    """Addresses that requests may come from."""

    scheme: Literal["ip_allow"]
    """Where requests come from: an addition, never the only proof."""
    cidrs: list[str] = Field(min_length=1, examples=[["192.30.252.0/22", "185.199.108.0/22"]])
    """The ranges. Behind a proxy, `--trusted-proxy` has to say which."""


SCHEMES: dict[str, type[Shape]] = {
    "hmac": SignedVerify,
    "digest": SignedVerify,
    "ed25519": SignedVerify,
    "ecdsa-p256-sha256": SignedVerify,
    "rsa-pkcs1-sha256": SignedVerify,
    "httpsig": MessageSignatureVerify,
    "jws-detached": JwsVerify,
    "sns": SnsVerify,
    "token": TokenVerify,
    "basic": BasicVerify,
    "mtls_header": ProxyHeaderVerify,
    "ip_allow": AddressAllow,
}
"""The shape of each scheme's description."""

_TAGS = {shape: f"<{shape.__name__}>" for shape in SCHEMES.values()}


def _known_scheme(value: Any) -> Any:
    if isinstance(value, dict) and str(value.get("scheme", "hmac")) not in SCHEMES:
        raise PydanticCustomError(
            "unknown-value",
            '"{scheme}" is no value for "scheme"',
            {
                "scheme": str(value["scheme"]),
                "cure": f"known: {', '.join(SCHEMES)}; or name a preset",
            },
        )
    return value


def _not_by_address_alone(value: Any) -> Any:
    if isinstance(value, dict) and value.get("scheme") == "ip_allow":
        raise PydanticCustomError(
            "address-alone",
            "an address alone proves no sender",
            {"cure": "move it to `also:`, beside `verify:`, which may be spelled out as `none`"},
        )
    return value


def _verify_form(value: Any) -> str:
    if isinstance(value, Shape):
        return _TAGS.get(type(value), "<preset>")
    if not isinstance(value, dict):
        return "<text>"
    return _TAGS[SCHEMES[value["scheme"]]] if "scheme" in value else "<preset>"


Scheme = (
    Annotated[PresetVerify, Tag("<preset>")]
    | Annotated[SignedVerify, Tag("<SignedVerify>")]
    | Annotated[MessageSignatureVerify, Tag("<MessageSignatureVerify>")]
    | Annotated[JwsVerify, Tag("<JwsVerify>")]
    | Annotated[SnsVerify, Tag("<SnsVerify>")]
    | Annotated[TokenVerify, Tag("<TokenVerify>")]
    | Annotated[BasicVerify, Tag("<BasicVerify>")]
    | Annotated[ProxyHeaderVerify, Tag("<ProxyHeaderVerify>")]
)

Verify = Annotated[
    Annotated[Literal["none"], Tag("<text>")] | Scheme,
    Discriminator(_verify_form),
    BeforeValidator(_known_scheme),
    BeforeValidator(_not_by_address_alone),
]
Also = Annotated[
    Scheme | Annotated[AddressAllow, Tag("<AddressAllow>")],
    Discriminator(_verify_form),
    BeforeValidator(_known_scheme),
]
