"""Sending again in bulk, through the admin API."""

from datetime import datetime
from itertools import pairwise

import aiohttp
import pytest

from gateway.store import bulk as store_bulk

REDELIVER, REPLAY = "/api/v1/deliveries/redeliver", "/api/v1/events/replay"


@pytest.fixture
async def api(gateway):
    """Call the admin API: status and decoded answer."""
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def call(method: str, path: str, **body):
            async with session.request(method, path, json=body or None) as answer:
                return answer.status, await answer.json(content_type=None)

        yield call


async def dead_letters(gateway, count: int, event_type: str = "license.expired") -> None:
    """Deliveries to the pager that have died."""
    for _ in range(count):
        gateway.endpoint("pager").reply(500)
        await gateway.send("getty", {"type": event_type})
    await gateway.settled()


async def states(api, endpoint: str = "pager") -> list[str]:
    _, page = await api("GET", f"/api/v1/deliveries?endpoint={endpoint}&limit=500")
    return sorted(item["state"] for item in page["items"])


# -- redeliver ---------------------------------------------------------------------------------------


async def test_a_call_that_says_nothing_else_is_a_dry_run(gateway, api):
    await dead_letters(gateway, 2)
    status, found = await api("POST", REDELIVER, filter={"endpoint": "pager"})
    (group,) = found.pop("groups")
    assert found.pop("until").endswith("Z")
    assert status == 200
    assert found == {"dry_run": True, "deliveries": 2, "more_groups": 0, "next": None}
    assert (group["endpoint"], group["reason"], group["deliveries"]) == ("pager", "http-500", 2)
    assert await states(api) == ["dead", "dead"]
    assert (await api("GET", "/api/v1/audit"))[1]["items"] == []


async def test_all_that_fits_is_put_back_and_sent_under_the_same_ids(gateway, api):
    await dead_letters(gateway, 3)
    before = [call.headers["webhook-id"] for call in gateway.endpoint("pager").received]
    status, answer = await api(
        "POST", REDELIVER, filter={"endpoint": "pager"}, dry_run=False, rate="1000/s"
    )
    assert (status, answer["finished"], answer["operation"]["done"]) == (202, True, 3)
    gateway.clock.advance(5)
    calls = await gateway.endpoint("pager").calls(6)
    assert sorted(call.headers["webhook-id"] for call in calls[3:]) == before


async def test_only_what_fits_is_put_back(gateway, api):
    await dead_letters(gateway, 1)
    for sought in (
        {"endpoint": "cms"}, {"route": "to-cms"}, {"reason": "http-404"}, {"type": "other"},
        {"subject": "x"}, {"event": "evt_0"}, {"state": "cancelled"},
        {"since": "2099-01-01T00:00:00Z"}, {"until": "2020-01-01T00:00:00Z"},
    ):  # fmt: skip
        _, answer = await api("POST", REDELIVER, filter=sought, dry_run=False)
        assert (answer["operation"]["done"], answer["finished"]) == (0, True), sought
    assert await states(api) == ["dead"]
    everything = {
        "endpoint": "pager", "route": "to-pager", "reason": "http-500", "type": "license.expired",
        "state": "dead", "since": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    _, answer = await api("POST", REDELIVER, filter=everything, dry_run=False)
    assert answer["operation"]["done"] == 1


async def test_the_rate_spreads_deliveries_and_a_page_lies_only_so_far_ahead(gateway, api):
    await dead_letters(gateway, 12)
    await api("POST", "/api/v1/endpoints/pager/pause")
    _, first = await api("POST", REDELIVER, filter={}, dry_run=False, rate="2/s")
    name = first["operation"]["id"]
    assert (first["operation"]["done"], first["finished"]) == (10, False)
    _, early = await api("POST", REDELIVER, operation=name, dry_run=False)
    assert (early["operation"]["done"], early["wait_ms"]) == (10, 2500)
    _, page = await api("GET", "/api/v1/deliveries?state=scheduled")
    due = sorted(datetime.fromisoformat(item["due_at"]) for item in page["items"])
    assert {(b - a).total_seconds() for a, b in pairwise(due)} == {0.5}
    assert len(due) == 10
    gateway.clock.advance(early["wait_ms"] / 1000)
    _, last = await api("POST", REDELIVER, operation=name, dry_run=False)
    assert (last["operation"]["done"], last["finished"]) == (12, True)


async def test_an_operation_that_has_ended_does_nothing_more(gateway, api):
    await dead_letters(gateway, 1)
    _, first = await api("POST", REDELIVER, filter={}, dry_run=False)
    await dead_letters(gateway, 1)
    name = first["operation"]["id"]
    _, again = await api("POST", REDELIVER, operation=name, dry_run=False)
    assert again["operation"] == first["operation"]
    assert "dead" in await states(api)


async def test_an_operation_is_the_same_whoever_goes_on_with_it(gateway, api):
    await dead_letters(gateway, 1)
    await api("POST", REDELIVER, operation="op_mine0001", filter={"endpoint": "cms"}, dry_run=False)
    for other in ({"endpoint": "pager"}, {}, {"endpoint": "cms", "until": "2020-01-01T00:00:00Z"}):
        status, problem = await api(
            "POST", REDELIVER, operation="op_mine0001", filter=other, dry_run=False
        )
        assert (status, problem["code"]) == (409, "conflict"), other
    same = {"endpoint": "cms"}
    body = {"operation": "op_mine0001", "filter": same, "dry_run": False}
    assert (await api("POST", REDELIVER, **body))[0] == 202
    assert (await api("POST", REPLAY, operation="op_mine0001", dry_run=False))[0] == 409


async def test_an_operation_that_is_not_there_is_not_begun_without_a_filter(api):
    status, problem = await api("POST", REDELIVER, operation="op_nobody01", dry_run=False)
    assert (status, problem["code"]) == (404, "not-found")
    assert (await api("GET", "/api/v1/operations/op_nobody01"))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        {"dry_run": False}, {"filter": {"state": "delivered"}}, {"filter": {"endpiont": "cms"}},
        {"filter": {}, "rate": "fast"}, {"filter": {}, "operation": "mine"}, {"fliter": {}},
        {"filter": {"since": "yesterday"}}, {"filter": {"since": 5}}, {"filter": []},
    ],
)  # fmt: skip
async def test_a_body_is_read_strictly(api, body):
    status, problem = await api("POST", REDELIVER, **body)
    assert (status, problem["code"]) == (400, "parameter-invalid")


