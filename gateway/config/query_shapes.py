"""What a query of routes.yaml may say: what callers may ask of an endpoint at once."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag
from pydantic_core import PydanticCustomError

from gateway.config.quantities import Duration, Rate, Size
from gateway.config.shape import Secrets, Shape

LARGEST_ANSWER = 8 * 1024 * 1024

Parameter = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.~-]{1,64}(\[\])?$")]
Origin = Annotated[
    str, StringConstraints(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$|^https?://\[[0-9a-f:]+\](:[0-9]{1,5})?$")
]  # fmt: skip


def _at_most_8_mib(size: int) -> int:
    if not 0 < size <= LARGEST_ANSWER:
        cure = {"cure": "write 1B at least, and 8MiB at most; ask for less at once"}
        raise PydanticCustomError("answer-size", "answers of that size are not passed on", cure)
    return size


def _callers_form(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<text>"


class QueryShape(Shape):
    """A question that callers may ask of an endpoint: GET /q/NAME."""

    stand_ins: ClassVar[dict[str, Any]] = {"endpoint": "stand-in", "callers": "anyone"}

    endpoint: str = Field(min_length=1, examples=["getty"])
    """The endpoint that is asked: its URL, authentication, TLS, timeout and concurrency hold here too."""
    path: str = Field("", examples=["/v3/search/images/creative"])
    """Appended to the endpoint's URL."""
    parameters: list[Parameter] = Field(
        default_factory=list, examples=[["phrase", "page", "orientations[]"]]
    )
    """What callers may send, and nothing else; `NAME[]` may come more than once, as `NAME`."""
    fixed: dict[str, str] = Field(default_factory=dict, examples=[{"fields": "id,title,thumb"}])
    """What is always sent."""
    callers: (
        Annotated[
            Annotated[Literal["anyone"], Tag("<text>")] | Annotated[Secrets, Tag("<list>")],
            Discriminator(_callers_form),
        ]
        | None
    ) = Field(None, examples=[[{"env": "PORTAL_TOKEN"}], "anyone"])
    """The bearer tokens of those who may ask; `anyone` must be spelled out."""
    cache: Duration = Field(0, examples=["10m"])
    """For how long an answer is given again to who asks the same. Default: each is asked for anew."""
    stale: Duration = Field(0, examples=["1h"])
    """For how much longer an answer stands in while the endpoint fails, or cannot be asked."""
    rate: Rate | None = Field(None, examples=["5/s"])
    """So often the endpoint is asked at most, by all callers together."""
    max_answer: Annotated[Size, AfterValidator(_at_most_8_mib)] = 1024 * 1024
    """Longer answers are not passed on. At most 8MiB."""
    origins: list[Origin] = Field(default_factory=list, examples=[["https://portal.example.com"]])
    """Whose pages may ask from a browser (CORS). Default: none."""
    owner: str | None = Field(None, examples=["portal-team"])
    """Who to ask about it."""
