"""A gateway on PostgreSQL: killed, joined by another, and with its database away for a while."""

import asyncio

import aiohttp
import pytest
import pytest_asyncio

from tests.kit.process import GatewayProcess


@pytest_asyncio.fixture
async def process(process, postgres):
    async with postgres.database(empty=True) as url:
        process.flags = (*process.flags, "--database", url.text)
        yield process
        process.stop()


def beside(process: GatewayProcess) -> GatewayProcess:
    """Another node on the same database."""
    return GatewayProcess(process.folder, *process.flags, environment=process.environment)


@pytest.mark.faults
@pytest.mark.timeout(90)
async def test_what_was_acknowledged_is_delivered_after_kill_9(process, sinks, sender):
    process.start()
    ids = [f"e-{i}" for i in range(300)]

    async def kill_once() -> None:
        await sender.acked_at_least(100)
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)

    await asyncio.gather(sender.flow(f"{process.url}/in/getty", ids), kill_once())
    await sinks.all_took(set(ids))


@pytest.mark.faults
@pytest.mark.timeout(90)
async def test_another_node_takes_over_what_a_dead_one_had(process, sinks, sender):
    process.start()
    other = beside(process)
    await asyncio.to_thread(other.start)
    try:
        ids = [f"e-{i}" for i in range(200)]
        await sender.flow(f"{process.url}/in/getty", ids)
        await asyncio.to_thread(process.kill)
        await sinks.all_took(set(ids))
    finally:
        other.stop()


@pytest.mark.timeout(90)
async def test_without_its_database_it_says_so_within_seconds_and_goes_on_by_itself(
    process, postgres, sinks, sender
):
    process.start()
    await sender.flow(f"{process.url}/in/getty", ["e-0"])
    await asyncio.to_thread(postgres.stop)
    try:
        async with aiohttp.ClientSession() as session:
            while await _status(session, f"{process.url}/readyz") == 200:
                pass
            async with (
                asyncio.timeout(5),
                session.post(f"{process.url}/in/getty", data=b"{}") as answer,
            ):
                assert answer.status == 503
    finally:
        await asyncio.to_thread(postgres.start)
    await sender.flow(f"{process.url}/in/getty", ["e-1"])
    await sinks.all_took({"e-0", "e-1"})
    said = "\n".join(process.lines)
    assert "s3cret" not in said
    assert "goes on by itself" in said


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with asyncio.timeout(5), session.get(url) as answer:
        return answer.status


async def test_a_copy_is_postgresqls_to_make(process):
    url = process.flags[-1]
    told = await asyncio.to_thread(process.run, "backup", "copy.db", "--database", url)
    assert told.returncode == 2
    assert "pg_dump" in told.stderr
    assert "s3cret" not in told.stderr


@pytest.mark.timeout(60)
async def test_commands_find_the_gateway_by_where_it_listens(process, sender):
    process.start()
    await sender.flow(f"{process.url}/in/getty", ["e-0"])
    listeners = ("GATEWAY_ADMIN", process.admin), ("GATEWAY_DATABASE", process.flags[-1])
    process.environment |= dict(listeners)
    told = await asyncio.to_thread(process.run, "events", "--json")
    assert told.returncode == 0, told.stderr
    assert "license.expiring" in told.stdout


@pytest.mark.faults
@pytest.mark.timeout(60)
async def test_nodes_know_of_each_other_and_say_where_they_differ(process, tmp_path):
    process.start()
    apart = tmp_path / "other"
    apart.mkdir()
    text = (process.folder / "routes.yaml").read_text()
    (apart / "routes.yaml").write_text(text + "# as one team has it\n")
    other = GatewayProcess(apart, *process.flags, environment=process.environment)
    await asyncio.to_thread(other.start)
    here = f"http://{process.admin}"
    async with aiohttp.ClientSession(here) as session:
        try:
            status = await _until(session, lambda state: len(state["nodes"]) == 2)
            assert len({node["routes"] for node in status["nodes"]}) == 2
            told = await asyncio.to_thread(process.run, "status", "--gateway", here)
            assert told.returncode == 1
            assert "goes by other routes" in told.stdout
            async with session.get("/metrics") as answer:
                assert "gateway_nodes_differ 1.0" in await answer.text()
            paused = await asyncio.to_thread(
                process.run, "pause", "cms", "--gateway", f"http://{other.admin}"
            )
            assert paused.returncode == 0
            await _until(session, lambda state: state["endpoints"][0]["state"] == "paused")
        finally:
            other.terminate()
        status = await _until(session, lambda state: len(state["nodes"]) == 1)
        assert [node["this"] for node in status["nodes"]] == [True]


async def _until(session: aiohttp.ClientSession, so) -> dict:
    while True:
        async with session.get("/api/v1/status") as answer:
            state = await answer.json()
        if so(state):
            return state
