"""Sources that are asked: a gateway against Getty's API as it behaves, over real sockets."""

import re

import aiohttp
import pytest

from gateway.core import words
from gateway.core.errors import Conflict, StoreUnavailable
from gateway.flows.feed import Feed
from gateway.flows.poll import Pollers
from tests.kit.getty import KEY, getty_error, too_many
from tests.kit.polled import events_of, polled

ROUTES = """
version: 1
sources:
  getty:
    poll: {{preset: getty-asset-changes, url: "{url}", token_url: "{url}/oauth2/token", batch: 2, rate: 1000/s}}
endpoints: {{cms: {{url: "http://127.0.0.1:9/cms", sign: none}}}}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""


async def test_changes_become_events_and_are_acknowledged_after_that(getty, serve):
    getty.change("847116840")
    getty.change("2", "New")
    getty.change("3", "Deleted", asset_type=None, channel="2")
    service = await serve(ROUTES)
    await polled(service, "empty")
    types = {(e["subject"], e["type"]) for e in await events_of(service)}
    assert types == {
        ("asset/847116840", "asset.updated"),
        ("asset/2", "asset.updated"),
        ("asset/3", "asset.withdrawn"),
    }
    assert len(getty.acknowledged) == 2
    assert getty.asked["GET /v3/asset-changes/channels"] == 1
    (shown,) = service.status()["polls"]
    assert (shown["source"], shown["outcome"], shown["failures"]) == ("getty", "empty", 0)


@pytest.mark.parametrize("spelling", ["camel", "pascal"])
async def test_fields_may_be_spelled_as_in_any_version(getty, serve, spelling):
    getty.spelling = spelling
    getty.change("847116840")
    service = await serve(ROUTES)
    await polled(service, "empty")
    (event,) = await events_of(service)
    assert event["id"] == "gac-1-847116840-update-2026-11-20T09:14:03Z"
    assert len(getty.acknowledged) == 1


async def test_what_comes_again_is_a_duplicate(getty, serve):
    getty.change("847116840")
    getty.may_acknowledge.clear()
    service = await serve(ROUTES)
    await getty.until(lambda: any(each.startswith("DELETE") for each in getty.asked))
    await service._pollers.close()  # as a crash would, before it is acknowledged
    getty.may_acknowledge.set()
    service._pollers.loop.wake()
    await polled(service, "empty")
    assert len(await events_of(service)) == 1


async def test_after_429_it_waits_longer_each_time(getty, serve):
    getty.failing = [too_many(), too_many()]
    service = await serve(ROUTES)
    failed = await polled(service, "throttled")
    assert "Account Over Queries Per Second Limit" in failed["reason"]
    service.clock.advance(1)
    await polled(service, "throttled", 2)
    service.clock.advance(1)  # not yet
    assert service.status()["polls"][0]["failures"] == 2
    service.clock.advance(1)
    await polled(service, "empty")
    assert service.status()["polls"][0]["failures"] == 0


async def test_a_token_that_is_refused_is_replaced_once(getty, serve):
    service = await serve(ROUTES)
    await polled(service, "empty")
    getty.tokens.clear()
    service.clock.advance(60)
    await polled(service, "empty", 2)
    assert getty.asked["POST /oauth2/token"] == 2


async def test_a_key_that_is_refused_is_told_to_the_operator(getty, serve):
    getty.failing = [getty_error(403, "Forbidden") for _ in range(3)]
    service = await serve(ROUTES)
    failed = await polled(service, "unauthorized")
    assert "403, Forbidden" in failed["reason"]
    assert KEY not in str(service.status())
    text = service._metrics.exposition().decode()
    assert 'gateway_polls_total{outcome="unauthorized",source="getty"} 1.0' in text


async def test_nobody_posts_to_such_a_source(serve):
    service = await serve(ROUTES)
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{service.public_url}/in/getty", json={"type": "x"}) as answer,
    ):
        assert answer.status == 404


FEED = """
version: 1
sources:
  feed:
    poll: {{preset: http, url: "{url}/feed", rate: 1000/s, headers: {{Api-Key: {{env: GETTY_API_KEY}}}}}}
    event: {{each: "${{body.items}}", type: license.renewed, id: "${{item.id}}"}}
endpoints: {{cms: {{url: "http://127.0.0.1:9/cms", sign: none}}}}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""


async def test_any_url_is_asked_and_not_read_again_while_it_is_the_same(getty, serve):
    getty.feed = [{"id": "a"}, {"id": "b"}]
    service = await serve(FEED)
    assert (await polled(service, "events"))["came"] == 2
    service.clock.advance(60)
    await polled(service, "empty")
    getty.feed = [*getty.feed, {"id": "c"}]
    service.clock.advance(60)
    await polled(service, "events", 2)
    assert [event["id"] for event in await events_of(service)] == ["a", "b", "c"]


