"""Turns on a real store, in any order of arrivals, claims, outcomes, crashes and operators' doings.

Invariants: one delivery of a key in flight, in the order of priority and arrival, whatever the clocks of those
say who named the events; of a slot only the latest waits; nobody goes before those that it waits for have ended; and once all can go, all end.
"""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.core.model import (
    SECOND,
    After,
    Arrival,
    EventId,
    Priority,
    Routed,
    Turn,
    parse_delivery_id,
)
from gateway.core.retry import Finish, GiveUp, RetryAt
from gateway.core.state import FINAL
from gateway.core.turns import place_of
from tests.kit.build import NOW, a_delivery, a_lease, an_event
from tests.kit.stores import Database, OnPostgres, OnSqlite
from tests.store.test_contract import an_attempt

ENDPOINTS = ("cms", "pager")
FOREVER = NOW + 10_000_000 * SECOND

turns = st.fixed_dictionaries(
    {
        "endpoint": st.sampled_from(ENDPOINTS),
        "key": st.sampled_from([None, "a", "a", "b"]),
        "priority": st.sampled_from([Priority.HIGH, Priority.NORMAL, Priority.NORMAL]),
        "how": st.sampled_from(["plain", "plain", "delay", "expires", "slot"]),
        "after": st.sampled_from([None, None, "ended", "delivered"]),
        "leased": st.booleans(),
    }
)