async def test_what_is_no_json_or_too_large_is_refused(gateway):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        for body, status in ((b"{", 400), (b" " * 800_000, 413)):
            json = {"content-type": "application/json"}
            async with session.post(REDELIVER, data=body, headers=json) as answer:
                assert answer.status == status


async def test_dead_letters_are_counted_by_endpoint_and_reason(gateway, api):
    await dead_letters(gateway, 2)
    gateway.endpoint("pager").reply(404)
    await gateway.send("getty", {"type": "license.expired"})
    await gateway.settled()
    await api("POST", "/api/v1/endpoints/pager/pause")
    _, found = await api("GET", "/api/v1/deliveries/groups?state=dead&endpoint=pager")
    assert [(g["reason"], g["deliveries"]) for g in found["groups"]] == [
        ("http-500", 2), ("http-404", 1),
    ]  # fmt: skip
    assert {g["endpoint_state"] for g in found["groups"]} == {"paused"}
    _, page = await api("GET", "/api/v1/deliveries?state=dead")
    assert found["groups"][0]["sample"] == page["items"][-1]["id"]


async def test_a_count_goes_on_where_the_last_one_stopped(gateway, api, monkeypatch):
    await dead_letters(gateway, 3)
    monkeypatch.setattr(store_bulk, "COUNTED", 2)
    for ask in (
        lambda **more: api("POST", REDELIVER, filter={}, **more),
        lambda **more: api(
            "GET", f"/api/v1/deliveries/groups?{'&'.join(f'{k}={v}' for k, v in more.items())}"
        ),
    ):
        _, first = await ask()
        _, rest = await ask(cursor=first["next"])
        assert [first["deliveries"], rest["deliveries"], rest["next"]] == [2, 1, None]
        status, problem = await ask(cursor="evt_1")
        assert (status, problem["code"]) == (400, "parameter-invalid")


async def test_an_operation_is_in_the_audit_log_when_it_begins_and_when_it_ends(gateway, api):
    await dead_letters(gateway, 1)
    _, answer = await api("POST", REDELIVER, filter={"endpoint": "pager"}, dry_run=False)
    name = answer["operation"]["id"]
    _, page = await api("GET", "/api/v1/audit?action=redeliver")
    assert {(e["object"], e["outcome"]) for e in page["items"]} == {
        (f"{name} begun: state=dead endpoint=pager", "done"),
        (f"{name} finished: done=1", "done"),
    }
    _, listed = await api("GET", "/api/v1/operations")
    assert listed["items"] == [answer["operation"]]


