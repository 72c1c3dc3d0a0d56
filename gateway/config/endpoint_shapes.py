"""What an endpoint of routes.yaml may say: where calls go, how they are proven, and their limits."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.config.quantities import Duration, Rate, Share, Timeout
from gateway.config.retry_shapes import RetryShape
from gateway.config.shape import (
    EXPRESSION,
    HANDLER,
    Condition,
    HeaderName,
    Name,
    Said,
    SecretReference,
    Secrets,
    Shape,
    text_or_mapping,
)
from gateway.config.verify_shapes import IdShape, WrittenSignature
from gateway.core.model import SECOND


class UrlReference(Shape):
    """A URL out of the environment."""

    env: str = Field(min_length=1, examples=["CMS_URL"])
    """The environment variable that holds it."""
    default: str | None = Field(None, min_length=1, examples=["http://127.0.0.1:8090/cms"])
    """What it is where the variable is not set."""


class SignedHeaderShape(WrittenSignature):
    """Where another sender's signatures stand, and how they are written."""

    header: HeaderName = Field(examples=["X-Acme-Signature"])
    """The header that holds them."""
    encoding: Literal["hex", "base64"] = "hex"
    """How the bytes are written."""


class SentTimestampShape(Shape):
    """Where the moment of the attempt stands."""

    header: HeaderName | None = Field(None, examples=["X-Acme-Time"])
    """The header that holds it."""
    pair_key: str | None = Field(None, examples=["t"])
    """Or the key of the pair that does, in the signature's header."""
    format: Literal["unix", "unix_ms", "rfc3339"] = "unix"
    """How it is written."""


class SignShape(Shape):
    """How requests are signed: by Standard Webhooks, or in the form of another sender."""

    secrets: Secrets
    """`whsec_…` secrets, and `whsk_…` ed25519 keys; `gateway keys new` makes them."""
    preset: str | None = Field(None, examples=["github", "stripe", "slack"])
    """The sender in whose form to sign; default: `standard-webhooks`."""
    signature: SignedHeaderShape | None = Field(None, examples=[{"header": "X-Acme-Signature"}])
    """Where signatures stand, in a form that has no preset."""
    hash: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """The hash function of that form."""
    secret_encoding: Literal["utf8", "base64", "hex"] = "utf8"
    """How the secret's text stands for its bytes, in that form."""
    secret_prefix: str = Field("", examples=["whsec_"])
    """Text before the secret that is no part of it, in that form."""
    timestamp: SentTimestampShape | None = Field(None, examples=[{"header": "X-Acme-Time"}])
    """Where the timestamp stands, in that form."""
    id: IdShape | None = Field(None, examples=[{"header": "X-Acme-Delivery"}])
    """A header that has the delivery's id, beside `webhook-id`."""
    signed: str = Field("{body}", examples=["{timestamp}.{body}"])
    """What is signed: text with {body}, {timestamp}, {id}, {method}, {body_sha256_hex}."""

    @model_validator(mode="after")
    def _one_form(self) -> "SignShape":
        spelled_out = self.model_fields_set - {"secrets", "preset"}
        if self.preset is not None and spelled_out:
            raise PydanticCustomError(
                "sign-forms",
                "a preset says all of it, so {keys} does nothing",
                {"keys": ", ".join(sorted(spelled_out)), "cure": "remove one or the other"},
            )
        if spelled_out and self.signature is None:
            raise PydanticCustomError(
                "sign-forms",
                "it does not say where signatures stand",
                {"cure": "add `signature: {header: NAME}`, or `preset: NAME`"},
            )
        return self


class BasicShape(Shape):
    """HTTP basic authentication."""

    user: str = Field(examples=["gateway"])
    """The user name."""
    password: SecretReference = Field(examples=[{"file": "secrets/tracker"}])
    """The password."""


class HeaderShape(Shape):
    """A secret in a header of its own."""

    name: HeaderName = Field(examples=["X-Api-Key"])
    """The header."""
    value: SecretReference = Field(examples=[{"env": "ARCHIVE_KEY"}])
    """Its value."""


