"""What `poll:` of a source may say: whom the gateway asks, because nobody posts."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gateway.config.endpoint_shapes import AuthShape, TlsShape, UrlReference
from gateway.config.quantities import Duration, Rate, Timeout, at_least
from gateway.config.shape import (
    HeaderName,
    SecretReference,
    Shape,
    text_or_mapping,
)
from gateway.core.model import SECOND

Every = Annotated[Duration, at_least(SECOND, "less than 1s", "60s")]
PollUrl = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[UrlReference, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]

OF_GETTY = frozenset({"key", "secret", "token_url", "batch"})
OF_HTTP = frozenset({"auth", "headers"})


class PollShape(Shape):
    """Whom the gateway asks, and how often."""

    preset: Literal["getty-asset-changes", "http"] = Field(examples=["getty-asset-changes"])
    """`getty-asset-changes`: what has changed among the assets of your agreement with Getty Images. `http`: any URL
    that answers GET."""
    url: PollUrl | None = Field(None, examples=["https://api.example.com/changes"])
    """Where; default of Getty's: `https://api.gettyimages.com`."""
    key: SecretReference | None = Field(None, examples=[{"env": "GETTY_API_KEY"}])
    """Getty's API key; default: `{env: GETTY_API_KEY}`."""
    secret: SecretReference | None = Field(None, examples=[{"env": "GETTY_API_SECRET"}])
    """Its secret; default: `{env: GETTY_API_SECRET}`."""
    token_url: str | None = Field(
        None, examples=["https://authentication.gettyimages.com/oauth2/token"]
    )
    """Where Getty gives tokens; default: where it does."""
    auth: AuthShape | None = Field(None, examples=[{"bearer": {"env": "FEED_TOKEN"}}])
    """With `http`: how the gateway identifies itself, as for endpoints."""
    headers: dict[HeaderName, SecretReference] = Field(
        default_factory=dict, examples=[{"X-Api-Key": {"env": "FEED_KEY"}}]
    )
    """With `http`: more secrets, in headers."""
    tls: TlsShape | None = Field(None, examples=[{"ca": {"file": "ca.pem"}}])
    """A client certificate, authorities of one's own."""
    every: Every = Field(60 * SECOND, examples=["60s"])
    """How often it is asked; at once again while more waits."""
    batch: int = Field(500, ge=1, le=2200, examples=[500])
    """So many changes are asked for at a time."""
    rate: Rate = Field((2, SECOND), examples=["2/s"])
    """Requests begin no faster, and evenly spaced."""
    timeout: Timeout = 20 * SECOND
    """For one request."""

    @model_validator(mode="after")
    def _fits_its_preset(self) -> "PollShape":
        others = (OF_GETTY if self.preset == "http" else OF_HTTP) & self.model_fields_set
        if others:
            raise PydanticCustomError(
                "poll-forms",
                "{keys} does nothing with `preset: {preset}`",
                {"keys": ", ".join(sorted(others)), "preset": self.preset, "cure": "remove it"},
            )
        if self.preset == "http" and self.url is None:
            raise PydanticCustomError(
                "missing-key", "it does not say whom to ask", {"cure": "add `url: https://…`"}
            )
        return self


Poll = Annotated[
    Annotated[Literal["getty-asset-changes"], Tag("<text>")]
    | Annotated[PollShape, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]
