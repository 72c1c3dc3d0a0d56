"""What came in unreadable is read once more: it comes no second time."""

from dataclasses import replace

import orjson

from gateway.core.model import SECOND, InboxEntry
from gateway.flows.audit import Audit
from gateway.flows.history import History
from gateway.flows.read_again import ReadAgain
from tests.flows.test_turns import a_route, routes_of
from tests.kit.build import NOW

BODY = orjson.dumps({"specversion": "1.0", "id": "1", "source": "x", "type": "a.b", "data": {}})


async def test_a_source_whose_entry_is_read_again_has_not_been_heard(make_flows, clock):
    routes = routes_of(a_route("all", match={"type": "none"}))
    getty = replace(routes.sources["getty"], silent_after=7200 * SECOND)
    flows = make_flows(replace(routes, sources={"getty": getty}))
    history = History(None, clock, flows.telemetry)
    await flows.silence._step()
    await flows.store.keep(
        InboxEntry(
            id="inb_1", source="getty", code="invalid-json", detail="x", received_at=NOW,
            content_type="application/cloudevents+json", body=BODY,
        )
    )  # fmt: skip
    clock.advance(3600)
    read_again = ReadAgain(
        look_up=flows.store, store=flows.store, keep=flows.keep, routes=lambda: flows.routes,
        clock=clock, audit=Audit(flows.store, clock, flows.telemetry),
    )  # fmt: skip
    (receipt,) = await read_again.again("inb_1")
    await flows.silence._step()
    assert not receipt.duplicate
    assert await flows.store.told_till("heard/getty") == NOW
    assert history.overall()[-1].received == 0
