"""What waits for each endpoint, as the store counted it last."""

import pytest

from gateway.core.errors import StoreUnavailable
from gateway.core.model import SECOND, rfc3339
from gateway.flows.backlog import SHARE, STANDS, Backlog
from gateway.testing import ManualClock
from tests.kit.build import NOW


class Counting:
    """A store that counts; its clock goes on by as much as that takes."""

    def __init__(self, clock, *, takes):
        self.clock, self.takes, self.counted = clock, takes, 0  # seconds
        self.failure = None

    async def stats(self):
        if self.failure is not None:
            raise self.failure
        self.counted += 1
        first_at = rfc3339(self.clock.now() - 30 * SECOND)
        self.clock.advance(self.takes)
        return {
            "scheduled": {
                "cms": {"count": 7, "first_at": first_at},
                "dam": {"count": 2, "first_at": None},
            },
            "dead": {"cms": {"count": 1, "first_at": first_at}},
        }


@pytest.fixture
def clock():
    return ManualClock(NOW)


async def test_it_tells_what_waits_and_since_when_it_is_due(clock):
    backlog = Backlog(Counting(clock, takes=0), clock)
    assert (backlog.waiting, backlog.dead, backlog.overdue()) == ({}, {}, {})
    await backlog.look()
    assert backlog.waiting == {"cms": 7, "dam": 2}
    assert backlog.dead == {"cms": 1}
    assert backlog.overdue() == {"cms": 30, "dam": 0}
    clock.advance(5)
    assert backlog.overdue() == {"cms": 35, "dam": 0}


async def test_a_count_stands_for_a_while_and_the_longer_the_longer_it_took(clock):
    store = Counting(clock, takes=1)
    backlog = Backlog(store, clock)
    await backlog.look()
    clock.advance(SHARE - 1 - 0.001)
    await backlog.look()
    assert store.counted == 1
    clock.advance(0.001)
    await backlog.look()
    assert store.counted == 2


async def test_a_quick_count_stands_for_ten_seconds(clock):
    store = Counting(clock, takes=0)
    backlog = Backlog(store, clock)
    for moved, counted in ((0, 1), (STANDS / SECOND - 0.001, 1), (0.001, 2)):
        clock.advance(moved)
        await backlog.look()
        assert store.counted == counted


async def test_what_could_not_be_counted_is_tried_at_the_next_question(clock):
    store = Counting(clock, takes=0)
    backlog = Backlog(store, clock)
    store.failure = StoreUnavailable("it is gone", cure="wait")
    with pytest.raises(StoreUnavailable):
        await backlog.look()
    store.failure = None
    await backlog.look()
    assert backlog.waiting["cms"] == 7
