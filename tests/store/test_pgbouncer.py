"""PostgreSQL behind PgBouncer, in session mode: what the gateway says of a connection has to reach the database."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from gateway.core.postgres_url import PostgresUrl
from gateway.store.postgres import PostgresStore
from gateway.store.postgres.database import SETTINGS
from tests.faults.machine import needs
from tests.kit.build import an_arrival, an_event
from tests.kit.process import free_ports

BOUNCER = """
[databases]
{database} = host={folder} user=gateway
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = session
"""


@pytest.fixture
async def url(postgres):
    """A database as one reaches it through the pooler."""
    needs("pgbouncer", there=shutil.which("pgbouncer") is not None)
    (port,) = free_ports(1)
    async with postgres.database(empty=True) as direct:
        name = direct.text.partition("?")[0].rpartition("/")[2]
        file = postgres.folder / "pgbouncer.ini"  # nobody may read it there
        file.write_text(BOUNCER.format(database=name, folder=postgres.folder, port=port))
        as_nobody = ("-u", "nobody") if os.geteuid() == 0 else ()
        with running("pgbouncer", *as_nobody, str(file)):
            yield PostgresUrl(f"postgresql://gateway@127.0.0.1:{port}/{name}")


@contextmanager
def running(*command):
    """The pooler, once it takes connections."""
    pooler = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert any("process up" in line for line in iter(pooler.stderr.readline, ""))
        yield
    finally:
        pooler.terminate()
        pooler.communicate(timeout=10)


async def test_events_are_kept_under_the_settings_of_the_gateway(url):
    store = await PostgresStore.open(url)
    try:
        (receipt,) = await store.append([an_arrival(an_event())])
        assert not receipt.duplicate
        in_force = dict(
            await store._reader.rows("SELECT name, current_setting(name) FROM pg_settings")
        )
        for name in (
            "statement_timeout",
            "idle_in_transaction_session_timeout",
            "synchronous_commit",
            "jit",
        ):
            assert in_force[name] == SETTINGS[name]
        assert in_force["default_transaction_read_only"] == "on"
    finally:
        await store.close()
