"""The admin listener."""

import asyncio

import aiohttp
import pytest

from gateway import __version__
from gateway.testing import Gateway


@pytest.fixture
async def api(gateway):
    """Call the admin API: status and decoded answer."""
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def call(method: str, path: str, **more):
            async with session.request(method, path, **more) as answer:
                text = await answer.text()
                is_json = "json" in answer.headers.get("content-type", "")
                return answer.status, (await answer.json(content_type=None)) if is_json else text

        yield call


async def an_expired_licence(gateway) -> str:
    answer = await gateway.send(
        "getty", {"type": "license.expired", "subject": "license/1", "data": {"a": 1}}
    )
    return answer["id"]


async def test_an_event_is_shown_with_its_deliveries_and_attempts(gateway, api):
    gateway.endpoint("pager").reply(500, body=b"out of order")
    name = await an_expired_licence(gateway)
    await gateway.settled()
    status, event = await api("GET", f"/api/v1/events/{name}")
    assert (status, event["attributes"]["type"], event["data"]) == (
        200,
        "license.expired",
        {"a": 1},
    )
    cms, pager = event["deliveries"]
    assert (cms["state"], cms["attempts"][0]["status"]) == ("delivered", 200)
    assert (pager["state"], pager["attempts"][0]["excerpt"]) == ("dead", "out of order")
    assert pager["reason"] == "http-500 (after 1 attempt)"


async def test_events_are_listed_filtered_and_paged(gateway, api):
    names = [await an_expired_licence(gateway) for _ in range(3)]
    _, page = await api("GET", "/api/v1/events?limit=2")
    assert [e["id"] for e in page["items"]] == names[:0:-1]
    _, rest = await api("GET", f"/api/v1/events?limit=2&cursor={page['next']}")
    assert ([e["id"] for e in rest["items"]], rest["next"]) == ([names[0]], None)
    _, none = await api("GET", "/api/v1/events?type=other")
    assert none["items"] == []


async def test_an_event_tells_by_which_routes_files_it_was_routed(gateway, api):
    name = await an_expired_licence(gateway)
    _, event = await api("GET", f"/api/v1/events/{name}")
    _, page = await api("GET", "/api/v1/events")
    _, status = await api("GET", "/api/v1/status")
    assert event["routes"] == page["items"][0]["routes"] == status["routes"]["fingerprint"] != ""


async def test_deliveries_are_listed_and_paged(gateway, api):
    await an_expired_licence(gateway)
    await gateway.settled()
    _, page = await api("GET", "/api/v1/deliveries?limit=1&state=delivered")
    _, rest = await api("GET", f"/api/v1/deliveries?limit=1&cursor={page['next']}")
    assert {page["items"][0]["endpoint"], rest["items"][0]["endpoint"]} == {"cms", "pager"}


@pytest.mark.parametrize(
    "query",
    [
        "state=gone",
        "since=yesterday",
        "since=2026-01-01",
        "limit=0",
        "limit=501",
        "limit=x",
        "nonsense=1",
    ],
)
async def test_parameters_are_read_strictly(api, query):
    status, problem = await api("GET", f"/api/v1/deliveries?{query}")
    assert (status, problem["code"]) == (400, "parameter-invalid")


async def test_a_dead_letter_is_redelivered(gateway, api):
    gateway.endpoint("pager").reply(500)
    await an_expired_licence(gateway)
    await gateway.settled()
    _, dead = await api("GET", "/api/v1/deliveries?state=dead")
    name = dead["items"][0]["id"]
    assert await api("POST", f"/api/v1/deliveries/{name}/redeliver") == (
        202,
        {"id": name, "state": "scheduled"},
    )
    await gateway.endpoint("pager").calls(2)
    assert (await api("POST", f"/api/v1/deliveries/{name}/redeliver"))[0] == 409


async def test_an_event_is_replayed(gateway, api):
    name = await an_expired_licence(gateway)
    status, answer = await api("POST", f"/api/v1/events/{name}/replay")
    assert (status, len(answer["deliveries"]), answer["failures"]) == (202, 2, [])
    await gateway.endpoint("cms").calls(2)


