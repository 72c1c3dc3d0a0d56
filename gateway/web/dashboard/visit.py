"""One request for a page: who looks, with which session, and what the address and the form say."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.core.access import Caller, Scope
from gateway.core.errors import BodyTooLarge, MediaTypeUnsupported, ParameterInvalid
from gateway.core.listing import Listed
from gateway.core.model import SECOND, Json, parse_delivery_id, rfc3339_moment
from gateway.core.register import Knowledge, Wondering
from gateway.web.asked import Asked, read_fields
from gateway.web.dashboard.render import Renderer
from gateway.web.dashboard.session import LIVE, Session
from gateway.web.surroundings import Surroundings

PAGE_SIZE = 50
LONGEST_LOOK = SECOND // 8
"""Where little fits, a page shows what was found by then."""
LARGEST_FORM = 2 * 1024 * 1024
"""An event that is pasted to be explained fits in."""
MOST_FIELDS = 100
FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Desk:
    """What pages are made from."""

    around: Surroundings
    renderer: Renderer


@dataclass(slots=True)
class Visit:
    """A request for a page, from someone who may."""

    desk: Desk
    request: Request
    session: Session
    caller: Caller
    form: Mapping[str, str]
    """Empty where the page is only looked at."""

    def may(self, scope: str) -> bool:
        """Whether that one may do what wants this scope."""
        return self.caller.may(Scope(scope))

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def asked(self, name: str) -> str:
        """A parameter of the address, without space around it; empty: it says nothing of it."""
        return self.request.query_params.get(name, "").strip()

    async def informed(self, explain: Callable[..., dict[str, Json]]) -> dict[str, Json]:
        """What *explain* tells, given what the register knows of what it asks about."""
        wondering = Wondering()
        told = explain(knowledge=wondering)
        if not wondering.looks:
            return told
        answers = await self.desk.around.register.look(list(wondering.looks))
        return explain(knowledge=Knowledge(answers))

    def page(self, template: str, status: int = 200, **context: Any) -> Response:
        """A page, with what all pages have."""
        return self.desk.renderer.page(
            template,
            status,
            visit=self,
            here=self.request.url.path,
            state=self.desk.around.status(),
            csrf=self.session.csrf,
            notices=[] if LIVE in self.request.headers else self.session.take_notices(),
            **context,
        )

    def done(self, notice: str, place: str | None = None) -> Response:
        """Back to *place*, or to where the form was, with a word on what it came to."""
        self.session.notices.append(notice)
        return RedirectResponse(place or local(self.form.get("back", ""), "/"), 303)

    def filters(self, kind: type[Asked]) -> dict[str, Any]:
        """What the address says of that, as a look-up takes it. Raises ParameterInvalid."""
        names = kind.model_fields.keys() - {"limit"}  # how much a page shows, it says itself
        given = filled({name: self.asked(name) for name in names})
        return read_fields(kind, given).model_dump(exclude_unset=True)

    def listing(self, kind: type[Asked]) -> dict[str, Any]:
        """The same for a page of a listing."""
        query = {**self.filters(kind), "limit": PAGE_SIZE}
        if cursor := query.get("cursor"):
            query["cursor"] = parse_delivery_id(cursor) or cursor
        return query

    async def leaf(
        self, ask: Callable[[Mapping[str, Any]], Awaitable[Listed]], query: Mapping[str, Any]
    ) -> Listed:
        """A page of what *ask* lists, and the next if it held little, for as long as nobody waits for it."""
        clock, limit = self.desk.around.clock, query["limit"]
        began = clock.monotonic()
        found = await ask(query)
        items = found.items
        while found.next and len(items) < limit and clock.monotonic() - began < LONGEST_LOOK:
            cursor = parse_delivery_id(found.next) or found.next
            found = await ask({**query, "cursor": cursor, "limit": limit - len(items)})
            items = items + found.items
        return Listed(items, found.next)

    def listed(
        self, template: str, found: Listed, query: Mapping[str, Any], **context: Any
    ) -> Response:
        """The page of a listing."""
        return self.page(
            template,
            items=found.items,
            older=self._older(found),
            newest=self._newest(),
            sought=query.keys() - {"limit", "cursor"},
            **context,
        )

    def _older(self, listed: Listed) -> str | None:
        """Where the next page of a listing is, if there may be one."""
        if listed.next is None:
            return None
        url = self.request.url.include_query_params(cursor=listed.next)
        return f"{url.path}?{url.query}"

    def _newest(self) -> str | None:
        """Where a listing begins; None: here."""
        if not self.asked("cursor"):
            return None
        url = self.request.url.remove_query_params("cursor")
        return f"{url.path}?{url.query}" if url.query else url.path


def filled(fields: Mapping[str, str]) -> dict[str, str]:
    """The fields that say something, as the API has them: a field for moments leaves out that it is UTC."""
    given = {name: value for name, value in fields.items() if value}
    for name in {"since", "until"} & given.keys():
        for more in (":00Z", "Z"):
            if rfc3339_moment(given[name] + more) is not None:
                given[name] += more
    return given


def local(place: str, otherwise: str) -> str:
    """*place* if it is a path of ours: a link must not lead on to somebody else's pages."""
    return place if place[:1] == "/" and place[1:2] not in ("/", "\\") else otherwise


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises MediaTypeUnsupported, BodyTooLarge or ParameterInvalid."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise MediaTypeUnsupported("this is no form", cure="use the page, or the API under /api/v1")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            raise BodyTooLarge(f"the form is larger than {LARGEST_FORM} bytes", cure="send less")
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            max_num_fields=MOST_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise ParameterInvalid("the form cannot be read", cure="send it from the page") from None
    return dict(fields)