# -- replay ------------------------------------------------------------------------------------------


async def some_events(gateway, count: int, event_type: str = "license.renewed") -> list[str]:
    names = [(await gateway.send("getty", {"type": event_type}))["id"] for _ in range(count)]
    await gateway.settled()
    gateway.clock.advance(1)
    return names


async def test_a_dry_run_of_a_replay_counts_events_and_routes_the_first_of_them(gateway, api):
    await some_events(gateway, 2)
    await some_events(gateway, 1, "license.expired")
    await some_events(gateway, 1, "nobody.cares")
    _, found = await api("POST", REPLAY, filter={"source": "getty"})
    assert (found["dry_run"], found["events"], found["next"]) == (True, 4, None)
    assert [(g["type"], g["events"]) for g in found["groups"]] == [
        ("license.expired", 1), ("license.renewed", 2), ("nobody.cares", 1),
    ]  # fmt: skip
    assert found["sample"] == {
        "events": 4,
        "unrouted": 1,
        "deliveries": [
            {"route": "to-cms", "endpoint": "cms", "deliveries": 3},
            {"route": "to-pager", "endpoint": "pager", "deliveries": 1},
        ],
        "failures": [],
    }
    assert len(await states(api, "cms")) == 3


async def test_all_events_that_fit_are_routed_again_once(gateway, api):
    names = await some_events(gateway, 3)
    await some_events(gateway, 1, "license.expired")
    sought = {"type": "license.renewed"}
    _, answer = await api("POST", REPLAY, filter=sought, dry_run=False, rate="1000/s")
    operation = answer["operation"]
    assert (answer["finished"], operation["done"], operation["made"]) == (True, 3, 3)
    again = {"operation": operation["id"], "dry_run": False}
    assert (await api("POST", REPLAY, **again))[1]["operation"] == operation
    for name in names:
        _, event = await api("GET", f"/api/v1/events/{name}")
        assert len(event["deliveries"]) == 2


async def test_a_replay_to_one_endpoint_leaves_the_others_alone(gateway, api):
    await some_events(gateway, 1, "license.expired")
    body = {"filter": {"endpoint": "pager"}, "dry_run": False}
    assert (await api("POST", REPLAY, **body))[1]["operation"]["made"] == 1
    assert (len(await states(api, "cms")), len(await states(api, "pager"))) == (1, 2)


async def test_events_that_came_after_it_began_are_not_replayed(gateway, api):
    await some_events(gateway, 11)
    _, first = await api("POST", REPLAY, filter={}, dry_run=False, rate="1/s")
    name = first["operation"]["id"]
    assert (first["operation"]["done"], first["finished"]) == (5, False)
    gateway.clock.advance(1)
    await some_events(gateway, 3)
    while not (answer := (await api("POST", REPLAY, operation=name, dry_run=False))[1])["finished"]:
        gateway.clock.advance(3)
    assert answer["operation"]["done"] == 11


async def test_an_event_whose_bytes_have_changed_fails_alone(gateway, api):
    _, broken, _ = await some_events(gateway, 3)
    connection = gateway.service._store._writer._connection
    connection.execute("UPDATE events SET body = x'00' WHERE id = ?", (broken,))
    _, answer = await api("POST", REPLAY, filter={}, dry_run=False)
    assert (answer["operation"]["done"], answer["operation"]["failed"]) == (2, 1)
    (failure,) = answer["failures"]
    assert (failure["event"], failure["code"]) == (broken, "body-corrupt")
    _, again = await api("POST", REPLAY, operation=answer["operation"]["id"], dry_run=False)
    assert again["operation"]["failed"] == 1


async def test_unmatched_events_are_replayed_by_todays_routes(gateway, api, routes_file):
    (name,) = await some_events(gateway, 1, "nobody.cares")
    await some_events(gateway, 1)
    text = routes_file.read_text()
    routes_file.write_text(text + "  - {name: new, match: {type: nobody.cares}, to: [cms]}\n")
    await gateway.service.reload()
    _, found = await api("POST", REPLAY, filter={"unmatched": True})
    assert found["events"] == 1
    _, answer = await api("POST", REPLAY, filter={"unmatched": True}, dry_run=False)
    assert answer["operation"]["made"] == 1
    _, event = await api("GET", f"/api/v1/events/{name}")
    assert [d["route"] for d in event["deliveries"]] == ["new"]