async def test_an_endpoint_is_paused_and_resumed_and_its_work_cancelled(gateway, api):
    assert (await api("POST", "/api/v1/endpoints/cms/pause"))[1]["state"] == "paused"
    await an_expired_licence(gateway)
    _, waiting = await api("GET", "/api/v1/deliveries?endpoint=cms")
    name = waiting["items"][0]["id"]
    assert (await api("POST", f"/api/v1/deliveries/{name}/cancel"))[1]["state"] == "cancelled"
    _, endpoints = await api("GET", "/api/v1/endpoints")
    assert {e["name"]: e["state"] for e in endpoints["items"]} == {"cms": "paused", "pager": "open"}
    assert (await api("POST", "/api/v1/endpoints/cms/resume"))[1]["state"] == "open"


async def test_a_pause_has_a_reason_that_the_endpoint_shows(api):
    await api("POST", "/api/v1/endpoints/cms/pause?reason=they+migrate")
    _, shown = await api("GET", "/api/v1/endpoints/cms")
    assert (shown["state"], shown["reason"]) == ("paused", "they migrate")
    assert shown["since"] is not None


@pytest.mark.parametrize("query", ["limit=5", "reason=" + "x" * 501])
async def test_what_a_pause_cannot_be_told_is_refused_and_nothing_is_paused(api, query):
    status, problem = await api("POST", f"/api/v1/endpoints/cms/pause?{query}")
    assert (status, problem["code"]) == (400, "parameter-invalid")
    assert (await api("GET", "/api/v1/endpoints/cms"))[1]["state"] == "open"


async def test_an_endpoint_shows_its_breaker_what_waits_and_how_fast_it_may_go(routes_file, seen):
    text = routes_file.read_text().replace(
        "retry: {schedule: []}\n    breaker: off",
        "retry: {schedule: [1h, 1h]}\n    breaker: {failures: 1}",
    )
    routes_file.write_text(text.replace("sign: none\n", "sign: none\n    rate: 100/s\n"))
    async with Gateway(routes_file) as gateway:
        gateway.endpoint("pager").reply(500)
        recorded = asyncio.create_task(seen(gateway, "attempt.recorded", 2))
        await asyncio.to_thread(lambda: None)
        await an_expired_licence(gateway)
        await recorded
        async with aiohttp.ClientSession(gateway.service.admin_url) as session:
            async with session.get("/api/v1/endpoints/pager") as answer:
                shown = await answer.json()
            async with session.get("/metrics") as answer:
                metrics = await answer.text()
    assert shown["breaker"] == "open"
    assert shown["reason"] == "a failure, the last: http-500"
    assert (shown["waiting"], shown["rate"], shown["running"]) == (1, "100/s", 0)
    assert shown["since"] < shown["probe_at"] < shown["due_at"]
    assert 'gateway_endpoint_breaker{endpoint="pager",state="open"} 1.0' in metrics
    assert 'gateway_endpoint_breaker{endpoint="cms",state="closed"} 1.0' in metrics
    assert 'gateway_endpoint_open{endpoint="pager"} 0.0' in metrics


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/endpoints/x"),
        ("GET", "/api/v1/events/evt_0"), ("POST", "/api/v1/events/evt_0/replay"),
        ("GET", "/api/v1/deliveries/dlv_0_0"), ("GET", "/api/v1/deliveries/x"),
        ("POST", "/api/v1/deliveries/dlv_0_0/redeliver"), ("POST", "/api/v1/endpoints/x/pause"),
        ("GET", "/nope"),
    ],
)  # fmt: skip
async def test_what_is_not_there_is_not_found(api, method, path):
    status, problem = await api(method, path)
    assert (status, problem["code"]) == (404, "not-found")


async def test_a_method_that_does_not_fit_is_refused_with_those_that_do(api):
    status, problem = await api("GET", "/api/v1/endpoints/cms/pause")
    assert (status, problem["code"]) == (405, "method-not-allowed")


async def test_the_inbox_shows_what_was_unreadable(gateway, api):
    await gateway.send("getty", b'{"specversion" no json')
    _, page = await api("GET", "/api/v1/inbox?source=getty")
    assert page["items"][0]["body"] == '{"specversion" no json'


async def test_status_stats_and_readiness_tell_an_operator_more(gateway, api):
    await an_expired_licence(gateway)
    await gateway.settled()
    _, ready = await api("GET", "/readyz")
    assert (ready["ready"], ready["routes"]["endpoints"]) == (True, 2)
    _, status = await api("GET", "/api/v1/status")
    assert {e["name"] for e in status["endpoints"]} == {"cms", "pager"}
    assert (await api("GET", "/api/v1/stats"))[1]["unmatched"] == 0
    assert (await api("GET", "/version"))[1] == {"version": __version__}


