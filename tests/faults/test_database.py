"""The database that several nodes share dies, is full, or slow: senders hear it, and nothing is lost."""

import asyncio
import os

import aiohttp
import asyncpg
import pytest

from bench.postgres import NOBODY
from gateway.core.model import SECOND
from tests.faults.chance import SECONDS
from tests.faults.machine import fill, small_disk
from tests.faults.relay import Relay
from tests.faults.run import MIB
from tests.faults.several import REFUSED_WITHIN, Several
from tests.kit.postgres import Postgres
from tests.kit.process import free_ports
from tests.kit.sink import now
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]


@pytest.mark.parametrize("how", ["killed", "immediate", "fast"])
async def test_a_database_that_ends_and_comes_back_costs_nothing_but_the_time(
    several: Several, server: Postgres, how, rounds
):
    """Nodes are not restarted. Outages are shorter than leases: no attempt is made twice."""
    several.add(2)
    await several.start()
    pids = [node.pid for node in several.nodes]
    async with several.load(80):
        for _ in range(rounds or 1):
            await moment(several.dice.uniform(0.5, 1.5))
            if how == "killed":
                await asyncio.to_thread(server.kill)
            else:
                await asyncio.to_thread(server.stop, how)
            away_since = now()
            for node in several.nodes:
                status, seconds, _ = await several.answer(node)
                assert status == 503
                assert seconds < REFUSED_WITHIN
            await several.until_ready(503)
            several.unable.append((away_since, now()))
            await asyncio.to_thread(server.start)
            await several.until_ready()
    await several.drained()
    assert [node.pid for node in several.nodes] == pids
    assert several.sender.refused[503]
    assert several.sender.slowest < REFUSED_WITHIN * SECOND
    several.check()


async def test_without_a_connection_left_it_refuses_and_goes_on_by_itself(
    several: Several, server: Postgres
):
    """A node has lost those that it had, and others have taken all that there are."""
    (node,) = several.add(1)
    await several.start()
    await several.post(20)
    taken = await all_connections(server)
    try:
        most = int(await taken[0].fetchval("SHOW max_connections"))
        while len(taken) < most:  # it reaches for them, too
            await taken[0].execute(END_OTHERS)
            taken += await all_connections(server)
        status, seconds, _ = await several.answer(node)
        assert status == 503
        assert seconds < REFUSED_WITHIN
        await several.until_ready(503)
    finally:
        for each in taken:
            each.terminate()
    await several.until_ready()
    await several.post(20)
    await several.drained()
    several.check()


END_OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'gateway%'
"""


async def all_connections(server: Postgres) -> list[asyncpg.Connection]:
    """As many as it gives."""
    taken = []
    try:
        while True:
            taken.append(await asyncpg.connect(server.url("postgres").text))
    except asyncpg.TooManyConnectionsError:
        return taken


async def test_with_its_disk_full_it_refuses_and_goes_on_once_there_is_room(
    several: Several, server: Postgres
):
    disk = server.data.parent / "small"
    with small_disk(disk, "48m"):
        space, filler = disk / "space", disk / "filler"
        space.mkdir()
        os.chown(space, NOBODY, NOBODY)
        await server.execute(
            f"CREATE TABLESPACE small LOCATION '{space}'",
            "ALTER DATABASE gateway SET TABLESPACE small",
        )
        several.add(2)
        await several.start()
        async with several.load(60):
            await moment(0.5)
            fill(filler)
            await several.sender.changed.until(lambda: several.sender.refused[503] > 20)
            await moment(1)
            filler.unlink()
            await several.until_ready()
        await several.post(20)
        await several.drained()
        assert several.sender.slowest < REFUSED_WITHIN * SECOND
        said = "\n".join(several.nodes[0].lines + several.nodes[1].lines)
        assert "the disk of the database is full" in said
        several.check()
        several.stop()
        await server.execute("ALTER DATABASE gateway SET TABLESPACE pg_default")


async def test_a_slow_database_is_told_of_before_memory_grows(several: Several, server: Postgres):
    """A lock is held for longer than a statement may take: nothing can be kept meanwhile."""
    several.add(2)
    await several.start()
    await several.post(20)
    before = several.weigh()
    holding = await asyncpg.connect(server.url("gateway").text)
    async with several.load(300):
        async with holding.transaction():
            await holding.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            await moment(2.5)
            status, seconds, retry_after = await several.answer(several.nodes[0])
            assert (status, retry_after is not None) == (503, True)
            assert seconds < 1
            await several.until_ready(503)
            await moment(4)
            assert several.weigh() - before < 64 * MIB
        await several.until_ready()
    await holding.close()
    await several.drained()
    assert several.sender.slowest < REFUSED_WITHIN * SECOND
    several.check()


# -- a standby takes over ------------------------------------------------------------------------------


@pytest.mark.parametrize("synchronous", [False, True])
async def test_what_a_lagging_standby_lacks_is_lost_unless_commits_wait_for_it(
    several: Several, server: Postgres, synchronous
):
    """The first of these proves that the second one tests something."""
    async with Relay(server.port) as relay:
        (port,) = free_ports(1)
        standby = await asyncio.to_thread(
            Postgres, copied=server.url("postgres", port=relay.port),
            listen_addresses="127.0.0.1", port=str(port),
        )  # fmt: skip
        try:
            if synchronous:
                await server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'",
                                     "SELECT pg_reload_conf()")  # fmt: skip
            several.add(2, server.url("gateway", also=standby))
            await several.start()
            async with several.load(60):
                await moment(1)
                relay.silence()
                if (
                    synchronous
                ):  # what was committed here and not there is no duplicate of anything yet
                    await several.until_ready(503)
                await moment(2)
                failed_at = now()
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(standby.promote)
                several.interrupted(failed_at)
                several.database = standby.url("gateway")
                await several.until_ready()
                await moment(0.5)
            await several.drained()
            several.stop()
            found = several.broken()
        finally:
            await asyncio.to_thread(standby.remove)
    if synchronous:
        assert found == []
    else:
        assert any("acknowledged, and not kept" in each for each in found), found


async def test_a_duplicate_is_not_acknowledged_before_a_standby_has_the_first(
    several: Several, server: Postgres
):
    """Whose commit here is done, or nobody waits for it any more: that says nothing of the standby."""
    (node,) = several.add(1)
    await several.start()
    (event,) = await several.post(1)
    await server.execute(
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'", "SELECT pg_reload_conf()"
    )
    async with aiohttp.ClientSession() as session:
        while await several.sender.post(session, node.ingest, event):
            pass  # each of its processes takes the setting over in its own time
    await server.execute("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
    await several.until_ready()
    await several.drained()
    several.check()
