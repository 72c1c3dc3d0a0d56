"""Operations that a page began are carried on, one beside the other."""

from contextlib import suppress

from gateway.core.access import LOCAL
from gateway.core.bulk import Action
from gateway.core.errors import BodyCorrupt
from gateway.flows.carry_on import CarryOn
from tests.flows.test_bulk import SLOW, bulk_of, cancelled, paused


async def test_an_operation_that_fails_holds_up_no_other(make_flows, monkeypatch):
    flows = await paused(make_flows)
    await cancelled(flows, 12)
    bulk = bulk_of(flows)
    carry_on = CarryOn(bulk, flows.clock, flows.telemetry)
    sought = {"state": "cancelled"}
    bad, good = [await carry_on.begin(Action.REDELIVER, sought, SLOW, LOCAL) for _ in range(2)]
    go_on = bulk.go_on

    async def go_on_but_one(action, name, *rest):
        if name == bad:
            raise BodyCorrupt("the row has changed")
        return await go_on(action, name, *rest)

    monkeypatch.setattr(bulk, "go_on", go_on_but_one)
    for _ in range(20):
        flows.clock.advance(1)
        with suppress(BodyCorrupt):
            await carry_on._step()
    assert (bad in carry_on, good in carry_on) == (True, False)
    assert (await bulk.operation(good)).finished_at is not None
