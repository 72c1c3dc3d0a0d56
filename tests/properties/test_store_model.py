"""The store against a dict: append, claim, crash, reclaim, record, redeliver, in any order.

Invariants: nothing that was kept is lost, no delivery has two live leases, no attempt follows a
recorded success, and what the store shows is what the model says.
"""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from gateway.core.errors import LeaseLost
from gateway.core.model import SECOND, parse_delivery_id
from gateway.core.retry import Finish, GiveUp, RetryAt
from gateway.core.state import State, may_move
from tests.kit.build import NOW, a_lease, an_arrival, an_event
from tests.kit.stores import Database, OnPostgres, OnSqlite
from tests.store.test_contract import an_attempt

ENDPOINTS = ("cms", "pager")


class StoreMachine(RuleBasedStateMachine):
    """One store, and what it should hold."""

    engine: Callable[[], Database] = OnSqlite
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = self.engine()
        self.store = self.run(self.opened.open())
        self.now = NOW
        self.state: dict[str, State] = {}
        self.token: dict[str, int] = {}
        self.until: dict[str, int] = {}
        self.due: dict[str, int] = {}
        self.endpoint: dict[str, str] = {}
        self.attempts: dict[str, int] = {}

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.run(self.opened.remove())
        self.runner.close()

    def move(self, name: str, to: State) -> None:
        assert may_move(self.state[name], to), f"{self.state[name]} → {to}"
        self.state[name] = to

    @rule(
        target=leases,
        to=st.lists(st.sampled_from(ENDPOINTS), min_size=1, max_size=3),
        leased=st.booleans(),
        count=st.integers(1, 3),
    )
    def append(self, to, leased, count):
        arrivals = [
            an_arrival(an_event(received_at=self.now), to=tuple(to), leased=leased)
            for _ in range(count)
        ]
        self.run(_append(self.store, arrivals))
        held = []
        for delivery in (d for a in arrivals for d in a.deliveries):
            self.state[delivery.id] = State.LEASED if leased else State.SCHEDULED
            self.due[delivery.id] = self.now
            self.endpoint[delivery.id] = delivery.endpoint
            self.attempts[delivery.id] = 0
            if leased:
                self.token[delivery.id] = delivery.lease.token
                self.until[delivery.id] = delivery.lease.until
                held.append(delivery)
        return multiple(*held)

    @rule(target=leases, endpoint=st.sampled_from(ENDPOINTS), count=st.integers(1, 4))
    def claim(self, endpoint, count):
        due = {
            name
            for name, state in self.state.items()
            if state is State.SCHEDULED
            and self.endpoint[name] == endpoint
            and self.due[name] <= self.now
        }
        wanted = [a_lease(until=self.now + 30 * SECOND) for _ in range(count)]
        claimed = self.run(self.store.claim(endpoint, wanted, self.now))
        assert len(claimed) == min(count, len(due))
        for delivery in claimed:
            assert delivery.id in due
            assert delivery.attempts == self.attempts[delivery.id]
            self.move(delivery.id, State.LEASED)
            self.token[delivery.id], self.until[delivery.id] = (
                delivery.lease.token,
                delivery.lease.until,
            )
        return multiple(*claimed)

    @rule(
        delivery=consumes(leases),
        decision=st.sampled_from(["finish", "retry", "give up"]),
        wait=st.integers(0, 60),
    )
    def record(self, delivery, decision, wait):
        name = delivery.id
        delivery.attempts += 1
        due_at = self.now + wait * SECOND
        made = {
            "finish": Finish(),
            "retry": RetryAt(due_at, "http-500"),
            "give up": GiveUp("http-500"),
        }
        attempt = an_attempt(delivery.attempts, started_at=self.now)
        holds = self.state[name] is State.LEASED and self.token[name] == delivery.lease.token
        try:
            self.run(_record(self.store, delivery, attempt, made[decision]))
        except LeaseLost:
            assert not holds
            return
        assert holds
        self.attempts[name] += 1
        self.due[name] = due_at
        ends = {"finish": State.DELIVERED, "retry": State.SCHEDULED, "give up": State.DEAD}
        self.move(name, ends[decision])

    @rule(delivery=consumes(leases))
    def release(self, delivery):
        name = delivery.id
        self.run(self.store.release([delivery]))
        if self.state[name] is State.LEASED and self.token[name] == delivery.lease.token:
            self.move(name, State.SCHEDULED)

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds):
        self.now += seconds * SECOND

    @rule()
    def reclaim(self):
        expired = [
            n for n, s in self.state.items() if s is State.LEASED and self.until[n] < self.now
        ]
        assert self.run(self.store.reclaim(self.now)) == len(expired)
        for name in expired:
            self.move(name, State.SCHEDULED)

    @rule()
    def crash_and_open_again(self):
        self.run(self.store.close())
        self.store = self.run(self.opened.open())

    @rule(pick=st.integers(0, 1000))
    def redeliver(self, pick):
        if not self.state:
            return
        name = sorted(self.state)[pick % len(self.state)]
        event_id, n = _split(name)
        before = self.run(self.store.redeliver(event_id, n, self.now))
        assert before == self.state[name]
        if self.state[name] in {State.DEAD, State.CANCELLED}:
            self.move(name, State.SCHEDULED)
            self.due[name] = self.now

    @rule(pick=st.integers(0, 1000))
    def cancel(self, pick):
        if not self.state:
            return
        name = sorted(self.state)[pick % len(self.state)]
        before = self.run(self.store.cancel(*_split(name), self.now, "by hand"))
        assert before == self.state[name]
        if self.state[name] is State.SCHEDULED:
            self.move(name, State.CANCELLED)

    @invariant()
    def the_store_shows_what_the_model_says(self):
        shown = {d["id"]: d for d in self.run(self.store.deliveries({"limit": 500}))}
        assert {name: d["state"] for name, d in shown.items()} == {
            n: s.value for n, s in self.state.items()
        }
        assert {name: d["attempts"] for name, d in shown.items()} == self.attempts

    @invariant()
    def what_is_due_first_is_known(self):
        expected = {}
        for name, state in self.state.items():
            if state is State.SCHEDULED:
                endpoint = self.endpoint[name]
                expected[endpoint] = min(expected.get(endpoint, self.due[name]), self.due[name])
        assert self.run(self.store.next_due()) == expected


async def _append(store, arrivals):
    return await store.append(arrivals)


async def _record(store, delivery, attempt, decision):
    await store.record(delivery, attempt, decision)


def _split(name):
    return parse_delivery_id(name)


class PostgresMachine(StoreMachine):
    engine = OnPostgres


def _of(machine, examples: int):
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=[*settings().suppress_health_check],
    )
    return pytest.mark.timeout(120)(machine.TestCase)


TestStoreModel = _of(StoreMachine, 15)
TestStoreModelOnPostgres = pytest.mark.faults(
    pytest.mark.usefixtures("postgres")(_of(PostgresMachine, 5))
)
