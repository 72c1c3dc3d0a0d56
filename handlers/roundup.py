"""Open an issue in a Roundup tracker, once for each matter; comment on it, and resolve it.

    workflow:
      url: https://tracker.example.com/rights/rest/data
      auth: {basic: {user: gateway, password: {file: secrets/roundup}}}
      handler: handlers.roundup:open_issue

A route says which site the tracker is at, as Roundup wants to be told, and what else an issue needs:

    with: {origin: "https://tracker.example.com", fields: {priority: urgent}}

Roundup takes the same issue any number of times. A word that is derived from the event's subject stands
in the title and is looked for first, among issues whose status is open (those of Roundup's classic
template, or `statuses`); a comment has a `messageid` of the event's id. An issue is changed by its
ETag: where another change came first (412), the next attempt reads it anew.

https://www.roundup-tracker.org/docs/rest.html
"""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from gateway import Endpoint, Event, Response, Skip
from handlers.answers import Api
from handlers.lookup import at
from handlers.rights import about, key
from handlers.wording import report, summary

API = Api(vendor="Roundup", message="error.msg", reset="x-ratelimit-reset")
OPEN = ("unread", "deferred", "chatting", "need-eg", "in-progress", "testing")


async def open_issue(
    event: Event,
    endpoint: Endpoint,
    *,
    origin: str,
    fields: Mapping[str, object] | None = None,
    statuses: Sequence[str] = OPEN,
) -> Response:
    """Open an issue about the event's subject, unless one is open."""
    tracker = _Tracker(endpoint, origin)
    if found := await tracker.find("issue", title=key(event), status=",".join(statuses)):
        raise Skip(f"issue {found} is open already")
    issue = {"title": f"{summary(event)} [{key(event)}]", "status": statuses[0], **(fields or {})}
    return await tracker.ask("POST", "/issue", issue)


async def comment(
    event: Event,
    endpoint: Endpoint,
    *,
    origin: str,
    author: str = "gateway",
    statuses: Sequence[str] = OPEN,
) -> Response:
    """Add what the event says to the open issue, once. *author* is the endpoint's user in Roundup."""
    tracker, own = _Tracker(endpoint, origin), f"<{event.id}@rights-gateway>"
    issue = await tracker.open_issue(event, statuses)
    message = await tracker.find("msg", messageid=own)
    if not message:
        said = {"content": report(event), "messageid": own, "author": author}
        message = str(at((await tracker.ask("POST", "/msg", said)).json(), "data.id"))
    # To add what an issue has already changes nothing.
    return await tracker.change(issue, {"@op": "add", "messages": [message]})


async def resolve_issue(
    event: Event, endpoint: Endpoint, *, origin: str, statuses: Sequence[str] = OPEN
) -> Response:
    """Resolve the open issue about the event's subject."""
    tracker = _Tracker(endpoint, origin)
    issue = await tracker.open_issue(event, statuses)
    return await tracker.change(issue, {"@op": "replace", "status": "resolved"})


class _Tracker:
    """Roundup, with the headers that it wants of every program."""

    def __init__(self, endpoint: Endpoint, origin: str) -> None:
        self._endpoint = endpoint
        self._headers = {"x-requested-with": "rest", "origin": origin.rstrip("/")}

    async def ask(self, method: str, path: str, json: object = None, etag: str = "") -> Response:
        headers = {**self._headers, "if-match": etag} if etag else self._headers
        return API.expect(await self._endpoint.request(method, path, json=json, headers=headers))

    async def find(self, kind: str, **query: str) -> str:
        """The number of the first that fits; empty where none does."""
        answer = await self.ask("GET", f"/{kind}?{urlencode({**query, '@page_size': 1})}")
        return str(at(answer.json(), "data.collection.0.id") or "")

    async def open_issue(self, event: Event, statuses: Sequence[str]) -> str:
        if found := await self.find("issue", title=key(event), status=",".join(statuses)):
            return found
        raise Skip(f"no issue about {about(event)} is open")

    async def change(self, issue: str, change: dict[str, object]) -> Response:
        etag = (await self.ask("GET", f"/issue/{issue}")).headers.get("etag", "")
        return await self.ask("PATCH", f"/issue/{issue}", change, etag)
