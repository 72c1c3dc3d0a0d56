"""What `poll:` of a source may say: whom the gateway asks, because nobody posts."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from gateway.config.endpoint_shapes import AuthShape, TlsShape, UrlReference
from gateway.config.quantities import Duration, Rate, Timeout, at_least
from gateway.config.shape import (
    EXPRESSION,
    HeaderName,
    Name,
    SecretReference,
    Shape,
    text_or_mapping,
)
from gateway.core.getty_images import FIELDS
from gateway.core.model import SECOND
from gateway.core.polling import Preset

Every = Annotated[Duration, at_least(SECOND, "less than 1s", "60s")]
PollUrl = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[UrlReference, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]

CHANGES, DOWNLOADS, PRODUCTS, HTTP = (
    "getty-asset-changes", "getty-downloads", "getty-products", "http",
)  # fmt: skip
GETTY = (CHANGES, DOWNLOADS, PRODUCTS)
KEYS_OF: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("key", "secret", "token_url"), GETTY),
    "batch": (CHANGES,),
    "enrich": (CHANGES,),
    "company": (DOWNLOADS,),
    "thresholds": (PRODUCTS,),
    "quota_percent": (PRODUCTS,),
    **dict.fromkeys(("auth", "headers", "cursor"), (HTTP,)),
}
"""Keys that do something with some presets only."""

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]
Days = Annotated[int, Field(ge=0, le=3650)]


class EnrichShape(Shape):
    """What is asked about assets that have changed, before their events are made."""

    policy: Literal["required", "optional"] = "required"
    """What becomes of changes while nothing can be learned of their assets: they wait, or go without."""
    fields: list[FieldName] = Field(
        default_factory=lambda: list(FIELDS),
        examples=[["title", "allowed_use", "license_model"]],
        min_length=1,
    )
    """Fields of Getty's to ask for; default: those that it recommends."""
    collection: Name | None = Field(None, examples=["asset"])
    """Of the register, in which a route remembers assets by their ids: events tell then what has changed."""


class CursorShape(Shape):
    """Up to where a feed was read."""

    value: str = Field(pattern=EXPRESSION, examples=["${body.next}"])
    """What of an answer says so; null: it stays as it was."""
    parameter: str = Field("cursor", pattern=r"^[A-Za-z0-9._~-]{1,100}$", examples=["after"])
    """Of the query, in which the next request says it."""


class PollShape(Shape):
    """Whom the gateway asks, and how often."""

    preset: Preset = Field(examples=["getty-asset-changes"])
    """`getty-asset-changes`: what has changed among the assets of your agreement with Getty Images. `getty-downloads`:
    what was downloaded there. `getty-products`: agreements that end, or of which little is left. `http`: any URL that
    answers GET."""
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
    every: Every | None = Field(None, examples=["60s"])
    """How often it is asked; at once again while more waits. Default: `60s`, downloads `15m`, products `1h`."""
    batch: int = Field(500, ge=1, le=2200, examples=[500])
    """So many changes are asked for at a time."""
    rate: Rate = Field((2, SECOND), examples=["2/s"])
    """Requests begin no faster, and evenly spaced."""
    timeout: Timeout = 20 * SECOND
    """For one request."""
    enrich: EnrichShape | None = Field(
        None, examples=[{"policy": "required", "collection": "asset"}]
    )
    """With `getty-asset-changes`: ask what Getty says of the images that have changed."""
    company: bool = False
    """With `getty-downloads`: those of everyone in the company, and not only of the key's own user."""
    thresholds: list[Days] = Field([90, 30, 14, 7, 1], examples=[[60, 14]], min_length=1)
    """With `getty-products`: so many days before the end of one that is told."""
    quota_percent: int = Field(10, ge=0, le=100, examples=[10])
    """With `getty-products`: where less than this of its downloads is left, that is told."""
    cursor: (
        Annotated[
            Annotated[str, Field(pattern=EXPRESSION), Tag("<text>")]
            | Annotated[CursorShape, Tag("<mapping>")],
            Discriminator(text_or_mapping),
        ]
        | None
    ) = Field(None, examples=["${body.next}"])
    """With `http`: what of an answer says up to where it goes; the next request has it in its query, as `cursor`."""

    @model_validator(mode="after")
    def _fits_its_preset(self) -> "PollShape":
        others = [
            key
            for key in self.model_fields_set
            if self.preset not in KEYS_OF.get(key, [self.preset])
        ]
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
    Annotated[Literal["getty-asset-changes", "getty-downloads", "getty-products"], Tag("<text>")]
    | Annotated[PollShape, Tag("<mapping>")],
    Discriminator(text_or_mapping),
]
