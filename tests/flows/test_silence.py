"""Sources that nothing comes from any more."""

from dataclasses import replace

import pytest
import pytest_asyncio

from gateway.core.model import SECOND
from gateway.core.routes import Target
from gateway.flows.silence import Silence
from tests.flows.test_news import news_of
from tests.flows.test_turns import a_route, arrive, routes_of
from tests.kit.build import an_event

HOUR = 3600


@pytest_asyncio.fixture
async def flows(make_flows):
    routes = routes_of(a_route("alarm", Target(endpoint="pager"), match={"source": "gateway"}))
    getty = replace(routes.sources["getty"], silent_after=2 * HOUR * SECOND)
    return make_flows(replace(routes, sources={"getty": getty}))


@pytest.fixture
def restart(flows, clock):
    """Look for silence as the gateway does that is started now."""

    async def restart() -> Silence:
        await flows.silence.loop.stop()
        return Silence(
            routes=lambda: flows.routes, tell=flows.tell.tell, look_up=flows.store,
            store=flows.store, clock=clock, telemetry=flows.telemetry,
        )  # fmt: skip

    return restart


async def told_of(flows) -> None:
    """Wait until it is noted that everyone has been told of the last silence."""
    while await flows.store.told_till("silent/getty") != await flows.store.told_till("heard/getty"):
        pass


async def test_a_silent_source_is_told_of_once(flows, clock):
    await arrive(flows, an_event())
    await flows.silence._step()
    clock.advance(2 * HOUR - 1)
    await flows.silence._step()
    assert await news_of(flows) == []
    clock.advance(1)
    await told_of(flows)
    clock.advance(5 * HOUR)
    await flows.silence._step()
    (told,) = await news_of(flows)
    assert (told["type"], told["subject"], told["source"]) == (
        "gateway.source.silent",
        "source/getty",
        "getty",
    )
    assert (told["silent_seconds"], told["silent_after_seconds"]) == (2 * HOUR, 2 * HOUR)
    assert len(await flows.seen("source.silent", 1)) == 1


async def test_a_source_that_is_silent_again_is_told_of_again(flows, clock):
    for count in (1, 2):
        await arrive(flows, an_event())
        await flows.silence._step()
        clock.advance(2 * HOUR)
        await flows.seen("source.silent", count)
        await told_of(flows)
    assert len(await news_of(flows)) == 2


async def test_a_restart_forgets_neither_when_it_was_heard_nor_that_it_was_told(
    flows, clock, restart
):
    await arrive(flows, an_event())
    await flows.silence._step()
    again = await restart()
    clock.advance(2 * HOUR)
    await again._step()
    again = await restart()
    clock.advance(HOUR)
    await again._step()
    (told,) = await news_of(flows)
    assert told["silent_seconds"] == 2 * HOUR
    assert len(await flows.seen("source.silent", 1)) == 1


async def test_after_a_long_stop_senders_have_some_minutes(flows, clock, restart):
    await flows.silence._step()
    await flows.silence.loop.stop()
    clock.advance(3 * HOUR)
    again = await restart()
    await again._step()
    assert await news_of(flows) == []
    clock.advance(300)
    await again._step()
    assert len(await news_of(flows)) == 1


async def test_what_one_node_hears_the_others_know(flows, clock, restart):
    await flows.silence._step()
    other = await restart()
    clock.advance(HOUR)
    await arrive(flows, an_event())
    await flows.silence._step()
    clock.advance(HOUR)
    await other._step()
    assert await news_of(flows) == []


async def test_two_nodes_tell_of_a_silence_once(flows, clock, restart):
    await flows.silence._step()
    other = await restart()
    clock.advance(2 * HOUR)
    noted, flows.store.note_told = flows.store.note_told, _loses
    await flows.silence._step()
    await other._step()
    flows.store.note_told = noted
    assert len(await news_of(flows)) == 1


async def _loses(*_):
    """What another node notes comes too late for this one."""
    return False