async def test_of_the_store_and_its_disk_status_and_metrics_tell(gateway, api, seen):
    shown = (await api("GET", "/readyz"))[1]["store"]
    assert (shown["state"], shown["reason"], shown["ballast"]) == ("ok", "", True)
    assert shown["free_bytes"] > 0
    metrics = (await api("GET", "/metrics"))[1]
    assert "gateway_store_available 1.0" in metrics
    assert "gateway_disk_ballast 1.0" in metrics
    gateway.service._disk.reserve_bytes = 1 << 60  # so much is free nowhere
    await seen(gateway, "disk.full")
    status, detail = await api("GET", "/readyz")
    assert (status, detail["store"]["state"]) == (503, "disk-full")
    assert "free some space" in detail["store"]["reason"]
    assert "gateway_store_available 0.0" in (await api("GET", "/metrics"))[1]


async def test_a_corrupt_delivery_is_counted_as_such_and_as_dead(gateway, api):
    gateway.service.telemetry.emit("delivery.corrupt", delivery="dlv_x", endpoint="cms")
    metrics = (await api("GET", "/metrics"))[1]
    assert 'gateway_deliveries_corrupt_total{endpoint="cms"} 1.0' in metrics
    assert 'gateway_deliveries_total{endpoint="cms",outcome="dead"} 1.0' in metrics


async def test_metrics_count_what_happened(gateway, api):
    gateway.endpoint("pager").reply(500)
    await an_expired_licence(gateway)
    await gateway.send("getty", {"type": "nobody.cares"})
    await gateway.post("getty", b"{}", {"content-type": "application/json"})
    await gateway.post("open", b"", {})
    await gateway.post("nobody", b"{}", {})
    await gateway.settled()
    _, text = await api("GET", "/metrics")
    for line in (
        'gateway_events_received_total{outcome="accepted",source="getty"} 1.0',
        'gateway_events_received_total{outcome="unmatched",source="getty"} 1.0',
        'gateway_events_received_total{outcome="verification-failed",source="getty"} 1.0',
        'gateway_events_received_total{outcome="empty-body",source="open"} 1.0',
        'gateway_events_received_total{outcome="unknown-source",source="(unknown)"} 1.0',
        'gateway_attempts_total{endpoint="cms",outcome="accepted"} 1.0',
        'gateway_deliveries_total{endpoint="pager",outcome="dead"} 1.0',
        'gateway_attempt_duration_seconds_count{endpoint="cms"} 1.0',
        'gateway_delivery_duration_seconds_count{endpoint="cms"} 1.0',
        'gateway_endpoint_open{endpoint="cms"} 1.0',
        'gateway_dead_letters{endpoint="pager"} 1.0',
        'gateway_backlog_deliveries{endpoint="cms"} 0.0',
        'gateway_backlog_oldest_seconds{endpoint="cms"} 0.0',
    ):
        assert line in text


async def test_the_routes_in_force_are_shown_with_what_they_did(gateway, api):
    await an_expired_licence(gateway)
    await gateway.settled()
    status, answer = await api("GET", "/api/v1/routes")
    assert status == 200
    to_cms, to_pager = answer["items"]
    assert (to_cms["name"], to_cms["mode"], to_cms["endpoints"]) == ("to-cms", "live", ["cms"])
    assert (to_cms["counts"], to_pager["counts"]) == ({"matched": 1}, {"matched": 1})


async def test_an_event_tells_what_was_withheld_and_status_what_fails(routes_file):
    text = routes_file.read_text()
    text += """\
  - {name: shadow, mode: shadow, match: {}, to: [cms]}
  - {name: broken, owner: me, match: {}, when: event.data.gone == 1, to: [cms]}
"""
    routes_file.write_text(text)
    async with Gateway(routes_file) as gateway:
        name = await an_expired_licence(gateway)
        admin = gateway.service.admin_url
        async with aiohttp.ClientSession(admin) as session:
            async with session.get(f"/api/v1/events/{name}") as answer:
                (withheld,) = (await answer.json())["withheld"]
            async with session.get("/api/v1/status") as answer:
                failing = (await answer.json())["failing"]
            async with session.get("/metrics") as answer:
                metrics = await answer.text()
        assert (withheld["route"], withheld["reason"]) == ("shadow", "shadow")
        assert failing == [{"route": "broken", "owner": "me", "events": 1}]
        assert 'gateway_route_events_total{outcome="failed",route="broken"} 1.0' in metrics
        assert 'gateway_route_events_total{outcome="shadow",route="shadow"} 1.0' in metrics


