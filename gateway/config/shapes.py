"""What routes.yaml may contain: the shape of each part of it.

`gateway schema` prints the JSON Schema of these, for editors. Whether the parts fit together, and
what they mean, is `routes.py`.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.config.handshake_shapes import HandshakesShape
from gateway.config.pattern_schema import SCALAR, pattern_definitions
from gateway.config.quantities import Duration, Rate, Size
from gateway.config.shape import (
    EXPRESSION,
    HANDLER,
    HeaderName,
    Name,
    SecretReference,
    Secrets,
    Shape,
    list_or_mapping,
    text_or_mapping,
)
from gateway.config.urls import PublicUrl
from gateway.config.verify_shapes import Also, IdShape, Verify, WrittenSignature
from gateway.core.model import SECOND, Micros


class UrlReference(Shape):
    """A URL out of the environment."""

    env: str = Field(min_length=1, examples=["CMS_URL"])
    """The environment variable that holds it."""
    default: str | None = Field(None, min_length=1, examples=["http://127.0.0.1:8090/cms"])
    """What it is where the variable is not set."""


# -- sources -------------------------------------------------------------------------------------------


Condition = Annotated[str, StringConstraints(min_length=1)]
"""A bare CEL expression that is true or false."""


def _said(value: Any) -> Any:
    """An expression that is there with nothing behind it would be no condition at all."""
    if value is None:
        raise PydanticCustomError(
            "nothing-said",
            "there is nothing behind it",
            {"cure": "write an expression, or remove the key"},
        )
    return value


Said = BeforeValidator(_said)


class EventShape(Shape):
    """How plain JSON becomes an event. `${…}` sees `body`, `headers` and, with `each`, `item`."""

    when: Annotated[Condition | None, Said] = Field(
        None, examples=['headers["x-github-event"] == "push"']
    )
    """Whether this case is the one: a bare CEL expression over `body` and `headers`. Default: it is."""
    ignore: Literal[True] | None = Field(None, examples=[True])
    """Acknowledge the request and keep nothing of it: for a sender's pings."""
    each: Annotated[str | None, Said] = Field(None, pattern=EXPRESSION, examples=["${body.assets}"])
    """A list: each of its items becomes an event of its own, and `item` stands for it."""
    type: str | None = Field(None, min_length=1, examples=["license.expiring", "${body.kind}"])
    """What happened."""
    id: str | None = Field(None, examples=['${headers["x-delivery-id"]}'])
    """The sender's id of it: also the idempotency key."""
    subject: str | None = Field(None, examples=["asset/${body.asset.id}"])
    """What it happened to."""
    time: str | None = Field(None, examples=["${body.occurred_at}"])
    """When it happened (RFC 3339); default: when it was received."""
    data: Any = Field(None, examples=["${body}", {"asset": "${body.asset}"}])
    """The event's content; default: the body, byte for byte; with `each`, the item."""

    @model_validator(mode="after")
    def _type_unless_ignored(self) -> "EventShape":
        rest = self.model_fields_set - {"when", "ignore"}
        if self.ignore and rest:
            raise PydanticCustomError(
                "ignored-case",
                "it is ignored, so {keys} does nothing",
                {"keys": ", ".join(sorted(rest)), "cure": "remove one or the other"},
            )
        if not self.ignore and self.type is None:
            raise PydanticCustomError(
                "missing-key",
                "it names no type of event",
                {"cure": "add `type: …`, or `ignore: true`"},
            )
        return self


Events = Annotated[
    Annotated[EventShape, Tag("<mapping>")]
    | Annotated[list[EventShape], Field(min_length=1), Tag("<list>")],
    Discriminator(list_or_mapping),
]


class DedupeShape(Shape):
    """When a second arrival of an event counts as a duplicate."""

    key: str | None = Field(None, examples=["${body.event_id}", "signed-content"])
    """The idempotency key; `signed-content`: the body itself. Default: the sender's id."""
    window: Duration = 72 * 3600 * SECOND
    """For how long after the first."""


def _at_most_25_mib(size: int) -> int:
    if size > LARGEST_BODY:
        cure = {
            "cure": "write 25MiB at most; larger things are better fetched by a URL in the event"
        }
        raise PydanticCustomError("body-size", "so large a body is not taken", cure)
    return size


LARGEST_BODY = 25 * 1024 * 1024
BodySize = Annotated[Size, AfterValidator(_at_most_25_mib)]


