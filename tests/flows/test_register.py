"""What routes keep of events, and what they know of things when the next one comes."""

import asyncio

from gateway.core.model import SECOND, rfc3339
from gateway.core.register import Entry, Look
from tests.flows.test_plans import arrive, sent
from tests.kit.build import NOW, an_event

WATCH = """
routes:
  - name: watch
    match: {type: asset.updated}
    remember: {collection: asset, key: "${event.data.id}", value: "${event.data}"}
    when: '!stale && has(known.asset) && known.asset.terms != event.data.terms'
    emit:
      type: terms.changed
      data: {id: "${event.data.id}", before: "${known.asset.terms}", after: "${event.data.terms}"}
  - {name: tell, match: {type: terms.changed}, to: [cms]}
"""


def an_asset(terms: str, *, asset: str = "a1", at: int = NOW, **more):
    data = {"id": asset, "terms": terms}
    return an_event(event_type="asset.updated", data=data, time=rfc3339(at), **more)


async def known(flows, key: str, collection: str = "asset"):
    look = Look(collection, key)
    return (await flows.store.look([look]))[look]


def changes(flows) -> list[tuple[str, str]]:
    return [(e["data"]["before"], e["data"]["after"]) for e in sent(flows, "cms")]


async def test_a_change_is_noticed_with_what_was_before_and_what_is_after(flows_of):
    flows = flows_of(WATCH)
    await arrive(flows, an_asset("free"))
    await arrive(flows, an_asset("free"))
    await arrive(flows, an_asset("editorial"))
    await flows.seen("attempt.recorded", 1)
    assert changes(flows) == [("free", "editorial")]
    assert await known(flows, "a1") == Entry({"id": "a1", "terms": "editorial"}, NOW)


async def test_an_older_event_that_comes_late_changes_nothing(flows_of):
    flows = flows_of(WATCH)
    await arrive(flows, an_asset("editorial"))
    await arrive(flows, an_asset("free", at=NOW - SECOND))
    assert await known(flows, "a1") == Entry({"id": "a1", "terms": "editorial"}, NOW)
    assert (await flows.store.plans({})).items == []
    assert len(await flows.store.events({})) == 2


async def test_of_several_in_one_request_each_is_compared_with_the_one_before(flows_of):
    flows = flows_of(WATCH)
    await arrive(flows, *(an_asset(terms) for terms in "abc"))
    await flows.seen("attempt.recorded", 2)
    assert sorted(changes(flows)) == [("a", "b"), ("b", "c")]


async def test_of_many_that_come_at_once_each_is_compared_with_the_one_before(flows_of):
    flows = flows_of(WATCH)
    await arrive(flows, an_asset("0"))
    await asyncio.gather(*(arrive(flows, an_asset(str(n))) for n in range(1, 21)))
    await flows.seen("attempt.recorded", 20)
    found = changes(flows)
    befores, afters = {before for before, _ in found}, {after for _, after in found}
    assert afters == {str(n) for n in range(1, 21)}
    assert len(befores) == 20


async def test_entries_are_looked_up_by_key_and_by_field(flows_of):
    flows = flows_of("""
routes:
  - name: placements
    match: {type: asset.published}
    remember: {collection: placement, key: "${event.data.asset}/${event.data.ref}"}
  - name: assets
    match: {type: asset.updated}
    remember: {collection: asset, key: "${event.data.id}"}
  - name: expiring
    match: {type: license.expiring}
    known:
      asset: ${event.data.asset}
      placements: {collection: placement, where: {asset: "${event.data.asset}"}}
    when: known.?asset.?terms.orValue("") == "free"
    to:
      - endpoint: cms
        each: ${known.placements}
        call: {path: "/posts/${item.ref}", json: {asset: "${known.asset.id}"}}
""")
    for ref in ("p1", "p2"):
        await arrive(
            flows, an_event(event_type="asset.published", data={"asset": "a1", "ref": ref})
        )
    await arrive(flows, an_asset("free"), an_asset("free", asset="a2"))
    await arrive(flows, an_event(event_type="license.expiring", data={"asset": "a1"}))
    await arrive(flows, an_event(event_type="license.expiring", data={"asset": "a3"}))
    await flows.seen("attempt.recorded", 2)
    assert sorted(call.url.rsplit("/cms", 1)[1] for call in flows.sender.calls) == [
        "/posts/p1",
        "/posts/p2",
    ]
    assert await flows.store.inbox({}) == []


async def test_what_a_withdrawal_forgets_is_known_no_longer(flows_of):
    flows = flows_of("""
routes:
  - {name: keep, match: {type: asset.updated}, remember: {collection: asset, key: "${event.data.id}"}}
  - name: forget
    match: {type: asset.withdrawn}
    remember: {collection: asset, key: "${event.data.id}", forget: true}
    when: has(known.asset)
    to: [cms]
""")
    gone = {"event_type": "asset.withdrawn", "data": {"id": "a1"}, "time": rfc3339(NOW)}
    await arrive(flows, an_asset("free", at=NOW - SECOND))
    await arrive(flows, an_event(**gone))
    await arrive(flows, an_event(**gone))
    await flows.seen("attempt.recorded", 1)
    assert await known(flows, "a1") == Entry(None, NOW)
    assert len(flows.sender.calls) == 1


async def test_a_key_that_cannot_be_computed_is_in_the_inbox_and_other_routes_go_on(flows_of):
    flows = flows_of(WATCH + "  - {name: all, match: {type: asset.updated}, to: [cms]}\n")
    await arrive(flows, an_event(event_type="asset.updated", data={}))
    await flows.seen("attempt.recorded", 1)
    (entry,) = await flows.store.inbox({})
    assert (entry["code"], "route watch, remember: key" in entry["detail"]) == (
        "expression-failed",
        True,
    )


async def test_a_replay_tells_a_register_that_came_later_and_asks_it(flows_of):
    flows = flows_of("routes: [{name: all, match: {type: asset.updated}, to: [cms]}]")
    event = an_asset("free")
    await arrive(flows, event)
    again = flows_of(WATCH)
    await again.operate.replay(event.event_id)
    assert await known(again, "a1") == Entry({"id": "a1", "terms": "free"}, NOW)