class OAuth2Shape(Shape):
    """OAuth 2.0 client credentials (RFC 6749, 4.4): a token is fetched, kept and renewed."""

    token_url: str = Field(examples=["https://login.example.com/oauth2/token"])
    """Where tokens are given."""
    client_id: str = Field(min_length=1, examples=["gateway"])
    """The gateway's name there."""
    client_secret: SecretReference = Field(examples=[{"file": "secrets/oauth-client"}])
    """Its secret."""
    scope: str | None = Field(None, min_length=1, examples=["assets:write licences:read"])
    """What the token is to allow; several are separated by spaces."""
    audience: str | None = Field(None, min_length=1, examples=["https://cms.example.com/api"])
    """Whom the token is for, where the authorization server asks for it."""
    style: Literal["basic", "body"] = "basic"
    """How id and secret are given: by HTTP basic authentication, or in the body."""


class AuthShape(Shape):
    """How the gateway identifies itself to an endpoint, beside its signature."""

    basic: BasicShape | None = Field(
        None, examples=[{"user": "gateway", "password": {"file": "secrets/tracker"}}]
    )
    """HTTP basic authentication."""
    bearer: SecretReference | None = Field(None, examples=[{"env": "PAGER_TOKEN"}])
    """A bearer token."""
    header: HeaderShape | None = Field(
        None, examples=[{"name": "X-Api-Key", "value": {"env": "ARCHIVE_KEY"}}]
    )
    """A secret in a header."""
    oauth2: OAuth2Shape | None = Field(
        None,
        examples=[
            {
                "token_url": "https://login.example.com/oauth2/token",
                "client_id": "gateway",
                "client_secret": {"file": "secrets/oauth-client"},
            }
        ],
    )
    """A token that is fetched from an authorization server."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "AuthShape":
        forms = (self.basic, self.bearer, self.header, self.oauth2)
        if sum(each is not None for each in forms) != 1:
            raise PydanticCustomError(
                "auth-forms",
                "auth takes one form",
                {"cure": "write one of basic, bearer, header, oauth2"},
            )
        return self


class FileReference(Shape):
    """A file beside this one."""

    file: str = Field(min_length=1, examples=["secrets/client.pem"])
    """Its path, relative to this file."""


class TlsShape(Shape):
    """How TLS is spoken with an endpoint, where it is not as with any public server."""

    certificate: FileReference | None = Field(None, examples=[{"file": "secrets/client.pem"}])
    """The client certificate that the gateway shows, with its chain (PEM)."""
    key: FileReference | None = Field(None, examples=[{"file": "secrets/client.key"}])
    """Its private key (PEM); default: it stands in the certificate's file."""
    ca: FileReference | None = Field(None, examples=[{"file": "ca.pem"}])
    """The authorities that the endpoint's certificate may come from, and no others (PEM)."""
    verify: bool = True
    """False: the endpoint's certificate is not looked at. Anyone in between can read and answer."""

    @model_validator(mode="after")
    def _fits_together(self) -> "TlsShape":
        if self.key is not None and self.certificate is None:
            raise PydanticCustomError(
                "tls-forms", "a key belongs to a certificate", {"cure": "add `certificate:`"}
            )
        if self.ca is not None and not self.verify:
            raise PydanticCustomError(
                "tls-forms",
                "`ca` is of no use where nothing is verified",
                {"cure": "remove `verify: false`"},
            )
        return self


class BreakerShape(Shape):
    """When an endpoint that fails is left alone, and for how long."""

    failures: int = Field(10, ge=1, le=1000, examples=[10])
    """So many failures in a row open the breaker."""
    share: Share = Field(50, examples=["50%"])
    """So do failures that are this share of the last attempts."""
    of: int = Field(50, ge=2, le=1000, examples=[50])
    """How many of the last attempts that is a share of."""
    within: Duration = Field(60 * SECOND, examples=["1m"])
    """How old the failures of that share may be."""
    delay: Timeout = Field(30 * SECOND, examples=["30s"])
    """How long until the first probe; twice as long after each that fails."""
    longest: Timeout = Field(600 * SECOND, examples=["10m"])
    """The longest that this becomes."""


Expression = Annotated[str, StringConstraints(pattern=EXPRESSION)]


def _body_form(value: Any) -> str:
    return "<template>" if isinstance(value, (dict, list)) or "${" in str(value) else "<text>"


