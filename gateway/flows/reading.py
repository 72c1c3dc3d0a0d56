"""From a verified request to events: CloudEvents in its three forms, or plain JSON by a mapping.

The data's bytes are found, not re-made: what goes out is what came in, byte for byte. Only a mapped
`data` is serialised, once, here.

CloudEvents 1.0.2: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md, with the JSON
format (§3) and the HTTP binding (§3.1 binary, §3.2 structured, §3.3 batched).
"""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
import orjson

from gateway.core.computed import Compute, Scope, holds, list_of
from gateway.core.conformance import Conformance, Misfit, OnMisfit
from gateway.core.errors import (
    BodyMalformed,
    DataInvalid,
    ExpressionFailed,
    MediaTypeUnsupported,
)
from gateway.core.keys import bounded
from gateway.core.model import Event, EventId, Json, Micros, default_origin, kind_of, rfc3339
from gateway.core.routes import MOST_EVENTS, EventCase, Source
from gateway.core.schemes.encodings import form_fields
from gateway.core.tracing import HEADER, PARENT, arriving
from gateway.core.verifying import Inbound
from gateway.flows.strict_json import decode

STRUCTURED = "application/cloudevents+json"
BATCHED = "application/cloudevents-batch+json"
FORM = "application/x-www-form-urlencoded"
LONGEST_ATTRIBUTE = 1024
"""Characters of an id, a type or a subject: they go out as headers, and are searched by."""
MOST_FIELDS = 1_000
"""A form with more is refused."""


class _Data(msgspec.Struct):
    """Where the data stands in a JSON body, as the bytes between its neighbours."""

    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data_base64: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_data_of = msgspec.json.Decoder(_Data).decode
_elements_of = msgspec.json.Decoder(list[msgspec.Raw]).decode

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CORE_TEXTS = ("id", "source", "type", "subject", "time", "datacontenttype", "dataschema")
_REQUIRED = frozenset({"id", "source", "type"})
_ATTRIBUTE = re.compile(r"[a-z0-9]+")


class Reading(NamedTuple):
    """What a request holds."""

    events: list[Event]
    several: bool = False
    """Whether it says that it holds several events, however many it then has."""
    misfits: tuple[Misfit, ...] = ()
    """How some of their data do not fit their types, where that is only to be told."""


def read(
    source: Source, request: Inbound, verified_id: str | None, new_id: Callable[[], EventId]
) -> Reading:
    """The events in a request: none where its source ignores it.

    Raises BodyMalformed or ExpressionFailed where the body cannot be read, MediaTypeUnsupported
    where it is not of a kind that a source reads, DataInvalid where the source wants to know that an
    event's data do not fit its type.
    """
    reading = _read(source, request, verified_id, new_id)
    return reading if source.conformance is None else _fitting(reading, source.conformance)


def _fitting(reading: Reading, wanted: Conformance) -> Reading:
    """What was read, with how it does not fit. Raises DataInvalid where it has to."""
    found = (wanted.misfit(event.type, event.data) for event in reading.events)
    misfits = tuple(misfit for misfit in found if misfit is not None)
    if misfits and wanted.otherwise is not OnMisfit.WARN:
        cure = f"send what `gateway types {misfits[0].type}` shows"
        raise DataInvalid(str(misfits[0]), cure=cure, field=misfits[0].field)
    return reading._replace(misfits=misfits)


def _read(
    source: Source, request: Inbound, verified_id: str | None, new_id: Callable[[], EventId]
) -> Reading:
    content_type = request.headers.get(b"content-type", b"").decode("latin-1")
    media_type = _media_type(content_type)
    reader = _Reader(source, request, verified_id, new_id, content_type or "application/json")
    if media_type == STRUCTURED:
        return Reading([reader.structured(request.body)])
    if media_type == BATCHED:
        return Reading(reader.batch(), several=True)
    if b"ce-specversion" in request.headers and not source.cases:
        return Reading([reader.binary(media_type)])
    if media_type == FORM:
        return reader.form()
    if media_type and not _is_json(media_type) and media_type not in source.content_types:
        raise MediaTypeUnsupported(
            f"this source does not read {media_type}", cure="send application/json, or CloudEvents"
        )
    return reader.plain()


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