async def test_a_delivery_tells_who_owns_its_route_else_its_endpoint(routes_file):
    text = routes_file.read_text()
    text = text.replace("{name: to-pager, ", "{name: to-pager, owner: rights-team, ")
    text = text.replace("  pager:\n", "  pager:\n    owner: on-call\n").replace(
        "  cms:\n", "  cms:\n    owner: web-team\n"
    )
    routes_file.write_text(text)
    async with Gateway(routes_file) as gateway:
        name = await an_expired_licence(gateway)
        async with (
            aiohttp.ClientSession(gateway.service.admin_url) as session,
            session.get("/api/v1/deliveries", params={"event": name}) as answer,
        ):
            owners = {d["endpoint"]: d["owner"] for d in (await answer.json())["items"]}
        assert owners == {"cms": "web-team", "pager": "rights-team"}


async def test_a_faulty_file_that_is_not_in_force_is_told_until_it_is_mended(
    gateway, api, routes_file
):
    good = routes_file.read_text()
    routes_file.write_text(good + "rotues: []\n")
    await gateway.service.reload()
    _, status = await api("GET", "/api/v1/status")
    (problem,) = status["routes"]["rejected"]
    assert "unknown-key" in problem
    assert status["ready"] is True
    _, metrics = await api("GET", "/metrics")
    assert "gateway_routes_file_in_force 0.0" in metrics
    routes_file.write_text(good)
    await gateway.service.reload()
    _, status = await api("GET", "/api/v1/status")
    assert status["routes"]["rejected"] == []
    assert "gateway_routes_file_in_force 1.0" in (await api("GET", "/metrics"))[1]


async def test_who_knew_another_state_of_an_endpoint_is_told_who_changed_it(gateway):
    cms = f"{gateway.service.admin_url}/api/v1/endpoints/cms"
    async with aiohttp.ClientSession() as session:
        async with session.get(cms) as answer:
            known = {"if-match": answer.headers["etag"]}
        async with session.post(f"{cms}/pause?reason=they+move", headers=known) as answer:
            assert answer.status == 200
            now = answer.headers["etag"]
        for action in ("pause", "resume"):
            async with session.post(f"{cms}/{action}", headers=known) as answer:
                problem = await answer.json(content_type=None)
            assert (answer.status, problem["code"]) == (412, "changed")
            assert "paused (they move), by local at 20" in problem["detail"]
        async with session.get(cms) as answer:
            assert (answer.headers["etag"], (await answer.json())["state"]) == (now, "paused")
        for given in (now, f'"another", {now}', "*"):
            async with session.post(f"{cms}/resume", headers={"if-match": given}) as answer:
                assert answer.status == 200
                assert (await answer.json())["state"] == "open"
            async with session.post(f"{cms}/pause?reason=they+move") as answer:
                assert answer.status == 200


async def test_routes_files_are_told_once_to_who_knows_them(gateway):
    files = f"{gateway.service.admin_url}/api/v1/routes/files"
    async with aiohttp.ClientSession() as session:
        async with session.get(files) as answer:
            tag = answer.headers["etag"]
        async with session.get(files, headers={"if-none-match": f"W/{tag}"}) as answer:
            assert (answer.status, await answer.read(), answer.headers["etag"]) == (304, b"", tag)
        async with session.get(files, headers={"if-none-match": '"another"'}) as answer:
            assert answer.status == 200


LARGE = (
    b'{"specversion":"1.0","id":"1","source":"/x","type":"license.expired",'
    b'"data":{"n":1180591620717411303425}}'
)


async def test_a_whole_number_beyond_64_bits_is_answered_as_it_came(gateway, api):
    name = (await gateway.send("getty", LARGE))["id"]
    status, event = await api("GET", f"/api/v1/events/{name}")
    assert (status, event["data"]) == (200, {"n": 1180591620717411303425})
