"""Handlers: the client that they are given, and what their ways of ending mean."""

import asyncio
import json as jsonlib
import traceback
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from hashlib import sha256
from urllib.parse import quote, unquote, urldefrag, urlencode, urljoin

from gateway.core.calls import joined
from gateway.core.errors import (
    RetryLater,
    Skip,
    StoreUnavailable,
    Unanswered,
    Undeliverable,
    Unsuccessful,
)
from gateway.core.model import (
    SECOND,
    Accepted,
    Call,
    CallRecord,
    Delivery,
    Hopeless,
    Json,
    Micros,
    Outcome,
    Postponed,
    Raised,
    Refused,
    Response,
    Skipped,
    Unreachable,
)
from gateway.core.retry import never_sent
from gateway.core.routes import EndpointConfig
from gateway.core.tracing import Context, departing
from gateway.ports import LARGEST_FILE_BYTES, ActStore, Clock, Handler, Sender

UNQUOTED = "/?:@!$&'()*+,;=~%-._"
"""What may stand in a path as it is (RFC 3986 §3.3), and `?` and `%`, for those who encode themselves."""

MOST_REDIRECTS = 3
"""So many are followed on the way to a file."""

REDIRECTS = frozenset({301, 302, 303, 307, 308})


class BoundEndpoint:
    """An HTTP client for one delivery's handler; see `ports.Endpoint`.

    *sender* may add what proves who we are at the endpoint; *fetcher* adds nothing.
    """

    def __init__(
        self,
        endpoint: EndpointConfig,
        delivery: Delivery,
        sender: Sender,
        clock: Clock,
        *,
        acts: ActStore,
        fetcher: Sender,
        span: Context | None = None,
    ) -> None:
        """Its calls carry the trace context of the event, or *span* in it."""
        self._trace = departing(delivery.event.attributes, span)
        self._endpoint = endpoint
        self._delivery = delivery
        self._sender = sender
        self._fetcher = fetcher
        self._clock = clock
        self._acts = acts
        self._acting = False
        """Whether an act was begun: what is sent from now on is sent once."""
        self.calls: list[CallRecord] = []
        """Every request made, in order."""

    @property
    def name(self) -> str:
        """The endpoint's name in routes.yaml."""
        return self._endpoint.name

    @property
    def idempotency_key(self) -> str:
        """The delivery's id: the same on each attempt at it."""
        return self._delivery.id

    def secret(self, name: str) -> str:
        """A secret of this endpoint. Raises Undeliverable where routes.yaml has none so named."""
        try:
            return self._endpoint.secrets[name].reveal()
        except KeyError:
            raise Undeliverable(
                f"the handler wants a secret {name}: add it under `secrets:` of {self.name}"
            ) from None

    async def request(
        self,
        method: str,
        path: str = "",
        *,
        json: Json = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Response:
        """The endpoint's answer, whatever its status. Raises Unanswered where none came."""
        sent = {**self._trace, **self._endpoint.headers}
        if json is not None:
            body = jsonlib.dumps(json, ensure_ascii=False, separators=(",", ":")).encode()
            sent["content-type"] = "application/json"
        content = body or b""
        url = self._url(path, query)
        call_id = self._call_id(method, url, content)
        sent["idempotency-key"] = call_id
        if self._endpoint.keys:
            now = self._clock.now()
            sent.update(self._endpoint.signature(call_id, now, content, method))
        sent.update({name.lower(): value for name, value in (headers or {}).items()})
        call = Call(
            method=method,
            url=url,
            headers=sent,
            body=content,
            timeout=self._endpoint.timeout,
            tls=self._endpoint.tls,
            only_once=self._acting,
        )
        return await self._answered(call, self._sender)

    async def get(self, path: str = "", *, query: Mapping[str, str] | None = None) -> Response:
        """`request` with GET."""
        return await self.request("GET", path, query=query)

    async def post(self, path: str = "", *, json: Json = None) -> Response:
        """`request` with POST."""
        return await self.request("POST", path, json=json)

    async def put(self, path: str = "", *, json: Json = None) -> Response:
        """`request` with PUT."""
        return await self.request("PUT", path, json=json)

    async def patch(self, path: str = "", *, json: Json = None) -> Response:
        """`request` with PATCH."""
        return await self.request("PATCH", path, json=json)

    async def delete(self, path: str = "") -> Response:
        """`request` with DELETE."""
        return await self.request("DELETE", path)

    async def begin_act(self, key: str) -> timedelta | None:
        """Write down that what may not be repeated is about to be done; see `ports.Endpoint`."""
        now = self._clock.now()
        with _written_down():
            begun_at = await self._acts.begin_act(self._delivery, key, now)
        if begun_at is not None:
            return timedelta(microseconds=max(0, now - begun_at))
        self._acting = True
        return None

    async def act_failed(self, key: str) -> None:
        """The act that was begun was certainly not done: it may be begun again."""
        with _written_down():
            await self._acts.take_back_act(self._delivery, key)

    async def fetch(
        self, url: str, *, max_bytes: int = LARGEST_FILE_BYTES, types: Collection[str] = ()
    ) -> Response:
        """A file from any URL that the egress policy allows; see `ports.Endpoint`."""
        answer = await self._file(url, max_bytes)
        redirects = 0
        while answer.status in REDIRECTS and "location" in answer.headers:
            redirects += 1
            if redirects > MOST_REDIRECTS:
                raise Undeliverable(f"{url} is redirected more than {MOST_REDIRECTS} times")
            # Each is a request of its own, and so the egress policy is asked about its address.
            at = urldefrag(urljoin(self.calls[-1].url, answer.headers["location"])).url
            answer = await self._file(at, max_bytes)
        if answer.ok:
            _check_file(url, answer, max_bytes, types)
        return answer

    async def _file(self, url: str, max_bytes: int) -> Response:
        """What is at *url*: nothing of the endpoint goes there, for it may be anyone's."""
        call = Call(
            method="GET",
            url=url,
            headers={"accept-encoding": "identity"},
            body=b"",
            timeout=self._endpoint.timeout,
            most_bytes=max_bytes + 1,
        )
        return await self._answered(call, self._fetcher)

    async def _answered(self, call: Call, sender: Sender) -> Response:
        """The answer to *call*, which is recorded in any case. Raises Unanswered."""
        began = self._clock.monotonic()
        outcome = await sender.send(call)
        self.calls.append(call_record(call, outcome, self._clock.monotonic() - began))
        if isinstance(outcome, (Accepted, Refused)):
            return outcome.response
        assert isinstance(outcome, Unreachable)  # noqa: S101  # a Sender knows no other
        raise Unanswered(outcome.reason, outcome.detail, sent=not never_sent(outcome.reason))

    def _url(self, path: str, query: Mapping[str, str] | None) -> str:
        """The endpoint's URL with *path* appended: never another host, whatever *path* holds."""
        if _leads_out(path.partition("?")[0]):
            raise Undeliverable(f"the path {path!r} would lead out of {self.name}'s URL")
        path, _, own_query = quote(path.lstrip("/"), safe=UNQUOTED).partition("?")
        queries = [each for each in (own_query, urlencode(query or {})) if each]
        return joined(self._endpoint.url, path, "&".join(queries))

    def _call_id(self, method: str, url: str, content: bytes) -> str:
        """The id of one call: the same on each attempt, and another for another call.

        A delivery may take several writes; an endpoint that knows ids must not take the second for
        a repetition of the first.
        """
        digest = sha256(b"%b %b\n%b" % (method.encode(), url.encode(), content)).hexdigest()
        return f"{self._delivery.id}_{digest[:12]}"


@contextmanager
def _written_down() -> Iterator[None]:
    """Have the attempt made later where the database cannot keep what is said of an act."""
    try:
        yield
    except StoreUnavailable as error:
        raise RetryLater(f"what is done cannot be written down: {error}") from error


def _check_file(url: str, answer: Response, max_bytes: int, types: Collection[str]) -> None:
    """Raise Undeliverable where a file is not what was asked for: it will be the same the next time."""
    if len(answer.body) > max_bytes:
        raise Undeliverable(f"the file at {url} is larger than {max_bytes} bytes")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if types and not any(fnmatchcase(kind, each) for each in types):
        raise Undeliverable(f"the file at {url} is {kind or 'of no type'}: not {', '.join(types)}")


def _leads_out(path: str) -> bool:
    """Whether a path has a segment that is dots, in any spelling that a server may undo.

    Servers decode `%2e` before they resolve dots, some decode more than once, some take a backslash for a
    slash, and some cut off what follows a semicolon.
    """
    before = ""
    while path != before:
        before, path = path, unquote(path)
    segments = (each.partition(";")[0] for each in path.replace("\\", "/").split("/"))
    return not {".", ".."}.isdisjoint(segments)


def call_record(call: Call, outcome: Outcome, duration: Micros) -> CallRecord:
    """What is kept of a call under its attempt."""
    status = reason = None
    if isinstance(outcome, (Accepted, Refused)):
        status = outcome.response.status
    else:
        reason = getattr(outcome, "reason", None)
    return CallRecord(
        method=call.method, url=call.url, status=status, reason=reason, duration=duration
    )


async def handle(
    handler: Handler, delivery: Delivery, endpoint: BoundEndpoint, seconds: float
) -> Outcome:
    """What came of running *handler*, which has *seconds* for all of its calls together."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            answer: object = await handler(delivery.event, endpoint, **delivery.arguments())
    except Undeliverable as signal:
        return Hopeless(str(signal))
    except RetryLater as signal:
        after = None if signal.after is None else round(signal.after * SECOND)
        return Postponed(str(signal), after)
    except Skip as signal:
        return Skipped(str(signal) or "the handler found nothing to do")
    except Unsuccessful as signal:
        return Refused(signal.answer)
    except Unanswered as signal:
        return Unreachable(signal.reason, signal.detail)
    except Exception as error:  # noqa: BLE001  # a handler is anyone's code
        if limit.expired():
            return Unreachable("timeout", f"the handler took longer than {seconds:g} s")
        return Raised(_summary(error), "".join(traceback.format_exception(error)))
    if not isinstance(answer, Response):
        return Raised(
            "handler-returned-no-response",
            f"it returned {type(answer).__name__}: return the Response of its last call, or raise Skip",
        )
    return Accepted(answer) if answer.ok else Refused(answer)


def _summary(error: Exception) -> str:
    first = str(error).partition("\n")[0][:200]
    return f"handler-raised: {type(error).__name__}: {first}"
