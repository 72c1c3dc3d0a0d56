"""Flows joined as the service joins them, on a real store, with a sender that answers as scripted."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from gateway.config.part import Surroundings
from gateway.config.routes import load_routes
from gateway.config.secrets import SecretBook
from gateway.core.egress import LOOPBACK, EgressPolicy
from gateway.core.model import Accepted, Call, Outcome, Refused, Response
from gateway.core.routes import Routes
from gateway.flows.answers import Answers
from gateway.flows.audit import Audit
from gateway.flows.claim import Claim
from gateway.flows.confirm import Confirm
from gateway.flows.deliver import Deliver
from gateway.flows.expire import Expire
from gateway.flows.follow import Follow
from gateway.flows.ingest import Ingest
from gateway.flows.intake import Intake
from gateway.flows.keep import Keep
from gateway.flows.know import Know
from gateway.flows.lanes import Lanes
from gateway.flows.late import Late
from gateway.flows.news import Tell
from gateway.flows.operate import Operate
from gateway.flows.plans import MakePlanned
from gateway.flows.reclaim import Reclaim
from gateway.flows.record import Recorder
from gateway.flows.refusals import Refusals
from gateway.flows.silence import Silence
from gateway.flows.verify import Verify
from gateway.telemetry import Telemetry
from gateway.testing import ManualClock
from tests.kit.build import some_routes

_serials = itertools.count(500_000, 1_000_000)
"""So that several on one store give names of their own, and none that a test made (tests/kit/build.py)."""


class ScriptedSender:
    """Answers calls as scripted, then 200; holds them while `may_answer` is not set."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.script: deque[Outcome] = deque()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.under_way = 0
        self.most_under_way = 0
        self._only_one = False
        self._called = asyncio.Condition()

    async def send(self, call: Call) -> Outcome:
        self.calls.append(call)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        async with self._called:
            self._called.notify_all()
        try:
            await self.may_answer.wait()
        finally:
            self.under_way -= 1
        if self._only_one:
            self._only_one = False
            self.may_answer.clear()
        return self.script.popleft() if self.script else Accepted(Response(status=200))

    async def close(self) -> None:
        pass

    async def called(self, count: int) -> None:
        """Wait until so many calls were made."""
        async with self._called:
            await self._called.wait_for(lambda: len(self.calls) >= count)

    def answer_one(self) -> None:
        """Answer one call that waits, and hold those that follow."""
        self._only_one = True
        self.may_answer.set()

    def answers(self, *statuses: int) -> None:
        """Answer the next calls with these statuses."""
        for status in statuses:
            response = Response(status=status)
            self.script.append(Accepted(response) if response.ok else Refused(response))


