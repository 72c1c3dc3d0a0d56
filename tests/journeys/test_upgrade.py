"""An upgrade, as operations.md tells it: forward by itself, and back by the copy that was made before."""

import asyncio
import sqlite3
from contextlib import closing
from hashlib import sha256

import pytest

from gateway.store.sqlite import database

HEAD = b'{"specversion":"1.0","id":"old","source":"/old","type":"license.expiring","data":'
DATA = b'{"days_left":7}'

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def old(tmp_path):
    """A database of the very first schema, with an event that is still to be sent to cms."""
    path = tmp_path / "data" / "gateway.db"
    path.parent.mkdir()
    body = HEAD + DATA + b"}"
    with closing(database.connect(path)) as connection:
        connection.executescript(database._migrations()[0].read_text(encoding="utf-8"))
        connection.execute(
            "INSERT INTO events VALUES ('evt_019e2f00000000000000abcd', 'getty', 'old', 'license.expiring',"
            " NULL, 1, 'application/cloudevents+json', ?, ?, NULL, ?, ?, ?, 1)",
            (body, HEAD, len(HEAD), len(HEAD + DATA), sha256(body + HEAD).digest()),
        )
        connection.execute(
            "INSERT INTO deliveries VALUES ('evt_019e2f00000000000000abcd', 0, 'all', 'cms', 'scheduled',"
            " 'event', NULL, NULL, 0, 0, 1, NULL, NULL, 1, NULL, NULL)"
        )
        connection.execute("PRAGMA user_version = 1")
    return path


@pytest.mark.faults
async def test_a_database_of_the_oldest_version_goes_on_and_can_be_gone_back_to(
    process, sinks, old
):
    await asyncio.to_thread(process.start)
    await sinks.changed.until(lambda: sinks["cms"].taken["old"] == 1)
    assert sinks["cms"].bodies == {"dlv_019e2f00000000000000abcd_0": {HEAD + DATA + b"}"}}
    await asyncio.to_thread(process.terminate)
    before = old.with_name("gateway.db.schema-1")
    with closing(sqlite3.connect(before)) as copy:
        assert copy.execute("SELECT state FROM deliveries").fetchall() == [("scheduled",)]

    with closing(sqlite3.connect(old)) as connection:  # as a newer version has left it
        connection.execute("PRAGMA user_version = 999")
    refused = await asyncio.to_thread(process.run, "serve")
    assert refused.returncode == 78
    assert "schema 999" in refused.stderr
    old.rename(old.with_name("lost"))
    before.rename(old)
    process.flags = (*process.flags, "--paused")
    await asyncio.to_thread(process.start)
    waiting = await asyncio.to_thread(process.run, "deliveries", "--state", "scheduled")
    assert "dlv_019e2f00000000000000abcd_0" in waiting.stdout
