"""Pruning and erasing through the admin API."""

import aiohttp
import pytest

from gateway.core.retention import DAY

WEEK = 7 * DAY / 1_000_000


@pytest.fixture
async def api(gateway):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def call(method: str, path: str, **query: str):
            async with session.request(method, path, params=query) as answer:
                return answer.status, await answer.json(content_type=None)

        yield call


async def sent(gateway, **more) -> str:
    event = {"type": "license.expired", "subject": "license/1", "data": {"a": "s3nsitive"}, **more}
    name = (await gateway.send("getty", event))["id"]
    await gateway.settled()
    return name


async def test_what_is_kept_no_longer_goes_on_request_and_is_counted_first(gateway, api):
    await sent(gateway)
    # The loop is asleep until it is woken, and the clock wakes it: stop it to be first.
    await gateway.service._prune.loop.stop()
    gateway.clock.advance(WEEK + 60)
    status, counted = await api("POST", "/api/v1/prune", dry_run="true")
    expected = {"events": 1, "inbox": 0, "once": 0, "audit": 0, "operations": 0, "next": None}
    assert (status, counted) == (200, expected)
    assert (await api("POST", "/api/v1/prune"))[1] == expected
    assert (await api("GET", "/api/v1/events"))[1]["items"] == []
    _, audit = await api("GET", "/api/v1/audit")
    assert [(e["action"], e["object"]) for e in audit["items"]] == [("prune", "(all)")]
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.get("/metrics") as answer,
    ):
        assert 'gateway_pruned_total{kind="events"} 1.0' in await answer.text()


async def test_a_running_gateway_prunes_by_itself(gateway, seen):
    name = await sent(gateway)
    gateway.clock.advance(WEEK + 60)
    gateway.service._prune.loop.wake()
    assert await seen(gateway, "retention.pruned") == [{"events": 1}]
    assert await gateway.service._store.event(name) is None


async def test_an_erased_event_is_shown_as_that_and_answers_clearly(gateway, api):
    gateway.endpoint("pager").reply(500, body=b"s3nsitive")
    name = await sent(gateway)
    status, counted = await api("POST", "/api/v1/erase", subject="license/1", dry_run="true")
    assert (status, counted["events"]) == (200, 1)
    _, done = await api("POST", "/api/v1/erase", subject="license/1")
    assert (done["events"], done["cancelled"], done["under_way"]) == (1, 0, 0)
    _, last = await api("POST", "/api/v1/erase", subject="license/1", cursor=done["next"])
    assert (last["next"], last["log_emptied"]) == (None, True)
    _, event = await api("GET", f"/api/v1/events/{name}")
    assert event["erased_at"] is not None
    assert "s3nsitive" not in str(event)
    assert [d["state"] for d in event["deliveries"]] == ["delivered", "cancelled"]
    for path in (
        f"/api/v1/events/{name}/replay",
        f"/api/v1/deliveries/{event['deliveries'][1]['id']}/redeliver",
    ):
        status, problem = await api("POST", path)
        assert (status, problem["code"]) == (409, "event-erased")
    assert (await api("GET", "/api/v1/events/recorded"))[1]["items"] == []


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("erase", {}),
        ("erase", {"subject": "a", "dryrun": "true"}),
        ("prune", {"dry_run": "yes"}),
        ("prune", {"subject": "a"}),
    ],
)
async def test_what_it_does_not_understand_it_does_not_do(gateway, api, path, query):
    status, problem = await api("POST", f"/api/v1/{path}", **query)
    assert (status, problem["code"]) == (400, "parameter-invalid")
