"""One call to the admin API: who calls, and what was asked, read and checked."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

from starlette.datastructures import Headers
from starlette.responses import Response

from gateway.core.access import Caller
from gateway.core.model import Json
from gateway.exact import dumps
from gateway.web.asked import Asked, sought
from gateway.web.surroundings import Surroundings

Kind = TypeVar("Kind", bound=Asked)


@dataclass
class Call:
    """A call by someone who may."""

    around: Surroundings
    caller: Caller
    action: str
    """What the audit log calls it."""
    part: str
    """What stands for `{id}` or `{name}` in the path."""
    query: Asked
    body: Asked | None
    headers: Headers = field(repr=False)

    @cached_property
    def filters(self) -> dict[str, Json]:
        """What the parameters say."""
        return sought(self.query)

    def given(self, kind: type[Kind]) -> Kind:
        """The body, which is of that kind."""
        if not isinstance(self.body, kind):
            raise TypeError(kind)
        return self.body


def json_answer(value: Json, status: int = 200, etag: str | None = None) -> Response:
    """An answer in JSON."""
    headers = None if etag is None else {"etag": etag}
    return Response(dumps(value), status, headers, media_type="application/json")