class _Reader:
    """One request being read."""

    __slots__ = ("content_type", "json", "new_id", "request", "source", "verified_id")

    def __init__(
        self,
        source: Source,
        request: Inbound,
        verified_id: str | None,
        new_id: Callable[[], EventId],
        content_type: str,
    ) -> None:
        self.source = source
        self.request = request
        self.verified_id = verified_id
        self.new_id = new_id
        self.content_type = content_type
        self.json = request.body
        """The body as JSON, where it came as something else."""

    def _decoded(self, body: bytes) -> Json:
        return decode(body, strict=self.source.strict_json)

    def _decoded_or_null(self, body: bytes) -> Json:
        """What a binary CloudEvent's body holds is JSON only if it is."""
        try:
            return self._decoded(body)
        except BodyMalformed:
            return None

    def structured(self, body: bytes) -> Event:
        """A CloudEvent that is the body, or one element of a batch."""
        fields = self._decoded(body)
        if not isinstance(fields, dict):
            raise _invalid("a CloudEvent is a JSON object")
        return self._structured(fields, body)

    def batch(self) -> list[Event]:
        """The CloudEvents in an array."""
        if not isinstance(self._decoded(self.request.body), list):
            raise _invalid("a CloudEvents batch is a JSON array")
        elements = [bytes(element) for element in _elements_of(self.request.body)]
        self.content_type = STRUCTURED  # of each element
        if not 0 < len(elements) <= MOST_EVENTS:
            raise _invalid(f"the batch is empty, or has more than {MOST_EVENTS:,} events")
        return [self.structured(element) for element in elements]

    def _structured(self, fields: dict[str, Json], body: bytes) -> Event:
        data = fields.pop("data", None)
        spans = _data_of(body)
        fields.pop("data_base64", None)
        attributes = _cloud_attributes(fields, self.request.received_at)
        if spans.data is not msgspec.UNSET:
            if spans.data_base64 is not msgspec.UNSET:
                raise _invalid("it has both data and data_base64")
            return self._cloud_event(attributes, body, b'"data":', bytes(spans.data), data)
        if spans.data_base64 is not msgspec.UNSET:
            splice = bytes(spans.data_base64)
            if splice[:1] != b'"':
                raise _invalid("data_base64 is not text")
            return self._cloud_event(attributes, body, b'"data_base64":', splice, None)
        return self._cloud_event(attributes, body, b"", b"", None)

    def binary(self, media_type: str) -> Event:
        """A CloudEvent whose attributes are headers and whose data is the body."""
        fields: dict[str, Json] = {}
        for name, value in self.request.headers.items():
            if name.startswith(b"ce-"):
                fields[name[3:].decode("latin-1")] = _header_text(name, value)
        fields.pop("datacontenttype", None)
        if media_type:
            fields["datacontenttype"] = self.content_type
        attributes = _cloud_attributes(fields, self.request.received_at)
        body = self.request.body
        if not body:
            return self._cloud_event(attributes, body, b"", b"", None)
        if not media_type or _is_json(media_type):
            data = self._decoded(body)
            return self._cloud_event(attributes, body, b'"data":', body, data)
        splice = b'"' + base64.b64encode(body) + b'"'
        return self._cloud_event(attributes, body, b'"data_base64":', splice, None)

    def _cloud_event(
        self, attributes: dict[str, Json], body: bytes, name: bytes, splice: bytes, data: Json
    ) -> Event:
        origin_and_id = f"{attributes['source']} {attributes['id']}"
        return self._event(attributes, body, name, splice, data, origin_and_id)

    def form(self) -> Reading:
        """A form, as an object of texts; where a name comes several times, of lists of them.

        Events carry that: who receives them knows no forms. `body: raw` forwards the form itself.
        """
        fields: dict[str, Json] = {}
        for name, value in _form_fields(self.request.body):
            if name in fields:
                before = fields[name]
                fields[name] = [*(before if isinstance(before, list) else [before]), value]
            else:
                fields[name] = value
        self.json = _encoded(fields)
        return self.plain()

    def plain(self) -> Reading:
        """Plain JSON: by the source's mapping, else by what it looks like."""
        body = self.json
        decoded = self._decoded(body)
        if self.source.cases:
            return self._by_case(decoded)
        if isinstance(decoded, dict) and "specversion" in decoded:
            return Reading([self._structured(decoded, body)])
        return Reading([self._recommended(decoded)])

    def _recommended(self, decoded: Json) -> Event:
        """The body that Standard Webhooks recommends: `type`, `timestamp`, `data`."""
        if not isinstance(decoded, dict) or not isinstance(decoded.get("type"), str):
            raise BodyMalformed(
                "the body names no event type",
                cure="give the source an `event:` mapping, or send CloudEvents",
                code="event-unmapped",
            )
        body, time = self.request.body, decoded.get("timestamp")
        if not isinstance(time, str) or not _RFC3339.fullmatch(time):
            time = None
        attributes = self._attributes(
            decoded["type"], self.verified_id, decoded.get("subject"), time
        )
        raw = _data_of(self.json).data
        if raw is msgspec.UNSET:
            return self._event(attributes, body, b'"data":', self.json, decoded, self.verified_id)
        return self._event(
            attributes, body, b'"data":', bytes(raw), decoded["data"], self.verified_id
        )

    def _by_case(self, decoded: Json) -> Reading:
        """What the first case makes of the body whose `when` is true."""
        scope = Scope(body=decoded, headers=_header_texts(self.request))
        for case in self.source.cases:
            if case.when is None or holds(case.when, scope):
                break
        else:
            raise BodyMalformed(
                "none of the cases of this source's `event:` is about it",
                cure="add a case for it, or one with `ignore: true`",
                code="event-unmapped",
            )
        if case.type is None:
            return Reading([])
        if case.each is None:
            return Reading([self._mapped(case, scope, self.request.body, self.verified_id)])
        return Reading(list(self._items(case, case.each, scope)), several=True)

    def _items(self, case: EventCase, each: Compute, scope: Scope) -> Iterator[Event]:
        """An event for each item; those that have no id of their own are numbered."""
        self.content_type = "application/json"  # of each item
        for i, item in enumerate(list_of(each(scope), MOST_EVENTS)):
            name = None if self.verified_id is None else f"{self.verified_id}/{i}"
            yield self._mapped(case, Scope(**scope, item=item), _encoded(item), name)

    def _mapped(self, case: EventCase, scope: Scope, body: bytes, verified_id: str | None) -> Event:
        """The event that a case makes of a body, or of one item of it."""
        mapped_id = case.id(scope) if case.id else None
        own_id = (_text(mapped_id, "event.id") if mapped_id is not None else "") or verified_id
        attributes = self._attributes(
            case.type(scope) if case.type else None,
            own_id,
            case.subject(scope) if case.subject else None,
            case.time(scope) if case.time else None,
        )
        if case.data == "body":
            whole = self.json
            return self._event(attributes, body, b'"data":', whole, scope["body"], own_id, scope)
        if case.data == "item":
            return self._event(attributes, body, b'"data":', body, scope["item"], own_id, scope)
        data = case.data(scope) if case.data else None
        return self._event(attributes, body, b'"data":', _encoded(data), data, own_id, scope)

    def _attributes(
        self, event_type: Json, own_id: str | None, subject: Json, time: Json
    ) -> dict[str, Json]:
        """The attributes of an event whose sender does not speak CloudEvents."""
        named = _text(event_type, "event.type")
        if not named:
            raise ExpressionFailed("`event.type` is empty")
        attributes: dict[str, Json] = {
            "specversion": "1.0",
            "id": own_id or "",
            "source": default_origin(self.source.name),
            "type": named,
        }
        if subject is not None:
            attributes["subject"] = _text(subject, "event.subject")
        attributes["time"] = rfc3339(self.request.received_at) if time is None else _time(time)
        attributes["datacontenttype"] = "application/json"
        return attributes

    def _event(
        self,
        attributes: dict[str, Json],
        body: bytes,
        name: bytes,
        splice: bytes,
        data: Json,
        key: str | None,
        scope: Scope | None = None,
    ) -> Event:
        event_id = self.new_id()
        if HEADER in self.request.headers and PARENT not in attributes:
            attributes |= arriving(self.request.headers, self.request.repeated)
        if not attributes["id"]:
            attributes["id"] = event_id
        head = orjson.dumps(attributes)[:-1]
        return Event(
            event_id=event_id,
            source=self.source.name,
            attributes=attributes,
            head=head + b"," + name if name else head,
            splice=splice,
            body=body,
            content_type=self.content_type,
            received_at=self.request.received_at,
            key=self._key(key, body, scope),
            data=data,
        )

    def _key(self, key: str | None, body: bytes, scope: Scope | None) -> str | None:
        """The idempotency key as it is kept: what the source says it is, else the sender's own id.

        *body* is the event's own: of a batch, its element. *scope* are the variables of a mapping.
        """
        if self.source.signed_content_key:
            return sha256(body).hexdigest()
        if self.source.dedupe_key is None:
            return None if key is None else bounded(key)
        if scope is None:
            scope = Scope(body=self._decoded_or_null(body), headers=_header_texts(self.request))
        return bounded(_text(self.source.dedupe_key(scope), "dedupe.key"))


