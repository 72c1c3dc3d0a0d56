"""What `handshake:` of a source may contain: a preset's name, or a request and its answer spelled out."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator
from pydantic_core import PydanticCustomError

from gateway.config.shape import HeaderName, Secrets, Shape, list_or_mapping
from gateway.config.verify_shapes import TokenVerify


class HmacShape(Shape):
    """A keyed hash that the sender wants to see: `hmac` in the answer's `${…}`."""

    of: str = Field(examples=["${body.payload.plainToken}"])
    """What is hashed."""
    hash: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    """The hash function."""
    encoding: Literal["hex", "base64", "base64url"] = "hex"
    """How the bytes are written."""
    secrets: Secrets | None = Field(None, examples=[[{"env": "ZOOM_SECRET_TOKEN"}]])
    """The key; default: the source's own secret."""


class RespondShape(Shape):
    """What the sender wants to hear. `${…}` sees `headers`, `query`, `body` and, where it is made, `hmac`."""

    status: int = Field(200, ge=200, le=299, examples=[204])
    """The status."""
    headers: dict[HeaderName, str] = Field(
        default_factory=dict, examples=[{"X-Hook-Secret": '${headers["x-hook-secret"]}'}]
    )
    """Headers."""
    text: str | None = Field(None, examples=["${body.challenge}"])
    """The body, as plain text."""
    json_: Any = Field(None, alias="json", examples=[{"verification": "${query.challenge}"}])
    """The body, as JSON."""

    @model_validator(mode="after")
    def _one_body(self) -> "RespondShape":
        if self.text is not None and self.json_ is not None:
            raise PydanticCustomError(
                "two-bodies", "there are two bodies", {"cure": "write `text:` or `json:`"}
            )
        return self


class HandshakePreset(Shape):
    """A handshake as a known sender does it."""

    preset: str = Field(examples=["slack"])
    """Its name."""
    secrets: Secrets | None = Field(None, examples=[[{"env": "META_VERIFY_TOKEN"}]])
    """The token that the handshake itself carries, where it does: Meta's verify token."""


class HandshakeShape(Shape):
    """A request that makes sure that someone expects the sender here, and its answer."""

    method: Literal["GET", "POST", "OPTIONS"] = "POST"
    """The request's method."""
    when: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None, examples=['body.type == "url_verification"']
    )
    """Whether a request is this one: a bare CEL expression over `headers`, `query` and `body`."""
    verify: Literal["source", "none"] | TokenVerify = Field(
        "source", examples=["none", {"scheme": "token", "query": "hub.verify_token",
                                     "secrets": [{"env": "META_VERIFY_TOKEN"}]}]
    )  # fmt: skip
    """How it is proven: as the source's events are, by a token of its own, or not at all."""
    hmac: HmacShape | None = Field(
        None, examples=[{"of": "${query.crc_token}", "encoding": "base64"}]
    )
    """A keyed hash for the answer."""
    keep: HeaderName | None = Field(None, examples=["X-Hook-Secret"])
    """A header with a new secret, which is put into the file of the source's secret: once."""
    respond: RespondShape = Field(examples=[{"text": "${body.challenge}"}])
    """The answer."""


def _form(value: Any) -> str:
    return "<preset>" if isinstance(value, dict) and "preset" in value else "<handshake>"


AnyHandshake = Annotated[
    Annotated[HandshakePreset, Tag("<preset>")] | Annotated[HandshakeShape, Tag("<handshake>")],
    Discriminator(_form),
]
HandshakesShape = Annotated[
    Annotated[AnyHandshake, Tag("<mapping>")]
    | Annotated[list[AnyHandshake], Field(min_length=1), Tag("<list>")],
    Discriminator(list_or_mapping),
]
