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
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from gateway.config.endpoint_shapes import EndpointShape
from gateway.config.handshake_shapes import HandshakesShape
from gateway.config.pattern_schema import SCALAR, pattern_definitions
from gateway.config.plan_shapes import AwaitShape, Emits, ScheduleShape
from gateway.config.poll_shapes import Poll
from gateway.config.quantities import Duration, Rate, Size, Timeout, at_least
from gateway.config.query_shapes import QueryShape
from gateway.config.shape import (
    EXPRESSION,
    Condition,
    HeaderName,
    Name,
    Said,
    Shape,
    list_or_mapping,
    text_or_mapping,
)
from gateway.config.urls import PublicUrl
from gateway.config.verify_shapes import Also, Verify
from gateway.core.model import SECOND

# -- sources -------------------------------------------------------------------------------------------


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
SilentAfter = Annotated[Duration, at_least(60 * SECOND, "less than 1m", "2h")]
BodySize = Annotated[Size, AfterValidator(_at_most_25_mib)]


OF_POSTS = frozenset({
    "verify", "also", "handshake", "public_url", "ack", "max_body", "rate", "content_encoding",
})  # fmt: skip
"""Keys of a source that are about requests to it."""


class SourceShape(Shape):
    """A named place events come from: POST /in/NAME, or what the gateway asks."""

    stand_ins: ClassVar[dict[str, Any]] = {"verify": "none"}

    verify: Verify = Field(
        examples=[
            {"preset": "standard-webhooks", "secrets": [{"env": "GETTY_WEBHOOK_SECRET"}]},
            "none",
        ]
    )
    """How requests are proven to come from this sender; `none` must be spelled out."""
    poll: Poll | None = Field(None, examples=["getty-asset-changes"])
    """Whom the gateway asks instead, because nobody posts: then there is nothing to verify."""
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
    silent_after: SilentAfter | None = Field(None, examples=["2h"])
    """Where nothing verified has come for so long, the event `gateway.source.silent` says so, once."""
    on_unreadable: Literal["inbox", "reject"] = "inbox"
    """What becomes of a verified request whose body cannot be read: it goes to the inbox, or it is
    refused with 400. What is not verified is always refused."""
    validate_: Literal["reject", "inbox", "warn"] | None = Field(
        None, alias="validate", examples=["inbox"]
    )
    """What becomes of an event whose data do not fit its type, where that is in the catalogue or under `types:`:
    `reject` refuses the request with 422, `inbox` keeps it for a person, `warn` keeps the event and tells of it.
    Default: nobody looks."""
    strict_json: bool | None = Field(None, examples=[True])
    """Refuse a body in which an object has a key twice. Default: only with `verify: none`."""
    content_types: list[str] = Field(default_factory=list, examples=[["text/plain"]])
    """Media types that are read as JSON, besides `application/json` and `…+json`."""
    content_encoding: Literal["gzip"] | None = Field(None, examples=["gzip"])
    """How bodies may be compressed; the signature is that of the compressed bytes."""

    @model_validator(mode="before")
    @classmethod
    def _posts_or_is_asked(cls, value: Any) -> Any:
        if not isinstance(value, dict) or value.get("poll") is None:
            return value
        if idle := sorted(value.keys() & OF_POSTS):
            raise PydanticCustomError(
                "poll-and-posts",
                "nobody posts to a source with `poll`, so {keys} does nothing",
                {"keys": ", ".join(idle), "cure": "remove one or the other"},
            )
        if value.get("validate") == "reject":
            raise PydanticCustomError(
                "poll-and-posts",
                "nobody posts to a source with `poll`, so there is nobody to refuse",
                {"cure": "write `validate: inbox`"},
            )
        return {**value, "verify": "none"}


class TypeShape(Shape):
    """A type of event of one's own: what its data hold."""

    schema_: str = Field(alias="schema", min_length=1, examples=["schemas/article.created.json"])
    """The file with the JSON Schema (2020-12) of its data, relative to this file."""
    replace: Literal[True] | None = Field(None, examples=[True])
    """The catalogue has this type, and this schema counts instead."""


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


class CoalesceShape(Shape):
    """Only the latest of what comes quickly."""

    settle: Timeout = Field(examples=["5s"])
    """It is sent when nothing newer has come for so long …"""
    max: Timeout = Field(examples=["60s"])
    """… but no later than this after the first that was not sent."""

    @model_validator(mode="after")
    def _in_order(self) -> "CoalesceShape":
        if self.max < self.settle:
            raise PydanticCustomError(
                "coalesce-order",
                "`max` is shorter than `settle`",
                {"cure": "make `max` the longer one"},
            )
        return self


