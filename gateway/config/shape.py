"""What every shape of a routes file is made from: names, references to secrets, and their base."""

from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from gateway.config.meanings import meanings
from gateway.core.model import Micros, rfc3339_moment
from gateway.core.verifying import MOST_SECRETS

NAME = r"^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
"""Of sources, endpoints and routes: it stands in URLs, metrics and logs."""

HEADER = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
HeaderName = Annotated[str, StringConstraints(pattern=HEADER)]

EXPRESSION = r"\$\{"
"""What has to be computed has a `${…}` in it."""
HANDLER = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"


class Shape(BaseModel):
    """Base of all: unknown keys are errors, and nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    stand_ins: ClassVar[dict[str, Any]] = {}
    """For required keys: what to go on with, where one is faulty, to check the others all the same."""
    excuses: ClassVar[dict[str, str]] = {}
    """Keys beside which another need not be there: that is not to be missed where one is faulty."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The schema, with what each field means."""
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in meanings(cls).items():
            if name in cls.model_fields:
                key = cls.model_fields[name].alias or name
                properties[key].setdefault("description", text)
        return schema


# A value of several forms is tagged by which of them it is: `<text>` or `<mapping>`. The brackets
# tell a tag from a key in the location of an error.


def text_or_mapping(value: Any) -> str:
    """The tag of a value that is text or a mapping, as written or as it was read."""
    return "<mapping>" if isinstance(value, dict | Shape) else "<text>"


def list_or_mapping(value: Any) -> str:
    """The tag of a value that is a list or a mapping."""
    return "<list>" if isinstance(value, list) else "<mapping>"


# -- secrets and references ----------------------------------------------------------------------------


def _moment(value: Any) -> Micros:
    """A moment in RFC 3339, as microseconds since the epoch."""
    moment = rfc3339_moment(value) if isinstance(value, str) else None
    if moment is None:
        raise PydanticCustomError(
            "not-a-moment",
            "{value} is no moment",
            {"value": repr(value), "cure": "write date, time and zone: 2026-12-01T00:00:00Z"},
        )
    return moment


Moment = Annotated[
    Micros,
    BeforeValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-12-01T00:00:00Z"]}),
]


class SecretReference(Shape):
    """Where a secret is kept. Secrets never stand in this file."""

    env: str | None = Field(None, min_length=1, examples=["GETTY_WEBHOOK_SECRET"])
    """The environment variable that holds it."""
    file: str | None = Field(None, min_length=1, examples=["secrets/getty"])
    """The file that holds it; relative to this file."""
    until: Moment | None = Field(None, examples=["2026-12-01T00:00:00Z"])
    """From this moment on it is no longer used: for rotation."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_literal(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise PydanticCustomError(
                "secret-literal",
                "a secret stands in the file itself",
                {
                    "cure": "refer to it as {env: NAME} or {file: PATH}, and replace the secret: it has been seen"
                },
            )
        return value

    @model_validator(mode="after")
    def _exactly_one(self) -> "SecretReference":
        if (self.env is None) == (self.file is None):
            raise PydanticCustomError(
                "secret-reference",
                "a secret's reference has to name one place",
                {"cure": "write {env: NAME} or {file: PATH}"},
            )
        return self


Secrets = Annotated[
    list[SecretReference],
    Field(
        min_length=1,
        max_length=MOST_SECRETS,
        examples=[[{"env": "GETTY_WEBHOOK_SECRET"}], [{"file": "secrets/getty"}]],
    ),
]


Condition = Annotated[str, StringConstraints(min_length=1)]
"""A bare CEL expression that is true or false."""


def _said(value: Any) -> Any:
    """An expression that is there with nothing behind it would be no condition at all."""
    if value is None:
        raise PydanticCustomError(
            "nothing-said",
            "there is nothing behind it",
            {"cure": "write an expression, or remove the key"},
        )
    return value


Said = BeforeValidator(_said)
