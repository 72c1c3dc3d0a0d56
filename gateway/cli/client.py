"""The admin API of a gateway that runs: found by its database's lock file, or named."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from gateway.config.layers import database_place
from gateway.core.errors import Conflict, GatewayError, NotFound, StoreUnavailable
from gateway.core.model import Json
from gateway.core.postgres_url import PostgresUrl
from gateway.store.lock import read_note

TIMEOUT_SECONDS = 30

At = Annotated[
    str | None,
    typer.Option(
        "--gateway",
        metavar="URL",
        envvar="GATEWAY_ADMIN_URL",
        help="The admin API; default: that of the gateway which serves the database.",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="GATEWAY_TOKEN_FILE",
        help="A file that holds a token of the admin API, and nothing else.",
    ),
]


def segment(text: str) -> str:
    """Text as one segment of a path."""
    return urllib.parse.quote(text, safe="")


class NotRunning(GatewayError):
    """No gateway serves the database."""

    code = "not-running"


class Unreachable(StoreUnavailable):
    """The gateway does not answer."""

    code = "gateway-unreachable"


class Refused(GatewayError):
    """The gateway refuses the call."""

    code = "refused"


# No proxy: a gateway is on this machine, or on the operator's own network.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Post *body*: the status and body of the answer. Raises Unreachable."""
    with _reading(url):
        request = urllib.request.Request(url, body, dict(headers), method="POST")  # noqa: S310
        try:
            with _opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class Client:
    """Calls the admin API."""

    def __init__(self, url: str, token: str | None) -> None:
        self.url = url.rstrip("/")
        self.timeout_seconds = TIMEOUT_SECONDS
        self._token = token

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> Json:
        """The answer to GET."""
        return self._call("GET", _with_query(path, query))

    def listing(self, path: str, query: Mapping[str, Any]) -> Json:
        """A page of a listing: as many items as its `limit` asks for, however far they have to be looked for."""
        page = self.get(path, query)
        while page["next"] is not None and len(page["items"]) < query["limit"]:
            left = query["limit"] - len(page["items"])
            more = self.get(path, {**query, "cursor": page["next"], "limit": left})
            page = {"items": [*page["items"], *more["items"]], "next": more["next"]}
        return page

    def post(self, path: str, body: Json = None, query: Mapping[str, Any] | None = None) -> Json:
        """The answer to POST, with *body* as JSON where there is one."""
        content = None if body is None else orjson.dumps(body)
        return self._call("POST", _with_query(path, query), content)

    def lines(self, path: str, query: Mapping[str, Any]) -> list[bytes]:
        """The lines of a long answer to GET."""
        with self._open("GET", _with_query(path, query)) as answer, _reading(self.url):
            return [line.rstrip(b"\n") for line in answer]

    def watch(self, path: str, query: Mapping[str, Any]) -> Iterator[Json]:
        """What a stream of events tells, until it ends. Raises Unreachable where it does."""
        with self._open("GET", _with_query(path, query)) as answer, _reading(self.url):
            for line in answer:  # one every 15 seconds at least
                if line.startswith(b"data: "):
                    yield orjson.loads(line[6:])
        raise Unreachable(f"the gateway at {self.url} has stopped")

    def _call(self, method: str, path: str, body: bytes | None = None) -> Json:
        with self._open(method, path, body) as answer, _reading(self.url):
            return json.loads(answer.read())  # exact: see gateway/exact.py

    def _open(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The answer, to be read. Raises Unreachable, or what it says."""
        headers = {"authorization": f"Bearer {self._token}"} if self._token else {}
        if body is not None:
            headers["content-type"] = "application/json"
        with _reading(self.url):
            request = urllib.request.Request(self.url + path, body, headers, method=method)  # noqa: S310
            try:
                return _opener.open(request, timeout=self.timeout_seconds)
            except urllib.error.HTTPError as error:
                raise _of_answer(error) from None


def _with_query(path: str, query: Mapping[str, Any] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(given)}" if given else path


@contextmanager
def _reading(url: str) -> Iterator[None]:
    """Raise Unreachable where what is there gives no answer, or none that can be read."""
    try:
        yield
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"the gateway at {url} does not answer: {getattr(error, 'reason', error)}",
            cure="see whether it runs, or name where with --gateway",
        ) from None


def _of_answer(error: urllib.error.HTTPError) -> GatewayError:
    try:
        problem = orjson.loads(error.read())
        detail = problem["detail"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        detail = f"the gateway answers {error.code}"
    match error.code:
        case 404:
            return NotFound(detail)
        case 409:
            return Conflict(detail)
        case 401:
            cure = "name a file that holds one with --token-file, or set GATEWAY_TOKEN"
            return Refused(detail, cure=cure)
        case code if code >= 500:
            return Unreachable(detail)
        case _:
            return Refused(detail)


def connect(at: str | None, token_file: Path | None, database: str | None) -> Client:
    """The client for a gateway that is named, or that serves the database.

    Its token is that of the file, else of the environment; else, for a gateway found by its database,
    the one that this gateway keeps beside it for as long as it runs.
    """
    note = running(database) if at is None else {"admin": at}
    token = os.environ.get("GATEWAY_TOKEN") or note.get("token")
    return Client(note["admin"], token if token_file is None else _token_in(token_file))


def _token_in(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        cure = "name a readable one with --token-file"
        raise Refused(f"the token file {file} cannot be read: {why}", cure=cure) from None
    if not token or len(token.split()) > 1:
        cure = "it has to hold one token: what `gateway tokens new` printed"
        raise Refused(f"the token file {file} holds no token alone", cure=cure)
    return token


def running(database: str | None) -> dict[str, Json]:
    """How the gateway that serves the database can be reached. Raises NotRunning."""
    place = database_place(database)
    if isinstance(place, PostgresUrl):  # it does not tell who serves it: many may
        return _by_settings(database)
    note = read_note(place)
    if note is None or "admin" not in note:
        _check_settings()
        raise NotRunning(
            f"no gateway serves {place}",
            cure="start one with `gateway serve`, or name it with --gateway or --database",
        )
    return note


def _by_settings(database: str | None) -> dict[str, Json]:
    """Where a gateway of these settings listens."""
    from gateway.config.settings import read_settings

    settings = read_settings({"database": database})
    return {"public": _local_url(settings.listen), "admin": _local_url(settings.admin)}


def _local_url(place: tuple[str, int]) -> str:
    """The listener of a gateway on this machine, by its settings."""
    host, port = place
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # compared with, not listened at
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _check_settings() -> None:
    """What is wrong with them may be why no gateway was found. Raises ConfigError."""
    from gateway.config.settings import read_settings

    read_settings({})