async def test_what_cannot_be_read_is_put_into_the_inbox(getty, serve):
    getty.feed = [{"name": "nobody"}]
    service = await serve(FEED)
    await polled(service, "events")
    (entry,) = await service._store.inbox({"limit": 10})
    assert (entry["source"], entry["code"]) == ("feed", "expression-failed")
    service.clock.advance(900)
    await polled(service, "empty")
    assert len(await service._store.inbox({"limit": 10})) == 1


async def test_of_several_nodes_one_asks_until_it_ends(getty, serve):
    service = await serve(ROUTES)
    await polled(service, "empty")
    await service._pollers.loop.stop()
    await service._pollers.close()
    one, other = (
        Pollers(
            routes=lambda: service.routes, keep=service._keep, store=service._store,
            sender=service._senders.call, check_room=lambda: None, clock=service.clock,
            telemetry=service.telemetry, shared=True,
        )
        for _ in range(2)
    )  # fmt: skip
    try:
        one.loop.start()
        await polled(service, "empty", 2)
        other.loop.start()
        await other._step()
        await other._running["getty"]._step()
        assert other.shown()[0]["outcome"] == "elsewhere"
        with pytest.raises(Conflict, match="another gateway"):
            await other.now("getty")
        await one.loop.stop()
        await one.close()
        service.clock.advance(30)
        await polled(service, "empty", 3)
        assert other.shown()[0]["outcome"] == "empty"
    finally:
        for pollers in (one, other):
            await pollers.loop.stop()
            await pollers.close()


async def test_a_fault_of_the_gateway_itself_is_a_failed_poll(getty, serve, monkeypatch):
    async def broken(*_):
        raise OverflowError("a fault")

    monkeypatch.setattr(Feed, "__call__", broken)
    service = await serve(FEED)
    poll = await polled(service, "failed")
    assert "a fault of the gateway: OverflowError" in poll["reason"]
    assert poll["failures"] == 1


async def test_a_reload_does_not_ask_again(getty, serve):
    service = await serve(ROUTES)
    await polled(service, "empty")
    asked = getty.asked.total()
    checked = await service.reload_routes()
    assert checked.routes is not None
    (poller,) = service._pollers._running.values()
    await service._pollers._step()
    assert poller.source is service.routes.sources["getty"]
    assert getty.asked.total() == asked


async def test_a_change_of_no_known_form_goes_to_the_inbox_and_keeps_no_other(getty, serve):
    getty.change("1", "Exploded")
    getty.change("2")
    service = await serve(ROUTES)
    await polled(service, "empty")
    (entry,) = await service._store.inbox({"limit": 10})
    assert (entry["source"], entry["code"]) == ("getty", "body-unreadable")
    assert [event["subject"] for event in await events_of(service)] == ["asset/2"]
    assert len(getty.acknowledged) == 1


PAGED = FEED.replace(
    'url: "{url}/feed"', 'url: "{url}/feed", cursor: {{value: "${{body.next}}", parameter: after}}'
)


async def test_a_feed_is_read_on_from_where_it_was_read_last(getty, serve):
    getty.feed = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    getty.feed_page = 2
    service = await serve(PAGED)
    await polled(service, "empty")
    assert [event["id"] for event in await events_of(service)] == ["a", "b", "c"]
    assert getty.queries == [{}, {"after": "2"}, {"after": "3"}]  # at once: more waited
    assert await service._store.position_of("feed") == "3"
    await service._pollers.close()  # as with a restart
    getty.feed.append({"id": "d"})
    service._pollers.loop.wake()
    assert (await polled(service, "events", 3))["came"] == 1
    assert getty.queries[3] == {"after": "3"}


async def test_where_a_feed_was_read_up_to_is_not_written_before_what_was_read_is_kept(
    getty, serve
):
    getty.feed = [{"id": "a"}]
    getty.feed_page = 2
    service = await serve(PAGED)
    await polled(service, "empty")
    append = service._store.append

    async def fails(_arrivals):
        raise StoreUnavailable("the disk is full", cure="wait")

    service._keep._store.append = fails
    getty.feed.append({"id": "b"})
    service.clock.advance(60)
    await getty.until(lambda: len(getty.queries) == 3)
    assert await service._store.position_of("feed") == "1"
    service._keep._store.append = append
    service.clock.advance(2)
    await polled(service, "events", 2)
    assert await service._store.position_of("feed") == "2"
    assert [event["id"] for event in await events_of(service)] == ["a", "b"]