def _form_fields(body: bytes) -> list[tuple[str, str]]:
    try:
        fields = form_fields(body, MOST_FIELDS)
        return [(name.decode(), value.decode()) for name, value in fields]
    except ValueError:
        raise BodyMalformed(
            f"the body is no form of UTF-8 and at most {MOST_FIELDS} fields",
            cure="send such a form, or JSON",
            code="body-unreadable",
        ) from None


def _is_json(media_type: str) -> bool:
    return media_type in {"application/json", "text/json"} or media_type.endswith("+json")


def _encoded(data: Json) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError as error:
        raise ExpressionFailed(f"`event.data` is nothing that JSON can hold: {error}") from None


def _cloud_attributes(fields: dict[str, Json], received_at: Micros) -> dict[str, Json]:
    """The context attributes of a CloudEvent, checked, in the order in which they go out.

    An event without a time gets that of its receipt.
    """
    if fields.get("specversion") != "1.0":
        raise _invalid(f'its specversion is {fields.get("specversion")!r}, not "1.0"')
    if fields.get("time") is None:
        fields["time"] = rfc3339(received_at)
    attributes: dict[str, Json] = {"specversion": fields.pop("specversion")}
    for name in _CORE_TEXTS:
        value = fields.pop(name, None)
        if value is None and name not in _REQUIRED:
            continue
        if not isinstance(value, str) or not value:
            raise _invalid(f"it has no {name}" if value is None else f"its {name} is not text")
        if len(value) > LONGEST_ATTRIBUTE:
            raise _invalid(f"its {name} is longer than {LONGEST_ATTRIBUTE} characters")
        attributes[name] = value
    if not _RFC3339.fullmatch(attributes["time"]):
        raise _invalid(f"its time is no RFC 3339 date and time: {attributes['time'][:40]}")
    return attributes | _extensions(fields)