class TurnsMachine(RuleBasedStateMachine):
    """One store, and what each of its deliveries asked for."""

    engine: Callable[[], Database] = OnSqlite

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = self.engine()
        self.store = self.run(self.opened.open())
        self.now = NOW
        self.asked: dict[str, dict] = {}
        self.order: list[str] = []
        self.held = {}
        self.rows: dict[str, dict] = {}

    def run(self, coroutine):
        return self.runner.run(coroutine)

    def teardown(self) -> None:
        self.drain()
        self.run(self.store.close())
        self.run(self.opened.remove())
        self.runner.close()

    def look(self) -> None:
        found, query = [], {"limit": 500}
        while page := self.run(self.store.deliveries(query)):
            found += page
            query["cursor"] = parse_delivery_id(page[-1]["id"])
        self.rows = {row["id"]: row for row in found}

    @initialize(differ=st.booleans())
    def begin(self, differ):
        self.clocks = (-2 * SECOND, 0, 2 * SECOND) if differ else (0,)

    @rule(wanted=st.lists(turns, min_size=1, max_size=4), node=st.integers(0, 2))
    def arrive(self, wanted, node):
        event = an_event(received_at=self.now)
        named_at = self.now + self.clocks[node % len(self.clocks)]
        event.event_id = EventId(f"evt_{place_of(event.event_id, named_at)}")
        made = []
        for n, asks in enumerate(wanted):
            turn = Turn(key=asks["key"])
            if asks["how"] == "delay":
                turn.due_at = self.now + 30 * SECOND
            elif asks["how"] == "expires":
                turn.expires_at = self.now + 40 * SECOND
            elif asks["how"] == "slot" and asks["key"]:
                turn.slot = f"r/{asks['endpoint']}/{asks['key']}"
                turn.settle, turn.longest = 5 * SECOND, 20 * SECOND
            if asks["after"] and made:
                turn.after = [After([made[-1]], "before", asks["after"] == "delivered")]
                made[-1].leads = True
            delivery = a_delivery(event, n=n, endpoint=asks["endpoint"])
            # Within one event the priority is that of its route.
            delivery.priority, delivery.turn = wanted[0]["priority"], turn
            if asks["leased"] and turn.at_once:
                delivery.lease = a_lease(until=self.now + 30 * SECOND)
            made.append(delivery)
        arrival = Arrival(event=event, routed=Routed(made, matched=["r"]), since=0)
        (receipt,) = self.run(_append(self.store, [arrival]))
        for delivery in made:
            self.order.append(delivery.id)
            self.asked[delivery.id] = {
                "turn": delivery.turn, "endpoint": delivery.endpoint, "priority": delivery.priority,
                "after": [d.id for each in delivery.turn.after for d in each.deliveries],
            }  # fmt: skip
            if delivery.lease is not None and delivery.n not in receipt.waiting:
                self.began(delivery)

    def began(self, delivery) -> None:
        """An attempt may begin: it has to be this one's turn."""
        name = delivery.id
        asked = self.asked[name]
        self.look()
        assert self.rows[name]["state"] == "leased"
        for other in asked["after"]:
            assert self.rows[other]["state"] in FINAL
        assert delivery.turn is None or (delivery.turn.expires_at or FOREVER) > self.now
        key = asked["turn"].key
        # What takes its place later does so by the clock.
        if key is not None and (
            asked["turn"].at_once or (len(self.clocks) == 1 and asked["turn"].due_at is None)
        ):
            mine = self.order.index(name)
            for other in self.order[:mine]:
                theirs = self.asked[other]
                if (
                    (theirs["endpoint"], theirs["turn"].key) == (asked["endpoint"], key)
                    and theirs["turn"].at_once  # others take their place later
                    and theirs["priority"] <= asked["priority"]
                    and other not in self.redelivered
                ):
                    assert self.rows[other]["state"] in FINAL, f"{name} overtook {other}"
        self.held[name] = delivery

    redelivered: frozenset[str] = frozenset()

    @rule(endpoint=st.sampled_from(ENDPOINTS), count=st.integers(1, 4))
    def claim(self, endpoint, count):
        self.look()
        leases = [a_lease(until=self.now + 30 * SECOND) for _ in range(count)]
        for delivery in self.run(self.store.claim(endpoint, leases, self.now)):
            self.began(delivery)

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 99), decision=st.sampled_from(["finish", "finish", "retry", "dead"]))
    def record(self, pick, decision):
        name = sorted(self.held)[pick % len(self.held)]
        delivery = self.held.pop(name)
        delivery.attempts += 1
        made = {
            "finish": Finish(),
            "retry": RetryAt(self.now + 10 * SECOND, "http-500"),
            "dead": GiveUp("http-500"),
        }
        attempt = an_attempt(delivery.attempts, started_at=self.now)
        self.run(_record(self.store, delivery, attempt, made[decision]))

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 99))
    def release(self, pick):
        name = sorted(self.held)[pick % len(self.held)]
        self.run(self.store.release([self.held.pop(name)]))

    @rule(seconds=st.integers(1, 25))
    def time_passes(self, seconds):
        self.now += seconds * SECOND

    @rule()
    def crash(self):
        self.run(self.store.close())
        self.store = self.run(self.opened.open())
        self.run(self.store.reclaim(FOREVER))
        self.held.clear()

    @rule()
    def expire(self):
        self.run(self.store.expire(self.now, 100))

    @precondition(lambda self: self.order)
    @rule(pick=st.integers(0, 999))
    def cancel(self, pick):
        name = self.order[pick % len(self.order)]
        self.run(self.store.cancel(*parse_delivery_id(name), self.now, "by hand"))

    @precondition(lambda self: self.order)
    @rule(pick=st.integers(0, 999))
    def redeliver(self, pick):
        name = self.order[pick % len(self.order)]
        state = self.run(self.store.redeliver(*parse_delivery_id(name), self.now))
        if state in {
            "dead",
            "cancelled",
        }:  # it takes its old place, and others may have gone meanwhile
            self.redelivered |= {name}
            self.asked[name]["after"] = []
            for other in self.asked.values():  # which may wait for it again
                other["after"] = [each for each in other["after"] if each != name]

    @invariant()
    def one_of_a_key_is_in_flight(self):
        self.look()
        flying = [
            (row["endpoint"], row["key"])
            for row in self.rows.values()
            if row["state"] == "leased" and row["key"] is not None
        ]
        assert len(flying) == len(set(flying))

    @invariant()
    def one_of_a_slot_waits(self):
        waiting = [
            self.asked[name]["turn"].slot
            for name, row in self.rows.items()
            if row["state"] == "scheduled" and name not in self.redelivered
        ]
        slots = [slot for slot in waiting if slot is not None]
        flying = {
            self.asked[name]["turn"].slot
            for name, row in self.rows.items()
            if row["state"] == "leased"
        }
        # What was leased may have come back beside a newer one: the next claim sees to it.
        assert all(slots.count(slot) <= 2 for slot in slots if slot not in flying)

    def drain(self) -> None:
        """Whatever there is ends when all may go: nothing waits for what never comes."""
        for delivery in list(self.held.values()):
            self.run(self.store.release([delivery]))
        self.held.clear()
        for _ in range(len(self.order) * 3 + 10):
            self.now += 60 * SECOND
            self.run(self.store.expire(self.now, 100))
            for endpoint in ENDPOINTS:
                leases = [a_lease(until=self.now + 30 * SECOND) for _ in range(8)]
                for delivery in self.run(self.store.claim(endpoint, leases, self.now)):
                    delivery.attempts += 1
                    attempt = an_attempt(delivery.attempts, started_at=self.now)
                    self.run(_record(self.store, delivery, attempt, Finish()))
        self.look()
        left = {name: row for name, row in self.rows.items() if row["state"] not in FINAL}
        assert not left


async def _append(store, arrivals):
    return await store.append(arrivals)


async def _record(store, delivery, attempt, decision):
    await store.record(delivery, attempt, decision)


class PostgresMachine(TurnsMachine):
    engine = OnPostgres


def _of(machine, examples: int):
    machine.TestCase.settings = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        phases=[
            Phase.generate,
            Phase.reuse,
        ],  # each step commits: to make a case smaller takes minutes
        suppress_health_check=[*settings().suppress_health_check],
    )
    return pytest.mark.timeout(180)(machine.TestCase)


TestTurnsModel = _of(TurnsMachine, 15)
TestTurnsModelOnPostgres = pytest.mark.faults(
    pytest.mark.usefixtures("postgres")(_of(PostgresMachine, 8))
)