class SourceShape(Shape):
    """A named place events come from: POST /in/NAME."""

    stand_ins: ClassVar[dict[str, Any]] = {"verify": "none"}

    verify: Verify = Field(
        examples=[
            {"preset": "standard-webhooks", "secrets": [{"env": "GETTY_WEBHOOK_SECRET"}]},
            "none",
        ]
    )
    """How requests are proven to come from this sender; `none` must be spelled out."""
    also: list[Also] = Field(
        default_factory=list, examples=[[{"scheme": "ip_allow", "cidrs": ["192.30.252.0/22"]}]]
    )
    """What has to hold besides `verify`: all of it."""
    handshake: HandshakesShape | None = Field(None, examples=[{"preset": "slack"}])
    """Requests by which the sender makes sure that it is expected, answered at once: one, or a list."""
    public_url: PublicUrl | None = Field(None, examples=["https://hooks.example.com/in/acme"])
    """The URL that this sender was given, for senders that sign it; default: `--public-url` with /in/NAME."""
    event: Events | None = Field(
        None, examples=[{"type": "asset.updated", "subject": "asset/${body.asset.id}"}]
    )
    """How plain JSON becomes an event: one mapping, or a list of cases, of which the first whose `when`
    is true is taken; where none is, the request goes to the inbox. CloudEvents need no mapping."""
    dedupe: DedupeShape = Field(
        DedupeShape(), examples=[{"key": "${body.invoice.number}", "window": "72h"}]
    )
    """When a second arrival counts as a duplicate."""
    ack: Literal[200, 201, 202, 204] = 202
    """The status that this sender wants to hear."""
    max_body: BodySize = 1024 * 1024
    """Larger bodies are refused."""
    rate: Rate | None = Field(None, examples=["50/s"])
    """Faster verified requests are refused with 429."""
    on_unreadable: Literal["inbox", "reject"] = "inbox"
    """What becomes of a verified request whose body cannot be read: it goes to the inbox, or it is
    refused with 400. What is not verified is always refused."""
    strict_json: bool | None = Field(None, examples=[True])
    """Refuse a body in which an object has a key twice. Default: only with `verify: none`."""
    content_types: list[str] = Field(default_factory=list, examples=[["text/plain"]])
    """Media types that are read as JSON, besides `application/json` and `…+json`."""
    content_encoding: Literal["gzip"] | None = Field(None, examples=["gzip"])
    """How bodies may be compressed; the signature is that of the compressed bytes."""


# -- endpoints -----------------------------------------------------------------------------------------


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


class RetryShape(Shape):
    """When failed attempts are made again."""

    schedule: list[Duration] = Field(examples=[["5s", "5m", "30m", "2h"]])
    """The delays before the second, third … attempt; after the last the delivery is dead."""


Expression = Annotated[str, StringConstraints(pattern=EXPRESSION)]


def _body_form(value: Any) -> str:
    return "<template>" if isinstance(value, (dict, list)) or "${" in str(value) else "<text>"


Body = Annotated[
    Annotated[Literal["event", "raw"], Tag("<text>")]
    | Annotated[dict[str, Any] | list[Any] | Expression, Tag("<template>")],
    Discriminator(_body_form),
]


def _some_time(value: Micros) -> Micros:
    if value == 0:
        raise PydanticCustomError(
            "no-time", "a timeout of 0 leaves no time", {"cure": "write 20s, say"}
        )
    return value


Timeout = Annotated[Duration, AfterValidator(_some_time)]


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
    handler: str | None = Field(None, pattern=HANDLER, examples=["handlers.cms:unpublish"])
    """A coroutine that speaks this endpoint's own API; without one, the event is posted."""
    secrets: dict[str, SecretReference] = Field(
        default_factory=dict, examples=[{"routing_key": {"env": "PAGERDUTY_ROUTING_KEY"}}]
    )
    """Secrets that the handler asks for by name, for APIs that want them in a body."""
    body: Body = Field("event", examples=["event", "raw", {"text": "${event.type}"}])
    """What is posted: `event` (CloudEvents JSON), `raw` (as received), or JSON of one's own with `${…}`."""
    timeout: Timeout = 20 * SECOND
    """For a whole attempt."""
    retry: RetryShape | None = Field(None, examples=[{"schedule": ["5s", "5m", "30m", "2h"]}])
    """Default: Standard Webhooks' schedule, ten attempts over three days."""
    concurrency: int = Field(8, ge=1, le=1000, examples=[8])
    """Attempts at the same time."""
    groups: list[Name] = Field(default_factory=list, examples=[["publishers"]])
    """Names by which routes send to several endpoints at once: `to: [{group: publishers}]`."""
    owner: str | None = Field(None, examples=["web-team"])
    """Who to ask about it."""


# -- routes --------------------------------------------------------------------------------------------


