"""What several nodes have to keep together, while they come and go: the order of keys, and limits of endpoints."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise

import aiohttp
import orjson
import pytest

from gateway.core.model import SECOND
from tests.faults.chance import SECONDS
from tests.faults.several import Several
from tests.kit.sink import Sink, now
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]

KEYS = 12
FASTEST = 5
"""Attempts a second."""


class Watched:
    """An endpoint that takes some time, and notes what is under way at once."""

    def __init__(self, several: Several, sink: Sink, lane_of: Callable[[str], str]) -> None:
        self._several = several
        self._receive = sink.receive
        self._lane_of = lane_of
        """What a delivery belongs to, of which things are counted, by what its body says."""
        self.most: Counter[str] = Counter()
        self.begun: dict[str, list[int]] = defaultdict(list)
        self._under_way: Counter[str] = Counter()
        sink.receive = self.receive

    async def receive(self, request):
        lane = self._lane_of(orjson.loads(await request.read())["id"])
        self.begun[lane].append(now())
        self._under_way[lane] += 1
        self.most[lane] = max(self.most[lane], self._under_way[lane])
        try:
            await moment(self._several.dice.uniform(0.02, 0.15))
            return await self._receive(request)
        finally:
            self._under_way[lane] -= 1


async def test_each_key_goes_in_order_one_at_a_time_though_nodes_are_killed(
    several: Several, rounds
):
    """Of a key one event after the other is posted, each to any node, once the one before is acknowledged."""
    several.keys = {name: ['key: "${event.subject}"'] for name in several.urls}
    keys: dict[str, str] = {}
    watched = [Watched(several, sink, keys.__getitem__) for sink in several.sinks.by_name.values()]
    several.add(3)
    await several.start()
    over = asyncio.Event()
    posting = [asyncio.create_task(post_in_turn(several, f"k{i}", keys, over)) for i in range(KEYS)]
    for _ in range(rounds or 2):
        await moment(several.dice.uniform(0.5, 1.5))
        node = several.dice.choice(several.nodes)
        await several.kill(node)
        await several.start(node)
    await moment(1)
    over.set()
    await asyncio.gather(*posting)
    await several.drained()
    for each in watched:
        assert set(each.most.values()) == {1}
    for sink in several.sinks.by_name.values():
        taken: dict[str, list[int]] = defaultdict(list)
        for arrival in sink.arrivals:
            taken[keys[arrival.event]].append(int(arrival.event.removeprefix("e-")))
        assert len(taken) == KEYS
        for serials in taken.values():
            assert all(one <= two for one, two in pairwise(serials)), serials
    several.check()


async def post_in_turn(
    several: Several, key: str, keys: dict[str, str], over: asyncio.Event
) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        while not over.is_set():
            (event,) = several.ids(1)
            keys[event] = key
            while not await several.sender.post(session, several.ingest, event, subject=key):
                await moment(0.05)
            await moment(several.dice.uniform(0, 0.3))


async def test_an_endpoints_limits_are_those_of_all_nodes_together_while_they_come_and_go(
    several: Several,
):
    several.keys = {"cms": ["concurrency: 2"], "pager": [f"rate: {FASTEST}/s"]}
    cms, pager = (
        Watched(several, several.sinks[name], lambda _event: "") for name in ("cms", "pager")
    )
    several.timeout = "1s"
    first, second, third = several.add(3)
    await several.start(first, second)
    await several.post(50)
    await several.start(third)
    await moment(3)
    assert await several.terminate(first) == 0
    await moment(1)
    await several.kill(second)
    await several.start(first)
    await several.post(20)
    await several.drained()
    assert cms.most[""] == 2
    begun = sorted(pager.begun[""])
    busiest = max(sum(at <= each < at + SECOND for each in begun) for at in begun)
    assert FASTEST - 1 <= busiest <= FASTEST + 1
    several.check()
