"""Where `gateway plan` finds recorded events and the routes in force: a gateway, or its database file.

Whole events come in pages. Between two of them nothing is held open, so that a gateway does its work
and SQLite its checkpoints.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gateway import __version__
from gateway.cli.client import Client, NotRunning, Refused, connect
from gateway.cli.encrypted import key_from_settings
from gateway.config.encryption import read_keys
from gateway.config.lenient import Progress, load_given, load_leniently
from gateway.config.routes import Loaded
from gateway.config.settings import Settings, read_settings
from gateway.core.errors import ConfigError, NotFound
from gateway.core.model import Json, Micros, rfc3339
from gateway.core.routes import Routes
from gateway.store.rows import EventRow, unpacked
from gateway.store.sqlite.database import check_schema, log_path, remove_empty_log
from gateway.store.sqlite.read import Reader
from gateway.store.vault import Vault

PAGE = 500
"""So many events at once, or fewer where they are large."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class InForce:
    """The routes to compare with."""

    where: str
    loaded: Loaded
    routes: Routes
    version: str
    """Of the gateway that goes by them."""


class Recorded(Protocol):
    """A gateway's events and routes, to be read only."""

    def in_force(self, progress: Progress) -> InForce:
        """The routes in force. Raises ConfigError where they cannot be read here."""

    def page(self, since: Micros, until: Micros, after: str | None) -> list[EventRow]:
        """The events from *since* to before *until* that follow *after*, oldest first; empty: no more."""

    def stats(self) -> Json:
        """What waits and what is dead, by endpoint."""

    def close(self) -> None:
        """Let go of it."""


def recorded(
    at: str | None, token_file: Path | None, database: str | None, routes: Path | None
) -> Recorded:
    """The gateway that is named, or that serves the database; where none does, the database itself."""
    try:
        return OfGateway(connect(at, token_file, database))
    except NotRunning:
        settings = read_settings({"database": database, "routes": routes})
        file = settings.database_file
        if file is None or not file.exists():
            raise
        return OfFile(settings, file)


class OfGateway:
    """Asked over the admin API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def in_force(self, progress: Progress) -> InForce:
        """See `Recorded`."""
        try:
            told = self._client.get("/api/v1/routes/files")
        except NotFound:
            raise Refused(
                f"the gateway at {self._client.url} is too old to tell which routes are in force",
                cure="update it, or plan beside its database with --database while it is stopped",
            ) from None
        texts = [(file["name"], file["text"].encode()) for file in told["files"]]
        loaded = load_given(texts, progress)
        if loaded.routes is None:
            problems = "\n".join(map(str, loaded.errors))
            raise Refused(
                f"the routes in force at {self._client.url}, a gateway of version"
                f" {told['version']}, cannot be read by this version, {__version__}:\n{problems}"
            )
        return InForce(self._client.url, loaded, loaded.routes, told["version"])

    def page(self, since: Micros, until: Micros, after: str | None) -> list[EventRow]:
        """See `Recorded`."""
        query = {"since": rfc3339(since), "until": rfc3339(until), "cursor": after, "limit": PAGE}
        answer = self._client.get("/api/v1/events/recorded", query)
        try:
            return [unpacked(item) for item in answer["items"]]
        except (LookupError, TypeError, ValueError) as error:
            raise Refused(
                f"the gateway at {self._client.url} tells its events in another way: {error!r}",
                cure=f"use its own version of this command; this is {__version__}",
            ) from None

    def stats(self) -> Json:
        """See `Recorded`."""
        return self._client.get("/api/v1/stats")

    def close(self) -> None:
        """Nothing is kept open."""


class OfFile:
    """Read from the database file, by a connection that cannot write."""

    def __init__(self, settings: Settings, file: Path) -> None:
        self._settings = settings
        self._file = file
        self._had_log = log_path(file).exists()
        with key_from_settings():
            vault = Vault(read_keys(settings.encryption_key))
        self._reader = Reader(file, vault)
        self._runner = asyncio.Runner()

    def in_force(self, progress: Progress) -> InForce:
        """See `Recorded`."""
        check_schema(self._run(self._reader.schema()))
        loaded = load_leniently(self._settings.routes, progress)
        if loaded.routes is None:
            raise ConfigError(loaded.errors)
        return InForce(str(self._settings.routes), loaded, loaded.routes, __version__)

    def page(self, since: Micros, until: Micros, after: str | None) -> list[EventRow]:
        """See `Recorded`."""
        query: dict[str, Any] = {"since": since, "until": until, "limit": PAGE}
        if after is not None:
            query["cursor"] = after
        return self._run(self._reader.recorded(query))

    def stats(self) -> Json:
        """See `Recorded`."""
        return self._run(self._reader.stats())

    def close(self) -> None:
        """Close the connection, and leave the folder as it was."""
        self._run(self._reader.close())
        self._runner.close()
        if not self._had_log:
            remove_empty_log(self._file)

    def _run(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            with key_from_settings():
                return self._runner.run(work)
        except (
            asyncio.CancelledError
        ):  # by Ctrl-C, which the runner does not always turn back into it
            raise KeyboardInterrupt from None
