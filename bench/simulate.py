"""What many nodes do to one database, in virtual time: `python -m bench.simulate`.

Nodes take what has come to them under a lease of the same commit, claim what is due with the semantics of
SKIP LOCKED, ask now and then what others have made due, give leases back that have become too short, and
reclaim what has expired; as gateway/flows/claim.py, lanes.py, deliver.py and reclaim.py do. Some die,
others stand still for longer than their leases and go on as if nothing had been. Nothing is measured
here: a statement takes as long as it is told to, however many there are. What comes out is how many
statements there are, how many of them find nothing, how long a dead node's work waits, and who does
how much. One seed, one result.
"""

import argparse
import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TypeAlias

from rich.console import Console
from rich.table import Table

from gateway.core.model import SECOND
from gateway.flows.claim import LOOK_EVERY
from gateway.flows.lanes import FEWEST_PLACES, LEASE_MARGIN
from gateway.flows.reclaim import wait_among

Seconds: TypeAlias = float

MARGIN: Seconds = LEASE_MARGIN / SECOND
ASK_EVERY: Seconds = LOOK_EVERY / SECOND
"""Give or take a third: as flows/claim.py has it where there are other nodes."""
NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated."""

    nodes: int = 100
    lanes: int = 10
    width: int = 4
    """Attempts that a node has under way in a lane."""
    seconds: Seconds = 60
    """So long events come; then it goes on until all has ended."""
    rate: float = 2000
    """Deliveries that come each second."""
    entry: int = 0
    """To so many nodes do events come; 0: to all."""
    backlog: int = 0
    """Deliveries that are due at the start."""
    attempt: Seconds = 0.1
    """How long one takes, on average."""
    timeout: Seconds = 20
    fails: float = 0.02
    """The share of attempts after which there is another, some seconds later."""
    statement: Seconds = 0.003
    skew: Seconds = 0.5
    """By so much at most clocks are wrong."""
    die: int = 0
    pause: int = 0
    pause_seconds: Seconds = 45
    seed: int = 7

    @property
    def places(self) -> int:
        """Of a node's lane, as flows/lanes.py has them."""
        return max(2 * self.width, FEWEST_PLACES)


@dataclass(slots=True, eq=False)
class Delivery:
    lane: int
    due_at: Seconds = 0
    scheduled: bool = True
    ended: bool = False
    token: int = 0
    binds_until: Seconds = 0
    """Until then its last lease counts, for whom it was given to; 0: it has given it up."""
    running: set["Node"] = field(default_factory=set)
    """Who makes an attempt at it: one, or others that have died or stand still."""
    orphan_since: Seconds | None = None


@dataclass(frozen=True, slots=True)
class Leased:
    """What a node knows of what it holds."""

    delivery: Delivery
    token: int
    until: Seconds


@dataclass(slots=True)
class Lane:
    due_at: Seconds = NEVER
    held: int = 0
    running: int = 0
    waiting: deque[Leased] = field(default_factory=deque)


@dataclass(slots=True)
class Report:
    """What came of it."""

    statements: Counter[str] = field(default_factory=Counter)
    """By kind, while events came."""
    empty: int = 0
    """Claims that found nothing, of those."""
    lost: int = 0
    """Outcomes that were refused because the lease was another's by then."""
    doubled: int = 0
    """Attempts that were begun while a dead or paused node had not recorded its own."""
    wrong: list[str] = field(default_factory=list)
    """Invariants that did not hold."""
    takeovers: list[Seconds] = field(default_factory=list)
    """From the death of a node until another leased what it held."""
    attempts: list[int] = field(default_factory=list)
    """Of each node that was there all the time."""
    made: int = 0
    ended: int = 0
    ended_at: Seconds = 0


class Database:
    """What is stored. A claim locks rows when it begins; others skip these until it is committed."""

    def __init__(self, lanes: int) -> None:
        self._due: list[list[tuple[Seconds, int, Delivery]]] = [[] for _ in range(lanes)]
        self._leased: list[tuple[Seconds, int, Delivery]] = []
        self._count = 0

    def schedule(self, delivery: Delivery, due_at: Seconds) -> None:
        self._count += 1
        delivery.scheduled, delivery.due_at, delivery.token = True, due_at, 0
        heapq.heappush(self._due[delivery.lane], (due_at, self._count, delivery))

    def lock(self, lane: int, most: int, now: Seconds) -> list[Delivery]:
        """Rows that are due, for as long as the claim takes."""
        due, rows = self._due[lane], []
        while due and len(rows) < most and due[0][0] <= now:
            rows.append(heapq.heappop(due)[2])
        return rows

    def lease(self, delivery: Delivery, until: Seconds) -> Leased:
        self._count += 1
        delivery.scheduled, delivery.token = False, self._count
        heapq.heappush(self._leased, (until, delivery.token, delivery))
        return Leased(delivery, delivery.token, until)

    def owns(self, leased: Leased) -> bool:
        return leased.delivery.token == leased.token

    def next_due(self) -> Iterable[tuple[int, Seconds]]:
        return [(lane, due[0][0]) for lane, due in enumerate(self._due) if due]

    def reclaim(self, now: Seconds) -> int:
        count = 0
        while self._leased and self._leased[0][0] < now:
            _, token, delivery = heapq.heappop(self._leased)
            if delivery.token == token:
                self.schedule(delivery, delivery.due_at)
                count += 1
        return count