class ConfirmShape(Shape):
    """A promise that all is delivered in time."""

    within: Timeout = Field(examples=["1h"])
    """How long after the event came."""
    else_: str = Field(alias="else", min_length=1, examples=["terms.unconfirmed"])
    """The type of the event that comes where it is not: its data say what is pending and what is dead."""


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
    key: str | None = Field(None, pattern=EXPRESSION, examples=["${event.data.asset.id}"])
    """Deliveries to this endpoint with the same key take turns: one at a time, in the order in which their
    events came. Default: as the endpoint says, or no order."""
    coalesce: CoalesceShape | None = Field(None, examples=[{"settle": "5s", "max": "60s"}])
    """Of what comes quickly with the same key, only the latest is sent."""
    delay: Duration | None = Field(None, examples=["10m"])
    """How long after the event came it is sent."""
    at: str | None = Field(None, pattern=EXPRESSION, examples=["${event.data.license.expires_at}"])
    """Or when: a date and time (RFC 3339), or a date, which is its first moment in UTC. What has passed is now."""
    expires_after: Timeout | None = Field(None, examples=["1h"])
    """So long after the event came it is no longer sent, and cancelled."""
    after: dict[Name, Literal["ended", "delivered"]] = Field(
        default_factory=dict, examples=[{"pause": "delivered"}]
    )
    """Targets of this route, by name, whose deliveries come first: they have to be `delivered`, or only
    `ended` (delivered, dead, cancelled or superseded)."""
    call: CallShape | None = Field(
        None, examples=[{"path": "/posts/${item.ref}", "json": {"status": "draft"}}]
    )
    """A request of one's own instead of the event. `${…}` sees `event` and, with `each`, `item`."""
    with_: dict[str, Any] | None = Field(None, alias="with", examples=[{"project": "RIGHTS"}])
    """Keyword arguments for the endpoint's handler. `${…}` sees `event` and, with `each`, `item`."""
    emit: Emits | None = Field(
        None,
        examples=[{"type": "review.opened", "data": {"key": "${response.body.key}"}}],
    )
    """The event, or events, that a delivery leads to which succeeds. `${…}` sees `event`, `response` (`status`,
    `headers`, `body`, `text`) and `sent`, the JSON of its `call` or `with`."""

    @model_validator(mode="after")
    def _one_place(self) -> "TargetShape":
        if (self.endpoint is None) == (self.group is None):
            raise PydanticCustomError(
                "target-place",
                "a target names one place",
                {"cure": "write `endpoint: NAME` or `group: NAME`"},
            )
        if self.delay is not None and self.at is not None:
            raise PydanticCustomError(
                "delay-and-at",
                "`delay` and `at` both say when",
                {"cure": "remove one of them"},
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


class RememberShape(Shape):
    """What the register is told of a thing."""

    collection: Name = Field(examples=["asset"])
    """Of what kind it is: any name."""
    key: str = Field(pattern=EXPRESSION, examples=["${event.data.asset.id}"])
    """Which it is. The latest is kept, by the `time` of the event that told it."""
    value: Any = Field(None, examples=["${event.data.asset}"])
    """What is known of it; default: the event's data."""
    forget: Literal[True] | None = Field(None, examples=[True])
    """It is known no longer; older events that come late do not bring it back."""

    @model_validator(mode="after")
    def _value_or_forget(self) -> "RememberShape":
        if self.forget and "value" in self.model_fields_set:
            raise PydanticCustomError(
                "value-and-forget",
                "it has a value, and is to be forgotten",
                {"cure": "remove one of them"},
            )
        return self


class KnownShape(Shape):
    """Which entries of the register a route wants to see."""

    collection: Name = Field(examples=["placement"])
    """Of what kind they are."""
    where: dict[str, str] = Field(
        min_length=1, max_length=8, examples=[{"asset_id": "${event.data.asset.id}"}]
    )
    """Fields, dotted where they lie deeper, each with the value that it has; of a list, one of its items."""


Remembers = Annotated[
    Annotated[RememberShape, Tag("<mapping>")]
    | Annotated[list[RememberShape], Field(min_length=1), Tag("<list>")],
    Discriminator(list_or_mapping),
]
Known = Annotated[
    Annotated[str, Field(pattern=EXPRESSION), Tag("<text>")]
    | Annotated[KnownShape, Tag("<mapping>")],
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
    remember: Remembers | None = Field(
        None,
        examples=[
            {"collection": "asset", "key": "${event.data.asset.id}", "value": "${event.data.asset}"}
        ],
    )
    """What the register is told of a thing, or of several, wherever `match` holds. `${…}` sees `event`."""
    known: dict[Name, Known] = Field(
        default_factory=dict,
        examples=[
            {
                "asset": "${event.data.license.asset_id}",
                "placements": {
                    "collection": "placement",
                    "where": {"asset_id": "${event.data.asset.id}"},
                },
            }
        ],
    )
    """What of the register the route's expressions see as `known.NAME`: the entry of the collection of that name with
    this key, or a list of those that fit. What the route remembers is there without it, as it was before."""
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
    priority: Literal["high", "normal", "low"] = "normal"
    """What it sends goes before that of lower priority to the same endpoint, which still gets one place in eight."""
    confirm: ConfirmShape | None = Field(
        None, examples=[{"within": "1h", "else": "terms.unconfirmed"}]
    )
    """All that it sends of an event has to be delivered in time, or another event says what is not."""
    await_: AwaitShape | None = Field(
        None,
        alias="await",
        examples=[
            {
                "key": "${event.data.request_id}",
                "answers": {"approve": "license.approved", "reject": "license.rejected"},
                "within": "2d",
                "else": "license.rejected",
            }
        ],
    )
    """What it sends is a question: an answer is waited for. Targets see `callback`: a link for each answer by its name,
    and `callback.url`, which leads to them all."""
    to: list[Target] = Field(
        default_factory=list, min_length=1, examples=[["cms", {"group": "publishers"}]]
    )
    """Where they go: endpoints by name, or targets that say more."""
    emit: Emits | None = Field(
        None,
        examples=[{"type": "usage.restricted", "data": {"asset_id": "${event.data.asset_id}"}}],
    )
    """The event, or events, that the gateway makes of it at once. `${…}` sees `event`."""

    @model_validator(mode="after")
    def _does_something(self) -> "RouteShape":
        if not self.to and self.emit is None and self.remember is None:
            raise PydanticCustomError(
                "missing-key",
                "it sends nothing and makes nothing",
                {"cure": "add `to: [ENDPOINT]`, `emit: {type: …}`, or `remember: {…}`"},
            )
        if self.await_ is not None and not self.to:
            raise PydanticCustomError(
                "await-nobody",
                "nobody is asked",
                {"cure": "add `to: [ENDPOINT]`: who is sent the question"},
            )
        return self


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
    known: dict[Name, dict[str, Any]] = Field(
        default_factory=dict, examples=[{"asset": {"847116840": {"asset_family": "editorial"}}}]
    )
    """What the register knows before it comes: by collection and key."""
    routes: list[Name] | None = Field(None, min_length=1, examples=[["licence-expiring"]])
    """Only these routes count: where a team tests its own among those of others. Default: all."""
    expect: list[str] = Field(examples=[["cms", "cms", "pager"]])
    """The endpoints of the deliveries, in any order, each as often as there are deliveries to it."""
    plans: list[str] | None = Field(None, examples=[["license.expiring", "license.expiring"]])
    """The types of the events that the gateway makes of it, at once or later, in any order. Default: it does not matter."""

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
    types: dict[str, TypeShape] = Field(
        default_factory=dict,
        examples=[{"article.created": {"schema": "schemas/article.created.json"}}],
    )
    """Types of events of one's own, beside those of the catalogue: what `validate` and `gateway check` go by."""
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
    schedules: dict[Name, ScheduleShape] = Field(
        default_factory=dict,
        examples=[
            {
                "licence-expiry": {
                    "match": {"type": ["license.acquired", "license.renewed"]},
                    "key": "${event.data.license.id}",
                    "at": "${event.data.license.expires_at}",
                    "before": ["30d", "7d"],
                    "emit": {"type": "license.expiring", "data": {"days_left": "${plan.days}"}},
                }
            }
        ],
    )
    """What comes at moments that events tell."""
    queries: dict[Name, QueryShape] = Field(
        default_factory=dict,
        examples=[
            {
                "images": {
                    "endpoint": "getty",
                    "path": "/v3/search/images/creative",
                    "parameters": ["phrase", "page"],
                    "callers": [{"env": "PORTAL_TOKEN"}],
                    "cache": "10m",
                }
            }
        ],
    )
    """What may be asked of endpoints at once, at `GET /q/NAME`."""
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
    source = schema["$defs"]["SourceShape"]
    del source["required"]
    source["anyOf"] = [{"required": ["verify"]}, {"required": ["poll"]}]
    for shape in (schema, *schema["$defs"].values()):
        for field in shape.get("properties", {}).values():
            if not isinstance(field.get("default", ""), str):
                del field["default"]  # it is ours, in microseconds say, and not as people write it
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "routes.yaml, version 1",
        **{key: value for key, value in schema.items() if key != "title"},
    }