@dataclass
class Flows:
    """Everything, joined."""

    store: Any
    clock: ManualClock
    routes: Routes
    sender: Any = field(default_factory=ScriptedSender)
    caller: Any = None
    """What sends all but plain posts; by default *sender* sends them too."""
    handlers: dict[str, Any] = field(default_factory=dict)
    disk: Any = None
    nodes: Any = None

    def __post_init__(self) -> None:
        self.telemetry = Telemetry()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self._changed = asyncio.Event()
        self.telemetry.listen(self._report)
        self.callbacks = self.routes.callbacks
        self.lanes = Lanes(1000)
        self.lanes.configure(self.routes.endpoints)
        common = {"clock": self.clock, "telemetry": self.telemetry}
        self.broken = asyncio.Event()
        self.intake = Intake(
            store=self.store, disk=self.disk, lanes=self.lanes, broken=self.broken, **common
        )
        self.recorder = Recorder(self.store, self.lanes, **common)
        self.deliver = Deliver(
            lanes=self.lanes, leases=self.store, acts=self.store, recorder=self.recorder, post=self.sender,
            call=self.caller or self.sender, handler=lambda name: self.handlers[name],
            follow=Follow(lambda: self.routes), **common,
        )  # fmt: skip
        self.claim = Claim(
            lanes=self.lanes, store=self.store, deliver=self.deliver, nodes=self.nodes, **common
        )
        self.reclaim = Reclaim(
            store=self.store, lanes=self.lanes, claim=self.claim, recorder=self.recorder, **common
        )
        self.refusals = Refusals(store=self.store, first_serial=1, **common)
        know = Know(self.store)
        self.keep = Keep(
            know=know,
            routes=self.routes, store=self.store, lanes=self.lanes, deliver=self.deliver,
            first_serial=next(_serials), **common,
        )  # fmt: skip
        self.ingest = Ingest(
            keep=self.keep, store=self.store, refusals=self.refusals,
            verify=Verify(self.sender, self.clock, self.telemetry), intake=self.intake, **common,
        )  # fmt: skip
        self.expire = Expire(store=self.store, **common)
        self.late = Late(look_up=self.store, store=self.store, **common)
        self.confirm = Confirm(
            look_up=self.store, store=self.store, keep=self.keep, inbox=self.store, **common
        )
        self.make_planned = MakePlanned(
            store=self.store, inbox=self.store, keep=self.keep, **common
        )
        self.tell = Tell(keep=self.keep, redact=str, **common)
        self.silence = Silence(
            routes=lambda: self.routes, tell=self.tell.tell, look_up=self.store, store=self.store, **common
        )  # fmt: skip
        self.answers = Answers(self.store, self.callbacks, Audit(self.store, **common), **common)
        self.operate = Operate(
            know=know, answers=self.answers,
            store=self.store, look_up=self.store, lanes=self.lanes, deliver=self.deliver,
            routes=lambda: self.routes, **common,
        )  # fmt: skip

    def _report(self, name: str, fields: dict[str, Any]) -> None:
        self.reports.append((name, fields))
        self._changed.set()

    async def seen(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """The reports of that name, once there are so many."""
        while len(found := [f for n, f in self.reports if n == name]) < count:
            self._changed.clear()
            await self._changed.wait()
        return found

    def start(self) -> None:
        for loop in (*self._loops(), self.refusals.loop):
            loop.start()

    def _loops(self):
        flows = (
            self.intake, self.recorder, self.claim, self.reclaim, self.expire, self.late, self.confirm,
            self.tell, self.silence, self.make_planned,
        )  # fmt: skip
        return [self.deliver.timer.loop, *(flow.loop for flow in flows)]

    async def stop(self) -> None:
        if isinstance(self.sender, ScriptedSender):
            self.sender.may_answer.set()
        await self.deliver.drain(1_000_000)
        for loop in self._loops():
            await loop.stop()
        await self.refusals.close()
        await self.tell.close()

    async def states(self) -> dict[str, str]:
        """The state of every delivery, by endpoint (by id where there are several)."""
        return {d["endpoint"]: d["state"] for d in await self.store.deliveries({"limit": 500})}


@pytest_asyncio.fixture
async def make_flows(store, clock) -> AsyncIterator[Any]:
    """Make flows with these routes, and start their loops."""
    made: list[Flows] = []

    def make(routes: Routes | None = None, **more: Any) -> Flows:
        flows = Flows(store, clock, routes or some_routes(({}, "cms")), **more)
        made.append(flows)
        flows.start()
        return flows

    yield make
    for flows in made:
        await flows.stop()


FILE = """\
version: 1
sources:
  getty: {verify: none}
endpoints:
  tracker: {url: "http://127.0.0.1:9/tracker", sign: none}
  cms: {url: "http://127.0.0.1:9/cms", sign: none}
"""


@pytest.fixture
def flows_of(make_flows, tmp_path):
    """Flows that go by a routes file."""

    def flows_of(text: str):
        path = tmp_path / "routes.yaml"
        path.write_text(FILE + text)
        secrets = SecretBook({}, tmp_path / "secrets.json")
        around = Surroundings(
            secrets=secrets, egress=EgressPolicy(allow=LOOPBACK), find_handler=lambda *_: ""
        )
        loaded = load_routes(path, around)
        assert not loaded.errors, loaded.errors
        return make_flows(loaded.routes)

    return flows_of
