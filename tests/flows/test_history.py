"""The last hour, minute by minute."""

import pytest

from gateway.core.model import SECOND
from gateway.core.retry import Finish, GiveUp
from gateway.flows.history import MINUTE, MINUTES, History, percentile
from gateway.telemetry import Telemetry
from tests.kit.build import NOW, a_delivery
from tests.store.test_contract import an_attempt


class FakeBacklog:
    waiting: dict[str, int]

    async def look(self) -> None:
        self.waiting = {"cms": 7, "pager": 1}


@pytest.fixture
def history(clock):
    return History(FakeBacklog(), clock, Telemetry())


def attempt(history, endpoint="cms", *, at=NOW, seconds=0.005, decision=None) -> None:
    made = an_attempt(started_at=at, duration=round(seconds * SECOND))
    decision = decision or Finish()
    history(
        "attempt.recorded",
        {"delivery": a_delivery(endpoint=endpoint), "attempt": made, "decision": decision},
    )


def test_attempts_are_counted_in_the_minute_in_which_they_ended(history, clock):
    attempt(history)
    attempt(history, decision=GiveUp("http-500"))
    attempt(history, "pager")
    attempt(history, at=NOW + MINUTE)
    clock.advance(60)
    *_, before, now = history.of("cms")
    assert (before.delivered, before.failed, before.dead) == (1, 1, 1)
    assert now.delivered == 1
    *_, before, now = history.overall()
    assert (before.delivered, before.failed, now.delivered) == (2, 1, 1)


def test_an_hour_is_kept_and_what_is_older_let_go(history, clock):
    attempt(history)
    clock.advance(60 * (MINUTES - 1))
    first, *rest = history.of("cms")
    assert (first.delivered, sum(each.delivered for each in rest)) == (1, 0)
    clock.advance(60)
    attempt(history, at=clock.now())
    assert sum(each.delivered for each in history.of("cms")) == 1
    assert len(history._endpoints["cms"]._minutes) == 1


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_percentile_is_right_to_a_fifth(history, share):
    for milliseconds in range(1, 1001):
        attempt(history, seconds=milliseconds / 1000)
    assert percentile(history.of("cms"), share) == pytest.approx(share, rel=0.2)


def test_without_attempts_there_is_no_percentile_and_the_longest_is_in_the_last_bound(
    history, clock
):
    assert percentile(history.of("cms"), 0.5) is None
    attempt(history, seconds=500)
    clock.advance(500)
    assert percentile(history.of("cms"), 0.5) > 90


async def test_what_waits_is_counted_once_a_minute_but_not_at_once(history, clock):
    assert await history._step() == (clock.now() // MINUTE + 1) * MINUTE
    assert history.overall()[-1].waiting is None
    clock.advance(60)
    await history._step()
    assert (history.of("cms")[-1].waiting, history.overall()[-1].waiting) == (7, 8)
