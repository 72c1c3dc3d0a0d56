"""URLs under which senders reach the gateway."""

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError


def public_url(value: Any) -> str:
    """A URL without a slash at its end, nor a query: what is behind it is the request's."""
    text = str(value)
    try:
        parts = urlsplit(text)
        fit = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fit = False
    if not fit or not text.isascii() or not text.isprintable() or set(text) & set("?#@ "):
        raise PydanticCustomError(
            "public-url",
            "{url} is no URL of the gateway, such as https://hooks.example.com",
            {"url": repr(text[:200]), "cure": "write scheme, host and path"},
        )
    return text.rstrip("/")


PublicUrl = Annotated[
    str, BeforeValidator(public_url), WithJsonSchema({"type": "string", "format": "uri"})
]
