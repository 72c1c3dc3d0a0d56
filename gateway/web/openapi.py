"""The API's own description, OpenAPI 3.1, made of the table of paths (https://spec.openapis.org/oas/v3.1.1)."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from gateway import __version__
from gateway.core.access import Scope
from gateway.core.errors import (
    BodyTooLarge,
    CrossOrigin,
    GatewayError,
    MediaTypeUnsupported,
    Misdirected,
    ParameterInvalid,
    ScopeMissing,
    Unauthorised,
)
from gateway.core.model import Json
from gateway.web.asked import LONGEST_TEXT, Asked
from gateway.web.errors import PROBLEM_TYPE, TYPE, status_of
from gateway.web.paths import JSON, PATHS, Path
from gateway.web.shapes import COMPONENTS, TEXT, named, shape

EVERYWHERE: tuple[type[GatewayError], ...] = (
    Misdirected,
    Unauthorised,
    ScopeMissing,
    ParameterInvalid,
)
OF_CHANGES: tuple[type[GatewayError], ...] = (CrossOrigin,)
OF_BODIES: tuple[type[GatewayError], ...] = (BodyTooLarge, MediaTypeUnsupported)

ABOUT = """\
What operators and their tools may see and do. Every error is `application/problem+json` (RFC 9457) with a
stable `code`; docs/errors.md explains each. What is no proper request is refused with such a problem before
it comes to a path: 400, 408, 414, 431, 503; an unknown path with 404, another method with 405 and `Allow`.

A listing comes in pages: `next` of one is the `cursor` of the following; it is null at the end. Names that
are unknown, or given twice, are refused.

`Authorization: Bearer TOKEN` names the caller. Each path wants one scope, which stands beside it: `read`,
`payload`, `operate` or `admin`, which may do everything. A gateway on loopback without a file of tokens
asks for none.
"""


def document() -> dict[str, Json]:
    """All of it."""
    schemas: dict[str, Json] = {"Problem": _problem(), **COMPONENTS}
    paths: dict[str, Json] = {}
    for each in PATHS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rights-gateway", "version": __version__, "description": ABOUT},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _problem() -> Json:
    code = {"type": "string", "pattern": "^[a-z][a-z0-9-]*$"}
    return {
        **shape(
            type={"type": "string", "pattern": f"^{TYPE}"},
            title=TEXT,
            status={"type": "integer"},
            detail=TEXT,
            instance={"type": "string", "pattern": "^urn:uuid:"},
            code=code,
        ),
        "description": "RFC 9457",
    }


def _operation(path: Path, schemas: dict[str, Json]) -> Json:
    operation: dict[str, Json] = {
        "operationId": path.name,
        "summary": path.about,
        "parameters": [
            *_parts(path.path),
            *_parameters(path.query, schemas),
            *_condition(path.condition),
        ],
        "security": [{"token": [path.scope.value]}],
        "description": f"Wants the scope `{path.scope}`."
        + (f" Without `{Scope.PAYLOAD}`, contents are left out." if _has_contents(path) else ""),
        "responses": {**_answers(path), **_errors(path)},
    }
    if path.body is not None:
        schema = _adopted(path.body, schemas)
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    return operation


def _has_contents(path: Path) -> bool:
    """Whether some of it is only for those who may see contents."""
    return path.scope is Scope.READ and path.path.startswith(
        ("/api/v1/events/", "/api/v1/inbox", "/api/v1/deliveries/{id}")
    )


def _parts(path: str) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", path):
        schema = {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_TEXT,
            "pattern": r"^[^\u0000/]+$",
        }
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _condition(header: str) -> Iterator[Json]:
    if header:
        about = "An `ETag` that an answer had; left out, nothing is compared."
        yield {"name": header, "in": "header", "schema": TEXT, "description": about}


def _parameters(kind: type[Asked], schemas: dict[str, Json]) -> Iterator[Json]:
    described: Any = _inlined(kind, schemas)
    required = described.get("required", [])
    for name, schema in described.get("properties", {}).items():
        about = schema.pop("description", None)
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _not_null(schema),
            **({"description": about} if about else {}),
        }


def _not_null(schema: dict[str, Json]) -> Json:
    """A parameter is left out, never null."""
    schema = {name: value for name, value in schema.items() if name != "title"}
    if "anyOf" not in schema:
        return schema
    (left,) = (each for each in schema["anyOf"] if each != {"type": "null"})
    return left


def _adopted(kind: type[Asked], schemas: dict[str, Json]) -> Json:
    """The schema of a model, its own and those within it among the components."""
    schemas[kind.__name__] = _inlined(kind, schemas)
    return named(kind.__name__)


def _inlined(kind: type[Asked], schemas: dict[str, Json]) -> Json:
    described: Json = kind.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(described.pop("$defs", {}))
    return described


def _answers(path: Path) -> dict[str, Json]:
    return {
        str(status): {"description": answer.about}
        if answer.schema is None
        else _content(answer.about, answer.schema, answer.media_type)
        for status, answer in path.answers.items()
    }


def _errors(path: Path) -> dict[str, Json]:
    """Of each status that is an error, the codes that it may come with."""
    kinds = [*EVERYWHERE, *path.errors]
    if path.method == "POST":
        kinds += OF_CHANGES
    if path.body is not None:
        kinds += OF_BODIES
    codes: dict[int, set[str]] = {}
    for kind in kinds:
        for each in _with_subclasses(kind):
            codes.setdefault(status_of(each), set()).add(each.code)
    told = {
        str(status): _error(sorted(found))
        for status, found in sorted(codes.items())
        if status not in path.answers
    }
    return {**told, "500": _content("a fault of the gateway, or of its disk", named("Problem"))}


def _with_subclasses(kind: type[GatewayError]) -> Iterable[type[GatewayError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _with_subclasses(each)


def _error(codes: list[str]) -> Json:
    narrowed = {"properties": {"code": {"enum": codes}}}
    return _content(
        ", ".join(f"`{code}`" for code in codes), {"allOf": [named("Problem"), narrowed]}
    )


def _content(about: str, schema: Json, media_type: str = PROBLEM_TYPE) -> Json:
    return {"description": about, "content": {media_type: {"schema": schema}}}
