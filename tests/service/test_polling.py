"""Sources that are asked: a gateway against Getty's API as it behaves, over real sockets."""

import asyncio
import os

import aiohttp
import pytest
import pytest_asyncio

from gateway.config.settings import Settings
from gateway.flows.poll import Pollers
from gateway.service import Service
from gateway.testing import ManualClock
from tests.kit.getty import KEY, SECRET, FakeGetty, getty_error, too_many

ROUTES = """
version: 1
sources:
  getty:
    poll: {{preset: getty-asset-changes, url: "{url}", token_url: "{url}/oauth2/token", batch: 2, rate: 1000/s}}
endpoints: {{cms: {{url: "http://127.0.0.1:9/cms", sign: none}}}}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""
ANYWHERE = ("127.0.0.1", 0)


@pytest_asyncio.fixture
async def getty():
    fake = await FakeGetty().start()
    yield fake
    await fake.stop()


@pytest_asyncio.fixture
async def serve(tmp_path, getty):
    """Start a gateway that polls Getty; its clock stands still."""
    started = []

    async def serve(routes: str = ROUTES) -> Service:
        (tmp_path / "routes.yaml").write_text(routes.format(url=getty.url))
        settings = Settings(
            routes=tmp_path / "routes.yaml", database=tmp_path / "gateway.db", listen=ANYWHERE,
            admin=ANYWHERE, grace="0s", ballast="0", paused=True,
        )  # fmt: skip
        environment = {**os.environ, "GETTY_API_KEY": KEY, "GETTY_API_SECRET": SECRET}
        clock = ManualClock()
        service = await Service.open(settings, environment=environment, clock=clock)
        service.clock, service.reports = clock, []
        service.heard = asyncio.Event()

        def hear(name, fields):
            service.reports.append((name, fields))
            service.heard.set()

        service.telemetry.listen(hear)
        await service.start()
        started.append(service)
        return service

    yield serve
    for service in started:
        await service.stop()


async def polled(service: Service, outcome: str, count: int = 1) -> dict:
    """Wait for so many polls that ended so; the last."""
    while True:
        found = [f for n, f in service.reports if n in ("source.polled", "poll.failed")]
        found = [fields for fields in found if fields["outcome"] == outcome]
        if len(found) >= count:
            return found[count - 1]
        service.heard.clear()
        await service.heard.wait()


async def events_of(service: Service) -> list[dict]:
    found = await service._store.events({"limit": 500})
    return [(await service._store.event(each["id"])).attributes for each in reversed(found)]


async def test_changes_become_events_and_are_acknowledged_after_that(getty, serve):
    getty.change("847116840")
    getty.change("2", "New")
    getty.change("3", "Deleted", asset_type=None, channel="2")
    service = await serve()
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
    service = await serve()
    await polled(service, "empty")
    (event,) = await events_of(service)
    assert event["id"] == "gac-1-847116840-update-2026-11-20T09:14:03Z"
    assert len(getty.acknowledged) == 1


async def test_what_comes_again_is_a_duplicate(getty, serve):
    getty.change("847116840")
    getty.may_acknowledge.clear()
    service = await serve()
    await getty.until(lambda: any(each.startswith("DELETE") for each in getty.asked))
    await service._pollers.close()  # as a crash would, before it is acknowledged
    getty.may_acknowledge.set()
    service._pollers.loop.wake()
    await polled(service, "empty")
    assert len(await events_of(service)) == 1


async def test_after_429_it_waits_longer_each_time(getty, serve):
    getty.failing = [too_many(), too_many()]
    service = await serve()
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
    service = await serve()
    await polled(service, "empty")
    getty.tokens.clear()
    service.clock.advance(60)
    await polled(service, "empty", 2)
    assert getty.asked["POST /oauth2/token"] == 2


async def test_a_key_that_is_refused_is_told_to_the_operator(getty, serve):
    getty.failing = [getty_error(403, "Forbidden") for _ in range(3)]
    service = await serve()
    failed = await polled(service, "unauthorized")
    assert "403, Forbidden" in failed["reason"]
    assert KEY not in str(service.status())
    text = service._metrics.exposition().decode()
    assert 'gateway_polls_total{outcome="unauthorized",source="getty"} 1.0' in text


async def test_nobody_posts_to_such_a_source(serve):
    service = await serve()
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


async def test_of_several_nodes_one_asks_until_it_ends(getty, serve):
    service = await serve()
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
        await one.loop.stop()
        await one.close()
        service.clock.advance(30)
        await polled(service, "empty", 3)
        assert other.shown()[0]["outcome"] == "empty"
    finally:
        for pollers in (one, other):
            await pollers.loop.stop()
            await pollers.close()


async def test_a_reload_does_not_ask_again(getty, serve):
    service = await serve()
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
    service = await serve()
    await polled(service, "empty")
    (entry,) = await service._store.inbox({"limit": 10})
    assert (entry["source"], entry["code"]) == ("getty", "body-unreadable")
    assert [event["subject"] for event in await events_of(service)] == ["asset/2"]
    assert len(getty.acknowledged) == 1
