"""Connecting to a database that may have several hosts, of which one can be written to."""

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg

from gateway.core.postgres_url import PostgresUrl

CONNECT_SECONDS = 3


async def connect(url: PostgresUrl, name: str, settings: Mapping[str, str], **options: Any) -> Any:
    """A connection to the host of *url* that can be written to; of one host, to that.

    It has that *name* in the database, and these settings. All hosts are asked at once: one that is gone
    without a word must not keep us from the one that took over. Raises what the driver does; of several
    failures the most telling one.
    """
    options["server_settings"] = {"application_name": name}
    if len(url.hosts) > 1 and not url.chooses:
        options["target_session_attrs"] = "read-write"
    asking = {asyncio.create_task(_connect_to(host, settings, **options)) for host in url.hosts}
    waiting = asking
    failures: list[BaseException] = []
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                failure = each.exception()
                if failure is None:
                    asking.discard(each)
                    return each.result()
                failures.append(failure)
    finally:
        await _give_up(asking)
    raise max(failures, key=lambda failure: isinstance(failure, asyncpg.PostgresError))


async def _connect_to(host: str, settings: Mapping[str, str], **options: Any) -> Any:
    connection = await asyncpg.connect(host, timeout=CONNECT_SECONDS, **options)
    try:
        # Said while it connects, PgBouncer would refuse them, or be told to drop them without a word.
        given = (f"set_config('{name}', '{value}', false)" for name, value in settings.items())
        await connection.execute(f"SELECT {', '.join(given)}", timeout=CONNECT_SECONDS)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _give_up(asking: "set[asyncio.Task[Any]]") -> None:
    """Let go of the connections that were not chosen, made or under way."""
    for each in asking:
        each.cancel()
    for made in await asyncio.gather(*asking, return_exceptions=True):
        if not isinstance(made, BaseException):
            made.terminate()
