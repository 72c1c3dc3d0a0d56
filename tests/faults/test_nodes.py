"""One of several nodes on one database dies, ends, or sleeps: the others go on with what it had."""

import asyncio
import os
import signal
from functools import partial

import pytest

from gateway.core.model import SECOND
from gateway.core.nodes import IN_TOUCH
from tests.faults.chance import SECONDS
from tests.faults.relay import Relay
from tests.faults.several import REFUSED_WITHIN, Several
from tests.kit.sink import now
from tests.kit.steps import moment

pytestmark = [pytest.mark.faults, pytest.mark.timeout(SECONDS)]


async def test_kill_9_of_any_of_three_nodes_under_load_breaks_no_promise(several: Several, rounds):
    several.add(3)
    await several.start()
    async with several.load(100):
        for _ in range(rounds or 4):
            await moment(several.dice.uniform(0.05, 1.5))
            node = several.dice.choice(several.nodes)
            await several.kill(node)
            await moment(several.dice.uniform(0, 1))
            await several.start(node)
    await several.drained()
    several.check()


async def test_a_node_that_is_asked_to_end_interrupts_nothing_and_others_go_on_at_once(
    several: Several, rounds
):
    """No attempt is made twice, and nothing waits for a lease to end."""
    slow(several)
    several.add(3)
    await several.start()
    async with several.load(60):
        for _ in range(rounds or 2):
            await moment(several.dice.uniform(0.5, 1.5))
            node = several.dice.choice(several.nodes)
            assert await several.terminate(node) == 0
            await several.start(node)
        await moment(1)
        node = several.dice.choice(several.nodes)
        assert await several.terminate(node) == 0
    async with asyncio.timeout(8):
        await several.drained()
    several.check()


async def test_a_paused_node_that_wakes_late_records_nothing_that_others_have_taken_over(
    several: Several,
):
    """It had attempts under way; their answers wait for it. Meanwhile others have made them again."""
    slow(several)
    several.add(3)
    await several.start()
    sleeper = several.nodes[0]
    async with several.load(60):
        await moment(1)
        await several.has_under_way(sleeper)
        paused_at = now()
        os.kill(sleeper.pid, signal.SIGSTOP)
        sleeper.is_away = True
        await several.taken_over(sleeper, paused_at)
    os.kill(sleeper.pid, signal.SIGCONT)
    sleeper.is_away = False
    several.interrupted(paused_at)
    await asyncio.to_thread(sleeper.said, "a lease ran out before its outcome was recorded")
    await several.until_ready(nodes=[sleeper])
    await several.post(20)
    await several.drained()
    several.check()


async def test_a_node_that_is_cut_off_refuses_at_once_and_begins_nothing(several: Several, server):
    """Nothing comes back from the database, on no connection; the others take over what it had."""
    slow(several)
    async with Relay(server.port) as relay:
        (lonely,) = several.add(1, server.url("gateway", port=relay.port))
        several.add(2)
        await several.start()
        async with several.load(60):
            await moment(1)
            await several.has_under_way(lonely)
            cut_at = now()
            relay.silence()
            status, seconds, _ = await several.answer(lonely)
            assert status == 503
            assert seconds < REFUSED_WITHIN
            await several.until_ready(503, [lonely])
            await several.taken_over(lonely, cut_at)
            lost_touch_at = cut_at + IN_TOUCH + SECOND
            late = [each for each in several.arrivals if each.node == lonely.name]
            assert max(each.at for each in late) < lost_touch_at
            relay.heal()
            several.interrupted(cut_at)
            await several.until_ready(nodes=[lonely])
        await several.post(20)
        await several.drained()
    assert several.sender.slowest < REFUSED_WITHIN * SECOND
    several.check()


def slow(several: Several) -> None:
    """Have endpoints take some time, so that there is always something under way."""
    for sink in several.sinks.by_name.values():
        sink.receive = partial(several.answer_slowly, sink.receive)