Body = Annotated[
    Annotated[Literal["event", "raw"], Tag("<text>")]
    | Annotated[dict[str, Any] | list[Any] | Expression, Tag("<template>")],
    Discriminator(_body_form),
]


class EndpointShape(Shape):
    """A named URL to send to."""

    stand_ins: ClassVar[dict[str, Any]] = {"url": "https://stand-in.invalid/", "sign": "none"}
    excuses: ClassVar[dict[str, str]] = {"handler": "sign"}

    url: Annotated[
        Annotated[str, Tag("<text>")] | Annotated[UrlReference, Tag("<mapping>")],
        Discriminator(text_or_mapping),
    ] = Field(examples=["https://cms.example.com/hooks/rights"])
    """Where to post; for a handler, the base of its calls."""
    sign: (
        Annotated[
            Annotated[Literal["none"], Tag("<text>")] | Annotated[SignShape, Tag("<mapping>")],
            Discriminator(text_or_mapping),
        ]
        | None
    ) = Field(None, examples=[{"secrets": [{"env": "CMS_SECRET"}]}, "none"])
    """Signatures. Posts must be signed, or `none` spelled out."""
    auth: AuthShape | None = Field(None, examples=[{"bearer": {"env": "PAGER_TOKEN"}}])
    """How the gateway identifies itself."""
    tls: TlsShape | None = Field(
        None,
        examples=[
            {
                "certificate": {"file": "secrets/client.pem"},
                "key": {"file": "secrets/client.key"},
                "ca": {"file": "ca.pem"},
            }
        ],
    )
    """A client certificate, authorities of one's own."""
    handler: str | None = Field(None, pattern=HANDLER, examples=["handlers.wordpress:unpublish"])
    """A coroutine that speaks this endpoint's own API; without one, the event is posted."""
    secrets: dict[str, SecretReference] = Field(
        default_factory=dict, examples=[{"routing_key": {"env": "PAGERDUTY_ROUTING_KEY"}}]
    )
    """Secrets that the handler asks for by name, for APIs that want them in a body."""
    body: Body = Field("event", examples=["event", "raw", {"text": "${event.type}"}])
    """What is posted: `event` (CloudEvents JSON), `raw` (as received), or JSON of one's own with `${…}`."""
    timeout: Timeout = 20 * SECOND
    """For a whole attempt."""
    retry: (
        Annotated[
            Annotated[Literal["never"], Tag("<text>")] | Annotated[RetryShape, Tag("<mapping>")],
            Discriminator(text_or_mapping),
        ]
        | None
    ) = Field(
        None,
        examples=[
            {"schedule": ["5s", "5m", "30m", "2h"]},
            {"first": "5s", "factor": 3, "attempts": 10},
            "never",
        ],
    )
    """When failed attempts are made again. Default: Standard Webhooks' schedule, ten attempts over three days."""
    success: Annotated[Condition | None, Said] = Field(
        None, examples=["response.status == 200 && response.body.applied == true"]
    )
    """What an answer has to be to count as a success, in CEL over `response`; default: any 2xx."""
    concurrency: int = Field(8, ge=1, le=1000, examples=[8])
    """Attempts at the same time."""
    key: str | None = Field(None, pattern=EXPRESSION, examples=["${event.subject}"])
    """What its deliveries take turns by, where their target says nothing else: one at a time for each value,
    in the order in which their events came. `${…}` sees `event`, and `item` only in targets."""
    late_after: Timeout | None = Field(None, examples=["5m"])
    """A delivery that is not delivered so long after its event came counts as late, and is reported."""
    rate: Rate | None = Field(None, examples=["50/s"])
    """Attempts begin no faster, and evenly spaced."""
    breaker: (
        Annotated[
            Annotated[Literal["off"], Tag("<text>")] | Annotated[BreakerShape, Tag("<mapping>")],
            Discriminator(text_or_mapping),
        ]
        | None
    ) = Field(None, examples=[{"failures": 10, "share": "50%"}, "off"])
    """When it is left alone because it fails; `off`: never."""
    groups: list[Name] = Field(default_factory=list, examples=[["publishers"]])
    """Names by which routes send to several endpoints at once: `to: [{group: publishers}]`."""
    owner: str | None = Field(None, examples=["web-team"])
    """Who to ask about it."""
