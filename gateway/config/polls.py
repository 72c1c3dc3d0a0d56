"""`poll:` of a source: whom it asks, and how it identifies itself."""

from collections.abc import Mapping
from dataclasses import replace

from gateway.config.endpoint_shapes import AuthShape, EndpointShape, OAuth2Shape
from gateway.config.endpoints import build_endpoint, header_secret
from gateway.config.expressions import Expressions
from gateway.config.part import Part
from gateway.config.poll_shapes import CursorShape, EnrichShape, PollShape
from gateway.config.shape import SecretReference
from gateway.core.model import SECOND, Micros
from gateway.core.polling import Cursor, Enrich, Poll, Preset

GETTY = "https://api.gettyimages.com"
GETTY_TOKENS = "https://authentication.gettyimages.com/oauth2/token"  # a URL
GETTY_KEY = SecretReference(env="GETTY_API_KEY")
GETTY_SECRET = SecretReference(env="GETTY_API_SECRET")
EARLY = 300 * SECOND
"""So long before its end a token of Getty's is renewed."""
EVERY: Mapping[Preset, Micros] = {
    "getty-asset-changes": 60 * SECOND,
    "getty-downloads": 900 * SECOND,
    "getty-products": 3600 * SECOND,
    "http": 60 * SECOND,
}


def build_poll(
    name: str, shape: PollShape | str, part: Part, expressions: Expressions
) -> Poll | None:
    """The poll that *shape* describes; None where it cannot be built, which is noted.

    *expressions* see an answer.
    """
    if isinstance(shape, str):
        shape = PollShape.model_validate({"preset": shape})
    is_getty = shape.preset != "http"
    key = (
        # Only Getty gives one: with a made-up key each call would be refused.
        header_secret(shape.key or GETTY_KEY, part.at("key") if shape.key else part, "given")
        if is_getty
        else ""
    )
    headers = {
        header.lower(): header_secret(value, part.at("headers", header))
        for header, value in shape.headers.items()
    }
    if is_getty:
        headers["api-key"] = key
    endpoint = build_endpoint(
        name, EndpointShape(
            url=shape.url or GETTY, sign="none", tls=shape.tls,
            auth=_getty_auth(shape, key) if is_getty else shape.auth,
        ), part,
    )  # fmt: skip
    cursor = None if shape.cursor is None else _cursor(shape.cursor, part.at("cursor"), expressions)
    if endpoint is None:
        return None
    oauth2 = endpoint.oauth2
    return Poll(
        preset=shape.preset,
        url=endpoint.url,
        headers={**headers, **endpoint.headers},
        oauth2=replace(oauth2, early=EARLY) if is_getty and oauth2 is not None else oauth2,
        tls=endpoint.tls,
        every=EVERY[shape.preset] if shape.every is None else shape.every,
        batch=shape.batch,
        rate=shape.rate,
        timeout=shape.timeout,
        enrich=None if shape.enrich is None else _enrich(shape.enrich),
        company=shape.company,
        thresholds=tuple(sorted(set(shape.thresholds))),
        quota_percent=shape.quota_percent,
        cursor=cursor,
    )


def _enrich(shape: EnrichShape) -> Enrich:
    return Enrich(
        required=shape.policy == "required",
        fields=tuple(dict.fromkeys(("id", *shape.fields))),
        collection=shape.collection,
    )


def _cursor(shape: CursorShape | str, part: Part, expressions: Expressions) -> Cursor | None:
    """None where it does not compile, which is noted."""
    if isinstance(shape, str):
        shape = CursorShape(value=shape)
    else:
        part = part.at("value")
    value = part.compute(shape.value, expressions)
    if value is None:
        return None
    return Cursor(parameter=shape.parameter, template=shape.value, value=value)


def _getty_auth(shape: PollShape, key: str) -> AuthShape:
    oauth2 = OAuth2Shape(
        token_url=shape.token_url or GETTY_TOKENS,
        client_id=key or "missing",
        client_secret=shape.secret or GETTY_SECRET,
        style="body",
    )
    return AuthShape(oauth2=oauth2)