class CallShape(Shape):
    """A request of one's own, without Python: what is sent instead of the event."""

    method: Literal["POST", "PUT", "PATCH", "DELETE", "GET"] = "POST"
    """Its method."""
    path: str = Field("", examples=["/posts/${item.ref}"])
    """Appended to the endpoint's URL; what `${…}` gives is encoded, and stays one segment."""
    query: dict[str, Any] = Field(
        default_factory=dict, examples=[{"lang": "${event.data.lang}", "force": "true"}]
    )
    """Its query: text or numbers; a list repeats its name, null leaves it out."""
    headers: dict[HeaderName, str] = Field(
        default_factory=dict, examples=[{"X-Request-Source": "rights"}]
    )
    """Its headers, beside those of the endpoint's `auth` and `sign`."""
    json_: Any = Field(None, alias="json", examples=[{"status": "draft"}])
    """Its body, as JSON; default: none."""


class TargetShape(Shape):
    """One place that a route sends to."""

    name: Name | None = Field(None, examples=["pause"])
    """Its name within the route, to tell it apart."""
    endpoint: str | None = Field(None, min_length=1, examples=["cms"])
    """The endpoint's name."""
    group: Name | None = Field(None, examples=["publishers"])
    """Or a group's: every endpoint that has it among its `groups`."""
    when: Annotated[Condition | None, Said] = Field(None, examples=['item.system == "wordpress"'])
    """Whether to send to it: a bare CEL expression over `event` and, with `each`, `item`."""
    each: Annotated[str | None, Said] = Field(
        None, pattern=EXPRESSION, examples=["${event.data.placements}"]
    )
    """A list: each of its items becomes a delivery of its own, and `item` stands for it."""
    call: CallShape | None = Field(
        None, examples=[{"path": "/posts/${item.ref}", "json": {"status": "draft"}}]
    )
    """A request of one's own instead of the event. `${…}` sees `event` and, with `each`, `item`."""
    with_: dict[str, Any] | None = Field(None, alias="with", examples=[{"project": "RIGHTS"}])
    """Keyword arguments for the endpoint's handler. `${…}` sees `event` and, with `each`, `item`."""

    @model_validator(mode="after")
    def _one_place(self) -> "TargetShape":
        if (self.endpoint is None) == (self.group is None):
            raise PydanticCustomError(
                "target-place",
                "a target names one place",
                {"cure": "write `endpoint: NAME` or `group: NAME`"},
            )
        if self.call is not None and self.with_ is not None:
            raise PydanticCustomError(
                "call-and-with",
                "`call` is sent without a handler, `with` is for one",
                {"cure": "remove one of them"},
            )
        return self


Target = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[TargetShape, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]


class RouteShape(Shape):
    """A rule: which events, and where they go."""

    stand_ins: ClassVar[dict[str, Any]] = {"name": "stand-in", "match": {}, "to": ["stand-in"]}

    name: Name = Field(examples=["licence-expiring"])
    """Its name, unique in all files."""
    owner: str | None = Field(None, examples=["rights-team"])
    """Who to ask about it."""
    match: dict[str, Any] = Field(
        examples=[{"type": "license.expiring", "data": {"days_left": {"lte": 14}}}]
    )
    """Which events: an EventBridge event pattern. `{}` matches all."""
    when: Annotated[Condition | None, Said] = Field(
        None, examples=['event.data.license.channels.exists(c, c == "web")']
    )
    """What patterns cannot say: a bare CEL expression over `event`, asked only where `match` holds."""
    once: Annotated[str | None, Said] = Field(
        None,
        pattern=EXPRESSION,
        examples=["${event.data.license.id}/${event.data.license.expires_at}"],
    )
    """The route fires at most once for each value of this."""
    on_error: Literal["inbox", "match", "skip"] = "inbox"
    """Where an expression fails: tell the inbox and send nothing, count the condition as true, or send
    nothing and only count it."""
    mode: Literal["live", "shadow"] = "live"
    """`shadow`: match and record what would be sent, and send nothing."""
    to: list[Target] = Field(min_length=1, examples=[["cms", {"group": "publishers"}]])
    """Where they go: endpoints by name, or targets that say more."""


# -- tests ---------------------------------------------------------------------------------------------


class RequestShape(Shape):
    """A request as the source's sender posts it."""

    headers: dict[HeaderName, str] = Field(
        default_factory=dict, examples=[{"X-GitHub-Event": "push"}]
    )
    """Its headers, but for signatures: requests of tests are taken as verified."""
    body: Any = Field(examples=[{"asset": {"id": "847116840"}}])
    """Its body, as JSON."""


