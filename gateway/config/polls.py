"""`poll:` of a source: whom it asks, and how it identifies itself."""

from dataclasses import replace

from gateway.config.endpoint_shapes import AuthShape, EndpointShape, OAuth2Shape
from gateway.config.endpoints import build_endpoint, header_secret
from gateway.config.part import Part
from gateway.config.poll_shapes import PollShape
from gateway.config.shape import SecretReference
from gateway.core.model import SECOND
from gateway.core.polling import Poll

GETTY = "https://api.gettyimages.com"
GETTY_TOKENS = "https://authentication.gettyimages.com/oauth2/token"  # a URL
GETTY_KEY = SecretReference(env="GETTY_API_KEY")
GETTY_SECRET = SecretReference(env="GETTY_API_SECRET")
EARLY = 300 * SECOND
"""So long before its end a token of Getty's is renewed."""


def build_poll(name: str, shape: PollShape | str, part: Part) -> Poll | None:
    """The poll that *shape* describes; None where it cannot be built, which is noted."""
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
    if endpoint is None:
        return None
    oauth2 = endpoint.oauth2
    return Poll(
        preset=shape.preset,
        url=endpoint.url,
        headers={**headers, **endpoint.headers},
        oauth2=replace(oauth2, early=EARLY) if is_getty and oauth2 is not None else oauth2,
        tls=endpoint.tls,
        every=shape.every,
        batch=shape.batch,
        rate=shape.rate,
        timeout=shape.timeout,
    )


def _getty_auth(shape: PollShape, key: str) -> AuthShape:
    oauth2 = OAuth2Shape(
        token_url=shape.token_url or GETTY_TOKENS,
        client_id=key or "missing",
        client_secret=shape.secret or GETTY_SECRET,
        style="body",
    )
    return AuthShape(oauth2=oauth2)
