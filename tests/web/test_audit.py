"""Who changed what."""

import aiohttp
import pytest

from gateway.core.access import Caller
from gateway.core.errors import NotFound, ScopeMissing, StoreUnavailable
from gateway.flows.audit import REFUSED
from gateway.flows.operate import Operate


@pytest.fixture
async def api(gateway):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def call(method: str, path: str):
            async with session.request(method, path) as answer:
                return answer.status, await answer.json(content_type=None)

        yield call


async def told(api, query=""):
    _, page = await api("GET", f"/api/v1/audit{query}")
    return [(e["action"], e["object"], e["outcome"]) for e in page["items"]]


async def test_every_change_is_kept_with_who_when_and_from_where(gateway, api):
    gateway.endpoint("pager").reply(500)
    event = (await gateway.send("getty", {"type": "license.expired"}))["id"]
    await gateway.settled()
    _, dead = await api("GET", "/api/v1/deliveries?state=dead")
    delivery = dead["items"][0]["id"]
    await api("POST", "/api/v1/endpoints/pager/pause")
    await api("POST", f"/api/v1/deliveries/{delivery}/redeliver")
    await api("POST", f"/api/v1/deliveries/{delivery}/cancel")
    await api("POST", "/api/v1/endpoints/pager/resume")
    await api("POST", f"/api/v1/events/{event}/replay")
    await gateway.service.reload()
    fingerprint = gateway.service.routes.fingerprint
    assert sorted(await told(api)) == sorted(
        [
            ("pause", "pager", "done"),
            ("redeliver", delivery, "done"),
            ("cancel", delivery, "done"),
            ("resume", "pager", "done"),
            ("replay", event, "done"),
            ("reload", fingerprint, "done"),
        ]
    )
    _, page = await api("GET", "/api/v1/audit?action=pause")
    (entry,) = page["items"]
    assert (entry["who"], entry["address"]) == ("local", "127.0.0.1")
    assert entry["at"].endswith("Z")


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/api/v1/endpoints/nobody/pause", ("pause", "nobody", "not-found")),
        ("/api/v1/deliveries/dlv_0_0/cancel", ("cancel", "dlv_0_0", "not-found")),
        ("/api/v1/deliveries/x/redeliver", ("redeliver", "x", "not-found")),
        ("/api/v1/events/evt_0/replay", ("replay", "evt_0", "not-found")),
    ],
)
async def test_what_was_refused_is_kept_too_and_says_so(api, path, entry):
    assert (await api("POST", path))[0] == 404
    assert await told(api) == [entry]


async def test_who_may_not_is_not_written_down_without_end(gateway, api):
    operate: Operate = gateway.service._operate
    reader = Caller("reader", frozenset(), "10.0.0.1")
    for _ in range(REFUSED[0] + 5):
        await operate.refused("pause", "cms", reader, ScopeMissing("x", cure="y"))
    assert await told(api, "?limit=500") == [("pause", "cms", "scope-missing")] * REFUSED[0]


async def test_a_reload_of_a_faulty_file_is_kept_as_that(gateway, api, routes_file):
    routes_file.write_text("version: 2\n")
    assert (await gateway.service.reload()).routes is None
    assert await told(api) == [("reload", str(routes_file), "config-invalid")]


async def test_what_is_done_already_is_kept_as_a_conflict(gateway, api):
    await gateway.send("getty", {"type": "license.expired"})
    await gateway.settled()
    _, page = await api("GET", "/api/v1/deliveries?endpoint=cms")
    name = page["items"][0]["id"]
    await api("POST", f"/api/v1/deliveries/{name}/cancel")
    assert await told(api) == [("cancel", name, "conflict")]


async def test_the_log_is_filtered_and_paged(gateway, api):
    for _ in range(2):
        await api("POST", "/api/v1/endpoints/cms/pause")
        await api("POST", "/api/v1/endpoints/cms/resume")
        gateway.clock.advance(1)
    assert await told(api, "?action=resume&who=local&limit=1") == [("resume", "cms", "done")]
    assert await told(api, "?who=nobody") == []
    _, page = await api("GET", "/api/v1/audit?limit=3")
    assert len(await told(api, f"?limit=3&cursor={page['next']}")) == 1


async def test_each_change_is_one_line_of_the_log(gateway, api, caplog):
    with caplog.at_level("INFO"):
        await api("POST", "/api/v1/endpoints/cms/pause")
    (line,) = [each for each in caplog.records if hasattr(each, "action")]
    assert (line.who, line.action, line.object, line.outcome) == ("local", "pause", "cms", "done")
    assert line.levelname == "INFO"
    assert (line.at[:2], line.at[-1], line.address) == ("20", "Z", "127.0.0.1")


async def test_a_change_that_was_refused_is_a_warning_that_says_so(gateway, api, caplog):
    with caplog.at_level("INFO"):
        assert (await api("POST", "/api/v1/endpoints/nobody/pause"))[0] == 404
    (line,) = [each for each in caplog.records if hasattr(each, "action")]
    assert (line.levelname, line.object, line.outcome) == ("WARNING", "nobody", "not-found")
    assert line.message.startswith("a change was refused")


async def test_a_line_of_the_log_has_no_address_where_there_is_none(gateway, caplog):
    with caplog.at_level("INFO"):
        await gateway.service.reload()
    (line,) = [each for each in caplog.records if hasattr(each, "action")]
    assert not hasattr(line, "address")


async def test_an_entry_that_cannot_be_written_stands_in_the_log(gateway, caplog):
    """A disk that is full must not hide who did what."""
    connection = gateway.service._store._writer._connection
    connection.execute("PRAGMA query_only = ON")
    operate: Operate = gateway.service._operate
    with caplog.at_level("ERROR"), pytest.raises(NotFound):
        await operate.pause("nobody", Caller("ops", frozenset(), "10.0.0.1"))
    connection.execute("PRAGMA query_only = OFF")
    (line,) = [each for each in caplog.records if hasattr(each, "action")]
    assert (line.who, line.object, line.outcome) == ("ops", "nobody", "not-found")


async def test_a_change_and_its_entry_are_one_commit(gateway):
    """Where the entry cannot be written, nothing was changed."""
    store = gateway.service._store
    store._writer._connection.execute("DROP TABLE audit")
    with pytest.raises(StoreUnavailable):
        await gateway.service._operate.pause("cms")
    assert await store.endpoint_states() == {}
    assert gateway.service.takes("cms")
