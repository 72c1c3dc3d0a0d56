"""`serve --paused`: everything is taken, nothing is delivered, until someone says so."""

import aiohttp
import pytest

from gateway.testing import Gateway


@pytest.fixture
async def paused(routes_file):
    async with Gateway(routes_file, paused=True) as running:
        yield running


async def expired(gateway) -> str:
    return (await gateway.send("getty", {"type": "license.expired"}))["id"]


async def test_events_are_taken_and_no_attempt_is_begun(paused):
    name = await expired(paused)
    paused.clock.advance(3600)
    await paused.service._claim._step()
    await paused.service._reclaim._step()
    assert (name.startswith("evt_"), paused.service.at_rest) == (True, True)
    waiting = await paused.service._store.deliveries({})
    assert [(d["state"], d["attempts"]) for d in waiting] == [("scheduled", 0)] * 2
    assert paused.endpoint("cms").received == []


async def test_it_says_so_and_is_ready_all_the_same(paused):
    status = paused.service.status()
    assert (status["ready"], status["held_by"]) == (True, ["paused"])


async def test_resumed_it_delivers_what_has_waited_and_what_comes(paused):
    await expired(paused)
    async with (
        aiohttp.ClientSession(paused.service.admin_url) as session,
        session.post("/api/v1/resume") as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"held_by": []})
    await expired(paused)
    assert len(await paused.endpoint("cms").calls(2)) == 2
    (entry,) = await paused.service._store.audit({})
    assert (entry["action"], entry["object"], entry["outcome"]) == ("resume", "(all)", "done")


async def test_there_is_nothing_to_resume_where_nothing_was_paused(gateway):
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.post("/api/v1/resume") as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (409, "conflict")


async def test_an_endpoint_that_was_paused_by_itself_stays_so(paused):
    await paused.service._operate.pause("cms")
    await expired(paused)
    await paused.service._operate.resume_all()
    await paused.endpoint("pager").calls(1)
    assert paused.endpoint("cms").received == []


async def test_a_start_without_the_flag_is_not_paused(gateway):
    assert gateway.service.status()["held_by"] == []


async def test_nothing_is_deleted_before_someone_has_looked(paused, seen):
    name = await expired(paused)
    store = paused.service._store
    for n in (0, 1):
        await store.cancel(name, n, paused.clock.now(), "x")
    paused.clock.advance(8 * 86_400)
    assert await paused.service._prune._step() is not None
    assert len(await store.events({})) == 1
    await paused.service._operate.resume_all()
    paused.service._prune.loop.wake()
    assert await seen(paused, "retention.pruned") == [{"events": 1}]