async def test_a_cursor_that_cannot_be_computed_is_told(getty, serve):
    getty.feed = [{"id": "a"}]
    service = await serve(PAGED)
    failed = await polled(service, "failed")
    assert "`cursor`" in failed["reason"]
    assert [event["id"] for event in await events_of(service)] == ["a"]  # it is kept all the same


async def test_after_many_failures_it_waits_for_minutes_and_is_told(getty, serve):
    """Half an hour of 429: seldom asked, visible all the while, and well by itself in the end."""
    getty.failing = [too_many() for _ in range(12)]
    service = await serve(ROUTES)
    for count in range(1, 13):
        await polled(service, "throttled", count)
        (shown,) = service.status()["polls"]
        assert (shown["outcome"], shown["failures"]) == ("throttled", count)
        asked = getty.asked.total()
        await service._pollers._running["getty"]._step()  # as the loop does every half minute
        assert getty.asked.total() == asked
        service.clock.advance(900)
    await polled(service, "empty")
    assert service.status()["polls"][0]["failures"] == 0


async def test_an_operator_has_a_source_asked_at_once(getty, serve):
    service = await serve(ROUTES)
    await polled(service, "empty")
    getty.change("1")
    async with aiohttp.ClientSession(service.admin_url) as session:
        async with session.post("/api/v1/sources/getty/poll") as answer:
            told = await answer.json()
        assert (answer.status, told["outcome"], told["came"]) == (200, "events", 1)
        async with session.post("/api/v1/sources/nobody/poll") as answer:
            assert answer.status == 404
        async with session.get("/api/v1/audit", params={"action": "poll"}) as answer:
            entries = (await answer.json())["items"]
    outcomes = {each["object"]: each["outcome"] for each in entries}
    assert outcomes == {"nobody": "not-found", "getty": "done"}


async def test_an_operator_has_it_asked_also_while_it_waits_after_failures(getty, serve):
    getty.failing = [too_many()]
    service = await serve(ROUTES)
    await polled(service, "throttled")
    assert (await service._pollers.now("getty"))["outcome"] == "empty"
    assert service.status()["polls"][0]["failures"] == 0


async def test_a_source_that_is_posted_to_is_not_asked(getty, serve):
    service = await serve(FEED.replace("sources:", "sources:\n  dam: {{verify: none}}"))
    with pytest.raises(Conflict, match="is posted to"):
        await service._pollers.now("dam")


async def test_the_first_page_shows_what_is_asked_and_has_it_asked(getty, serve):
    getty.failing = [too_many()]
    service = await serve(ROUTES)
    await polled(service, "throttled")
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(service.admin_url, cookie_jar=jar) as session:
        async with session.get("/") as answer:
            page = await answer.text()
        assert "Sources that are asked" in page
        assert "is throttled" in page
        form = {"csrf": re.findall(r'name="csrf" value="([^"]+)"', page)[0], "back": "/"}
        getty.change("1")
        async with session.post("/sources/getty/poll", data=form) as answer:
            page = await answer.text()
    assert "getty: 1 new event." in page
    assert "is throttled" not in page


def test_many_failures_are_told_in_words():
    poll = {"outcome": "throttled", "failures": 7, "came": 0}
    assert words.polled(poll) == "is throttled, 7 times in a row"
    assert words.polled({"outcome": "events", "failures": 0, "came": 2}) == "2 new events"


async def test_what_does_not_fit_its_type_goes_to_the_inbox_and_is_acknowledged(getty, serve):
    getty.change("1", asset_type="Painting")
    service = await serve(ROUTES.replace("poll:", "validate: inbox\n    poll:"))
    await polled(service, "empty")
    (entry,) = await service._store.inbox({"limit": 10})
    assert (entry["source"], entry["code"]) == ("getty", "data-invalid")
    assert "data.asset.asset_type is none of image, film, null" in entry["detail"]
    assert await events_of(service) == []
    assert len(getty.acknowledged) == 1


async def test_what_does_not_fit_its_type_is_told_where_that_is_all(getty, serve):
    getty.change("1", asset_type="Painting")
    service = await serve(ROUTES.replace("poll:", "validate: warn\n    poll:"))
    await polled(service, "empty")
    assert [event["subject"] for event in await events_of(service)] == ["asset/1"]
    (told,) = [fields for name, fields in service.reports if name == "event.misfit"]
    assert (told["source"], told["count"], told["type"]) == ("getty", 1, "asset.updated")