class ExampleShape(Shape):
    """An event, and where it has to go."""

    stand_ins: ClassVar[dict[str, Any]] = {"name": "stand-in", "expect": []}

    name: str = Field(min_length=1, examples=["an expiring licence takes the page offline"])
    """What it shows, as a sentence."""
    source: str | None = Field(None, examples=["getty"])
    """The source that the event comes in by; default: the first of the file."""
    event: dict[str, Any] | None = Field(
        None, examples=[{"type": "license.expiring", "data": {"days_left": 3}}]
    )
    """An event, as CloudEvents attributes and `data`; what it leaves out is made up."""
    request: RequestShape | None = Field(None, examples=[{"body": {"asset": {"id": "847116840"}}}])
    """Or a request, which the source's `event:` mapping reads."""
    routes: list[Name] | None = Field(None, min_length=1, examples=[["licence-expiring"]])
    """Only these routes count: where a team tests its own among those of others. Default: all."""
    expect: list[str] = Field(examples=[["cms", "cms", "pager"]])
    """The endpoints of the deliveries, in any order, each as often as there are deliveries to it."""

    @model_validator(mode="after")
    def _event_or_request(self) -> "ExampleShape":
        if (self.event is None) == (self.request is None):
            raise PydanticCustomError(
                "test-input",
                "a test has either an event or a request",
                {"cure": "write `event: {type: …, data: …}` or `request: {body: …}`"},
            )
        return self


class RoutesTestFile(Shape):
    """*.routes-test.yaml: tests of the routes file beside it."""

    tests: list[ExampleShape] = Field(min_length=1)
    """Events, and where they have to go."""


def _scalar(value: Any) -> Any:
    """A single value: each of the several types that it may have would have its own complaint."""
    if isinstance(value, dict):
        cure = "a list holds values: write operators beside it in the pattern, `[{in: …}, {prefix: …}]`"
        raise PydanticCustomError(
            "wrong-type", "this is a mapping, where a value belongs", {"cure": cure}
        )
    if isinstance(value, list):
        cure = "write its values in the list around it"
        raise PydanticCustomError(
            "wrong-type", "this is a list, where a value belongs", {"cure": cure}
        )
    return value


Scalar = Annotated[Any, BeforeValidator(_scalar), WithJsonSchema(SCALAR)]


class RoutesFile(Shape):
    """routes.yaml: where events come from, where they go, and which go where."""

    version: Literal[1] = Field(examples=[1])
    """Of this language."""
    include: list[str] = Field(default_factory=list, examples=[["routes.d/*.yaml"]])
    """Further files of this kind, so that each team has its own: paths or patterns (`*`), relative to
    this file. Names are unique across all of them."""
    lists: dict[str, Annotated[list[Scalar], Field(min_length=1)]] = Field(
        default_factory=dict, examples=[{"EU": ["AT", "BE", "DE", "FR"]}]
    )
    """Lists of values that patterns refer to: `{in: EU}`."""
    sources: dict[Name, SourceShape] = Field(
        default_factory=dict,
        examples=[
            {
                "getty": {
                    "verify": {
                        "preset": "standard-webhooks",
                        "secrets": [{"env": "GETTY_WEBHOOK_SECRET"}],
                    }
                }
            }
        ],
    )
    """Where events come from."""
    endpoints: dict[Name, EndpointShape] = Field(
        default_factory=dict,
        examples=[
            {
                "cms": {
                    "url": "https://cms.example.com/hooks/rights",
                    "sign": {"secrets": [{"env": "CMS_SECRET"}]},
                }
            }
        ],
    )
    """Where they go."""
    routes: list[RouteShape] = Field(
        default_factory=list,
        examples=[
            [{"name": "licence-expiring", "match": {"type": "license.expiring"}, "to": ["cms"]}]
        ],
    )
    """Which go where."""
    tests: list[ExampleShape] = Field(
        default_factory=list,
        examples=[
            [
                {
                    "name": "an expiring licence takes the page offline",
                    "event": {"type": "license.expiring", "data": {"days_left": 3}},
                    "expect": ["cms"],
                }
            ]
        ],
    )
    """Events, and where they have to go: `gateway check --tests` tries them."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of routes.yaml."""
    schema = RoutesFile.model_json_schema()
    schema["$defs"] |= pattern_definitions()
    match = schema["$defs"]["RouteShape"]["properties"]["match"]
    del match["additionalProperties"]
    match["$ref"] = "#/$defs/Pattern"
    for shape in (schema, *schema["$defs"].values()):
        for field in shape.get("properties", {}).values():
            if not isinstance(field.get("default", ""), str):
                del field["default"]  # it is ours, in microseconds say, and not as people write it
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routes.yaml, version 1",
        **{key: value for key, value in schema.items() if key != "title"},
    }