def _extensions(fields: dict[str, Json]) -> dict[str, Json]:
    """The other attributes; null is as good as absent (JSON format, §2.2)."""
    extensions = {name: value for name, value in fields.items() if value is not None}
    for name, value in extensions.items():
        if not _ATTRIBUTE.fullmatch(name):
            raise _invalid(f"{name[:40]!r} is no attribute name (a-z, 0-9)")
        if not isinstance(value, (str, bool, int)):
            raise _invalid(f"the attribute {name} is neither text, nor a number, nor a truth value")
    return extensions


def _header_text(name: bytes, value: bytes) -> str:
    """A header's value, its percent-encoding undone (HTTP binding, §3.1.3.2)."""
    try:
        return unquote(value.decode("utf-8"), errors="strict")
    except UnicodeDecodeError:
        raise _invalid(f"the header {name.decode('latin-1')} is not UTF-8") from None


def _header_texts(request: Inbound) -> Mapping[str, str]:
    return {n.decode("latin-1"): v.decode("latin-1") for n, v in request.headers.items()}


def _text(value: Json, name: str) -> str:
    if isinstance(value, str):
        if len(value) > LONGEST_ATTRIBUTE:
            raise ExpressionFailed(f"`{name}` is longer than {LONGEST_ATTRIBUTE} characters")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ExpressionFailed(f"`{name}` is not text, but {kind_of(value)}")


def _time(value: Json) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = _text(value, "event.time")
    if not _RFC3339.fullmatch(text):
        raise ExpressionFailed(f"`event.time` is no RFC 3339 date and time: {text[:40]}")
    return text


def _invalid(what: str) -> BodyMalformed:
    return BodyMalformed(
        f"this is no CloudEvent: {what}", cure="send CloudEvents 1.0", code="cloudevent-invalid"
    )