class Simulation:
    """Time, chance, the database and all nodes."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.chance = random.Random(plan.seed)
        self.now: Seconds = 0
        self.database = Database(plan.lanes)
        self.report = Report()
        self._later: list[tuple[Seconds, int, Callable[[], None]]] = []
        self._count = 0
        self.nodes = [Node(self) for _ in range(plan.nodes)]
        woken_at = plan.seconds * 2 / 3 + plan.pause_seconds + 1 if plan.pause else 0
        self._settled_at = max(plan.seconds, woken_at)
        """No event comes any more, and whoever stood still has told what it had to tell."""

    def after(self, wait: Seconds, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._later, (self.now + max(0.0, wait), self._count, act))

    def statement(self, kind: str, then: Callable[[], None]) -> None:
        """Have a statement carried out; *then*, once it is committed."""
        if self.now <= self.plan.seconds:
            self.report.statements[kind] += 1
        self.after(self.plan.statement, then)

    def run(self) -> Report:
        """Until everything has ended, or it is plain that it never will."""
        self._begin()
        latest = self._settled_at + 3600
        while self._later and self.now < latest:
            self.now, _, act = heapq.heappop(self._later)
            act()
            if self.now > self._settled_at and self.report.ended == self.report.made:
                break
        if self.report.ended != self.report.made:
            self.report.wrong.append("a delivery has not ended")
        faulty = self.plan.die + self.plan.pause
        self.report.attempts = sorted(node.attempts for node in self.nodes[faulty:])
        return self.report

    def _begin(self) -> None:
        plan = self.plan
        for _ in range(plan.backlog):
            self._make()
        for node in self.nodes:
            self.after(self.chance.uniform(0, ASK_EVERY), node.ask)
            self.after(self.chance.uniform(0, self.reclaim_wait()), node.reclaim)
        if plan.rate:
            self._come()
        middle = plan.seconds / 3
        for node in self.nodes[: plan.die]:
            self.after(self.chance.uniform(middle, 2 * middle), node.die)
        for node in self.nodes[plan.die : plan.die + plan.pause]:
            self.after(self.chance.uniform(middle, 2 * middle), node.pause)

    def reclaim_wait(self) -> Seconds:
        """Between two looks of one node, for as many as are there."""
        return wait_among(sum(node.alive for node in self.nodes)) / SECOND

    def _make(self) -> Delivery:
        self.report.made += 1
        delivery = Delivery(self.chance.randrange(self.plan.lanes), self.now)
        self.database.schedule(delivery, self.now)
        return delivery

    def _come(self) -> None:
        """An event comes to a node that is there, and the next one soon."""
        doors = self.nodes[-self.plan.entry :]
        node = self.chance.choice([each for each in doors if each.works] or doors[-1:])
        self.report.made += 1
        node.take(Delivery(self.chance.randrange(self.plan.lanes), self.now))
        wait = self.chance.expovariate(self.plan.rate)
        if self.now + wait < self.plan.seconds:
            self.after(wait, self._come)


class Node:
    """One gateway."""

    def __init__(self, world: Simulation) -> None:
        self._world = world
        self._plan = world.plan
        self._skew = world.chance.uniform(-world.plan.skew, world.plan.skew)
        self._lanes = [Lane() for _ in range(world.plan.lanes)]
        self._outcomes: list[tuple[Leased, bool]] = []
        self._recording = self._asking = False
        self._wakes_at: Seconds = 0
        self._under_way: set[Leased] = set()
        self.alive = True
        self.attempts = 0

    @property
    def works(self) -> bool:
        return self.alive and self._world.now >= self._wakes_at

    @property
    def _clock(self) -> Seconds:
        return self._world.now + self._skew

    def _when_awake(self, act: Callable[[], None]) -> Callable[[], None]:
        """*act*, unless the node is dead; later, if it stands still."""

        def acted() -> None:
            if self.works:
                act()
            elif self.alive:
                self._world.after(self._wakes_at - self._world.now, acted)

        return acted

    def _later(self, wait: Seconds, act: Callable[[], None]) -> None:
        self._world.after(wait, self._when_awake(act))

    # -- what befalls it -----------------------------------------------------------------------------

    def die(self) -> None:
        self.alive = False
        waiting = [leased for lane in self._lanes for leased in lane.waiting]
        unrecorded = [leased for leased, _ in self._outcomes]
        for leased in (*waiting, *self._under_way, *unrecorded):
            self._orphan(leased)

    def _orphan(self, leased: Leased) -> None:
        if self._world.database.owns(leased):
            leased.delivery.orphan_since = self._world.now

    def pause(self) -> None:
        """Stand still: neither attempts nor anything else goes on, and it knows nothing of it."""
        self._wakes_at = self._world.now + self._plan.pause_seconds

    # -- what comes to it ----------------------------------------------------------------------------

    def take(self, delivery: Delivery) -> None:
        """An event is committed: with a lease where its lane has a place."""
        lane = self._lanes[delivery.lane]
        places = self._plan.places // (2 if lane.due_at <= self._clock else 1)
        if lane.held >= places:
            self._world.database.schedule(delivery, self._world.now)
            self._note_due(delivery.lane, self._world.now)
            return
        lane.held += 1
        lane.waiting.append(self._lease(delivery))
        self._begin(delivery.lane)

    # -- claiming --------------------------------------------------------------------------------------

    def ask(self) -> None:
        """What is due next, in each lane: now and then."""
        wait = ASK_EVERY * (1 + self._world.chance.uniform(-1, 1) * 0.3)
        self._world.after(wait, self.ask)
        if self.works:
            self._refresh()

    def _refresh(self) -> None:
        if not self._asking:
            self._asking = True
            self._world.statement("ask", self._when_awake(self._asked))

    def _asked(self) -> None:
        self._asking = False
        for number, due_at in self._world.database.next_due():
            if due_at <= self._clock:  # what is due later, whoever put it there comes for
                self._note_due(number, due_at)

    def _note_due(self, number: int, due_at: Seconds) -> None:
        lane = self._lanes[number]
        if due_at < lane.due_at:
            lane.due_at = due_at
            self._later(due_at - self._clock, lambda: self._claim(number))

    def _claim(self, number: int) -> None:
        lane = self._lanes[number]
        wanted = self._plan.places - lane.held
        if lane.due_at > self._clock or wanted < max(1, self._plan.places // 4):
            return
        lane.due_at = NEVER
        lane.held += wanted
        rows = self._world.database.lock(number, wanted, self._clock)
        if self._world.now <= self._plan.seconds:
            self._world.report.empty += not rows
        until = self._clock + self._plan.timeout + MARGIN

        def committed() -> None:
            leased = [self._lease(row, until) for row in rows]
            if self.alive:  # else nobody hears of them
                self._when_awake(lambda: self._claimed(number, wanted, leased))()
            else:
                for each in leased:
                    self._orphan(each)

        self._world.statement("claim", committed)

    def _claimed(self, number: int, wanted: int, leased: list[Leased]) -> None:
        lane = self._lanes[number]
        lane.held -= wanted - len(leased)
        lane.waiting.extend(leased)
        self._begin(number)
        if len(leased) == wanted:
            self._note_due(number, self._clock)
        else:
            self._refresh()

    def _lease(self, delivery: Delivery, until: Seconds | None = None) -> Leased:
        report, now = self._world.report, self._world.now
        if delivery.ended or not delivery.scheduled:
            report.wrong.append("what was not scheduled was leased")
        if delivery.binds_until - 2 * self._plan.skew > now:
            report.wrong.append("two leases at once")
        if delivery.orphan_since is not None:
            report.takeovers.append(now - delivery.orphan_since)
            delivery.orphan_since = None
        until = self._clock + self._plan.timeout + MARGIN if until is None else until
        delivery.binds_until = until - self._skew
        return self._world.database.lease(delivery, until)

    def reclaim(self) -> None:
        """What has expired, whoever held it, is scheduled again."""
        jitter = 1 + self._world.chance.uniform(-1, 1) * 0.3
        self._world.after(self._world.reclaim_wait() * jitter, self.reclaim)
        if not self.works:
            return

        def reclaimed() -> None:
            if self._world.database.reclaim(self._clock):
                self._refresh()

        self._world.statement("reclaim", self._when_awake(reclaimed))

    # -- attempts ------------------------------------------------------------------------------------

    def _begin(self, number: int) -> None:
        lane, back = self._lanes[number], []
        while lane.waiting and lane.running < self._plan.width:
            leased = lane.waiting.popleft()
            if leased.until - self._clock < self._plan.timeout:  # it could end after its lease
                lane.held -= 1
                back.append(leased)
                continue
            lane.running += 1
            self._attempt(number, leased)
        if back:
            self._world.statement("release", lambda: self._released(back))

    def _released(self, back: list[Leased]) -> None:
        for leased in back:
            if self._world.database.owns(leased):
                leased.delivery.binds_until = 0
                self._world.database.schedule(leased.delivery, leased.delivery.due_at)
                self._note_due(leased.delivery.lane, leased.delivery.due_at)

    def _attempt(self, number: int, leased: Leased) -> None:
        delivery, report = leased.delivery, self._world.report
        if any(node.works for node in delivery.running):
            report.wrong.append("two nodes at one delivery")
        report.doubled += bool(delivery.running)
        delivery.running.add(self)
        self._under_way.add(leased)
        self.attempts += 1
        chance = self._world.chance
        lasts = min(chance.expovariate(1 / self._plan.attempt), self._plan.timeout)
        failed = chance.random() < self._plan.fails
        self._later(lasts, lambda: self._ended(number, leased, failed=failed))

    def _ended(self, number: int, leased: Leased, *, failed: bool) -> None:
        leased.delivery.running.discard(self)
        self._under_way.discard(leased)
        lane = self._lanes[number]
        lane.running -= 1
        lane.held -= 1
        self._outcomes.append((leased, failed))
        self._record()
        self._begin(number)
        self._claim(number)

    def _record(self) -> None:
        """All outcomes that wait, by one statement at a time."""
        if self._recording or not self._outcomes:
            return
        self._recording = True
        batch, self._outcomes = self._outcomes, []

        def committed() -> None:
            for leased, failed in batch:
                self._recorded(leased, failed=failed)
            self._recording = False
            self._when_awake(self._record)()

        self._world.statement("record", committed)

    def _recorded(self, leased: Leased, *, failed: bool) -> None:
        delivery, report = leased.delivery, self._world.report
        if not self._world.database.owns(leased):
            report.lost += 1
            return
        delivery.binds_until = 0
        if failed:
            due_at = self._world.now + 5 * (1 + self._world.chance.uniform(-1, 1) / 5)
            self._world.database.schedule(delivery, due_at)
            self._note_due(delivery.lane, due_at)
        else:
            delivery.token, delivery.ended, delivery.orphan_since = 0, True, None
            report.ended += 1
            report.ended_at = self._world.now


# -- what is told --------------------------------------------------------------------------------------

SCENARIOS: dict[str, Plan] = {
    "steady": Plan(die=5, pause=5),
    "one door": Plan(entry=1, die=5, pause=5),
    "backlog": Plan(rate=0, backlog=400_000, seconds=10, die=5, pause=5),
    "idle": Plan(rate=1),
}
"""Events that come to all nodes; to one of them; that have waited for long; hardly any."""


def rows(plan: Plan, report: Report) -> dict[str, str]:
    """The figures, by name."""

    def per_second(kind: str) -> str:
        return f"{report.statements[kind] / min(plan.seconds, report.ended_at):,.1f}"

    claims, least, most = report.statements["claim"], report.attempts[0], report.attempts[-1]
    takeovers = report.takeovers
    return {
        "claims a second": per_second("claim"),
        "of those, empty": f"{report.empty / max(1, claims):.0%}",
        "asks a second": per_second("ask"),
        "reclaims a second": per_second("reclaim"),
        "leases given back, statements a second": per_second("release"),
        "recording statements a second": per_second("record"),
        "deliveries taken over from dead nodes": f"{len(takeovers):,}",
        "… after, median": f"{median(takeovers):.1f} s" if takeovers else "-",
        "… after, longest": f"{max(takeovers):.1f} s" if takeovers else "-",
        "outcomes refused, for their lease was lost": f"{report.lost:,}",
        "attempts made twice": f"{report.doubled:,} of {report.made:,}",
        "attempts of a node, least / median / most": f"{least:,} / {median(report.attempts):,.0f} / {most:,}",
        "all ended after": f"{report.ended_at:.0f} s",
        "invariants that did not hold": f"{len(report.wrong)}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.simulate", description=__doc__)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    told = {}
    for name, plan in SCENARIOS.items():
        changed = replace(plan, nodes=options.nodes, seed=options.seed)
        told[name] = rows(changed, Simulation(changed).run())
    table = Table("", *told, box=None)
    for figure in next(iter(told.values())):
        table.add_row(figure, *(found[figure] for found in told.values()))
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
