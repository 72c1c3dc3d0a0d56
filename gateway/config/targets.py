"""Where a route sends: its targets, groups written out, and what each of them sends."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

from gateway.config.endpoint_shapes import EndpointShape
from gateway.config.endpoints import event_expressions, item_expressions
from gateway.config.expressions import ExpressionInvalid, Expressions
from gateway.config.nearest import nearest
from gateway.config.part import Part
from gateway.config.schedules import answer_expressions, build_emits
from gateway.config.shapes import CallShape, TargetShape
from gateway.config.timing import build_timing, check_after, in_order
from gateway.core.calls import PreparedCall, path_of
from gateway.core.computed import Compute, Render
from gateway.core.errors import ExpressionFailed
from gateway.core.model import BodyForm, Json
from gateway.core.routes import Target
from gateway.core.sendable import name_fault

OWN_HEADERS = frozenset(
    {"host", "authorization", "content-type", "webhook-id", "webhook-timestamp", "webhook-signature",
     "idempotency-key"}
)  # fmt: skip
"""Headers that the gateway sets itself."""

PATH = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*", re.ASCII)
"""What a path may hold (RFC 3986, section 3.3)."""


@dataclass(frozen=True, slots=True)
class Places:
    """The endpoints that targets may name, as the files have them."""

    endpoints: Mapping[str, EndpointShape | None]
    """None: faulty, which has been noted."""

    def group(self, name: str) -> list[str]:
        """The endpoints of a group."""
        return [
            endpoint for endpoint, shape in self.endpoints.items() if shape and name in shape.groups
        ]

    @property
    def groups(self) -> list[str]:
        """The names of all groups."""
        return sorted({name for shape in self.endpoints.values() if shape for name in shape.groups})


def build_targets(
    shapes: Sequence[str | TargetShape],
    places: Places,
    part: Part,
    *,
    knows: bool = False,
    asks: bool = False,
) -> tuple[Target, ...]:
    """The targets of a route, which may ask the register, or people; what is wrong with them is noted."""
    targets: list[Target] = []
    names: set[str] = set()
    plain: set[str] = set()
    for i, each in enumerate(shapes):
        below = part.at(i)
        shape = TargetShape(endpoint=each) if isinstance(each, str) else each
        if shape.name is not None and shape.name in names:
            cure = "give each target a name of its own"
            below.at("name").fault("duplicate-name", f'there are two targets "{shape.name}"', cure)
        names.add(shape.name or "")
        for endpoint in _endpoints(each, shape, places, below):
            if not shape.model_fields_set - {"endpoint", "group"}:
                if endpoint in plain:
                    what = f'"{endpoint}" stands twice'
                    cure = "remove one: it would get each event twice"
                    (below if isinstance(each, str) else below.at("endpoint")).fault(
                        "duplicate-target", what, cure
                    )
                plain.add(endpoint)
            endpoint_shape = places.endpoints[endpoint]
            targets.append(_target(shape, endpoint, endpoint_shape, below, knows=knows, asks=asks))
    check_after(shapes, part)
    _check_emits(targets, part)
    return in_order(targets, part)


def _check_emits(targets: Sequence[Target], part: Part) -> None:
    """Of several targets by one name it could not be told whose answer has come."""
    places = Counter((target.name, target.endpoint) for target in targets)
    for target in targets:
        if target.emit and places[target.name, target.endpoint] > 1:
            what = f"there are several targets for {target.endpoint}, and one has `emit`"
            part.fault("emit-target", what, "give these targets names: `name: …`")
            return


def _endpoints(
    each: str | TargetShape, shape: TargetShape, places: Places, part: Part
) -> list[str]:
    """The endpoints that a target stands for; one that is not known is noted."""
    if shape.group is not None:
        members = places.group(shape.group)
        if not members:
            what = f'no endpoint is in the group "{shape.group}"'
            part.at("group").fault("unknown-group", what, nearest(shape.group, places.groups))
        return members
    name = shape.endpoint or ""
    if name in places.endpoints:
        return [name]
    place = part if isinstance(each, str) else part.at("endpoint")
    cure = nearest(name, list(places.endpoints))
    if name in places.groups:
        cure = f"it is a group: write `{{group: {name}}}`"
    place.fault("unknown-endpoint", f'there is no endpoint "{name}"', cure)
    return []


def _target(
    shape: TargetShape,
    endpoint: str,
    endpoint_shape: EndpointShape | None,
    part: Part,
    *,
    knows: bool,
    asks: bool,
) -> Target:
    of_event = event_expressions(knows=knows, asks=asks)
    expressions = of_event if shape.each is None else item_expressions(knows=knows, asks=asks)
    form, render = None, None
    if shape.call is not None:
        form, render = BodyForm.CALL, build_call(shape.call, expressions, part.at("call"))
    elif shape.with_ is not None:
        form, render = BodyForm.ARGUMENTS, _arguments(shape.with_, expressions, part.at("with"))
    _check_sending(shape, endpoint_shape, part)
    return Target(
        endpoint=endpoint,
        name=shape.name,
        when=None if shape.when is None else part.at("when").condition(shape.when, expressions),
        each=None if shape.each is None else part.at("each").compute(shape.each, of_event),
        form=form,
        render=render,
        timing=build_timing(shape, endpoint_shape, expressions, part),
        emit=build_emits(shape.emit, answer_expressions(), part.at("emit")),
        written=written(when=shape.when, each=shape.each),
    )


def written(**texts: str | None) -> Mapping[str, str]:
    """Those expressions that there are, as they read in the file."""
    return {name: text for name, text in texts.items() if text is not None}


def _check_sending(shape: TargetShape, endpoint: EndpointShape | None, part: Part) -> None:
    """What a target says has to fit how its endpoint sends."""
    if shape.each is not None and shape.call is None and shape.with_ is None:
        cure = "add `call: …` or `with: …`, which see `item`"
        part.at("each").fault(
            "each-alike", "every item would be sent the same event", cure, key=True
        )
    if endpoint is None:
        return
    if shape.with_ is not None and endpoint.handler is None:
        what = "`with` is for a handler, and this endpoint has none"
        part.at("with").fault("with-nobody", what, "add `handler:` to it, or use `call:`", key=True)
    elif endpoint.handler is not None and shape.call is None:
        _check_arguments(shape, endpoint.handler, part)


def _check_arguments(shape: TargetShape, handler: str, part: Part) -> None:
    if part.around.find_handler(handler, None):
        return  # noted with the endpoint
    fault = part.around.find_handler(handler, tuple(shape.with_ or ()))
    if fault:
        place = part.at("with") if shape.with_ else part
        place.fault("handler-arguments", fault, "see docs/handlers.md")


def _arguments(given: Mapping[str, Json], expressions: Expressions, part: Part) -> Render | None:
    for name in given:
        if not name.isidentifier():
            what = f'"{name}" cannot be the name of an argument'
            part.at(name).fault("handler-arguments", what, "use letters, digits and _", key=True)
    compute = part.compute(dict(given), expressions)
    return None if compute is None else rendered(compute, "with")


def rendered(compute: Compute, what: str) -> Render:
    """What computes the JSON of a template as bytes."""

    def render(variables: Mapping[str, Json]) -> bytes:
        try:
            return orjson.dumps(compute(variables))
        except TypeError as error:
            raise ExpressionFailed(f"`{what}` is nothing that JSON can hold: {error}") from None

    return render


# -- calls ---------------------------------------------------------------------------------------------


def build_call(shape: CallShape, expressions: Expressions, part: Part) -> Render | None:
    """What renders a call to what is kept of it; None where it does not compile, which is noted."""
    path = _path(shape.path, expressions, part.at("path"))
    query = part.at("query").compute(dict(shape.query), expressions)
    headers = _headers(shape.headers, expressions, part.at("headers"))
    body = None
    if "json_" in shape.model_fields_set:
        compute = part.at("json").compute(shape.json_, expressions)
        body = None if compute is None else rendered(compute, "json")
    if path is None or query is None or headers is None:
        return None

    def render(variables: Mapping[str, Json]) -> bytes:
        sent = headers(variables)
        content = b""
        if body is not None:
            content = body(variables)
            sent["content-type"] = "application/json"
        return PreparedCall(
            method=shape.method,
            path=path(variables),
            query=_encoded(query(variables)),
            headers=sent,
            body=content,
        ).packed()

    return render


def _path(
    text: str, expressions: Expressions, part: Part
) -> Callable[[Mapping[str, Json]], str] | None:
    try:
        pieces = expressions.pieces(text)
        literals = expressions.literals(text)
    except ExpressionInvalid as error:
        part.fault("expression", error.what, error.cure)
        return None
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        cure = "write what follows the endpoint's `url`, such as `/x`; another host is another endpoint"
        part.fault("call-path", "it is a whole URL", cure)
    elif not all(map(PATH.fullmatch, literals)):
        cure = "encode it, and write a query under `query:`"
        part.fault("call-path", "it holds what no path can hold", cure)
    elif {".", ".."} & set("".join(literals).split("/")):
        part.fault("call-path", "it leads out of the endpoint's URL", "write it without `..`")
    return lambda variables: path_of(pieces(variables))


def _headers(
    templates: Mapping[str, str], expressions: Expressions, part: Part
) -> Callable[[Mapping[str, Json]], dict[str, str]] | None:
    for name in templates:
        if name.lower() in OWN_HEADERS:
            what, cure = (
                f"the gateway sets {name} itself",
                "remove it; secrets belong under `auth:`",
            )
            part.at(name).fault("call-header", what, cure, key=True)
        elif fault := name_fault(name.lower()):
            part.at(name).fault("call-header", fault, "remove it", key=True)
    try:
        compute = {name.lower(): expressions.pieces(text) for name, text in templates.items()}
    except ExpressionInvalid as error:
        part.fault("expression", error.what, error.cure)
        return None

    def headers(variables: Mapping[str, Json]) -> dict[str, str]:
        made = {}
        for name, pieces in compute.items():
            value = "".join(piece for piece, _ in pieces(variables))
            if not value.isprintable():
                raise ExpressionFailed(f"the header {name} would hold control characters")
            made[name] = value
        return made

    return headers


def _encoded(query: Mapping[str, Json]) -> str:
    """A query as it stands in a URL. Raises ExpressionFailed where a value cannot stand there."""
    pairs = []
    for name, value in query.items():
        for each in value if isinstance(value, list) else [value]:
            if each is None:
                continue
            if isinstance(each, (dict, list)):
                raise ExpressionFailed(f"`query.{name}` is neither text nor a number")
            pairs.append((name, str(each).lower() if isinstance(each, bool) else str(each)))
    return urlencode(pairs)
