"""What `gateway plan` asks the admin API for: recorded events, and the routes files in force."""

import sqlite3
from base64 import b64decode

import aiohttp
import pytest

from gateway import __version__
from gateway.store.rows import event_of, unpacked
from gateway.testing import Gateway


@pytest.fixture
async def get(gateway):
    """Ask the admin API: status and decoded answer."""
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def get(path: str, **query: str):
            async with session.get(path, params=query) as answer:
                return answer.status, await answer.json(content_type=None)

        yield get


async def kept(gateway, count: int = 1) -> list[str]:
    names = []
    for i in range(count):
        gateway.clock.advance(1)
        answer = await gateway.send("getty", {"type": "license.expired", "data": {"n": i}})
        names.append(answer["id"])
    return names


async def test_recorded_events_are_told_whole_oldest_first_by_page(gateway, get):
    names = await kept(gateway, 3)
    status, first = await get("/api/v1/events/recorded", limit="2")
    assert (status, [item["id"] for item in first["items"]]) == (200, names[:2])
    event = event_of(unpacked(first["items"][1]))
    assert (event.type, event.data, event.source) == ("license.expired", {"n": 1}, "getty")
    assert b64decode(first["items"][1]["body"]) == event.body
    _, rest = await get("/api/v1/events/recorded", limit="2", cursor=first["next"])
    assert [item["id"] for item in rest["items"]] == names[2:]
    _, end = await get("/api/v1/events/recorded", cursor=rest["next"])
    assert end == {"items": [], "next": None}


async def test_recorded_events_are_told_of_a_span(gateway, get):
    names = await kept(gateway, 3)
    _, shown = await get(f"/api/v1/events/{names[1]}")
    moment = shown["received_at"]
    _, later = await get("/api/v1/events/recorded", since=moment)
    _, earlier = await get("/api/v1/events/recorded", until=moment)
    assert [item["id"] for item in later["items"]] == names[1:]
    assert [item["id"] for item in earlier["items"]] == names[:1]


@pytest.mark.parametrize(
    "query",
    [{"limit": "501"}, {"since": "7d"}, {"type": "x"}, {"cursor": "dlv_01_0"}],
)
async def test_parameters_are_read_strictly(get, query):
    status, problem = await get("/api/v1/events/recorded", **query)
    assert (status, problem["code"]) == (400, "parameter-invalid")


async def test_to_tell_recorded_events_and_routes_writes_nothing(gateway, get):
    await kept(gateway, 2)
    await gateway.settled()
    connection = gateway.service._store._writer._connection
    before = connection.total_changes
    await get("/api/v1/events/recorded")
    await get("/api/v1/routes/files")
    await get("/api/v1/stats")
    assert connection.total_changes == before
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await (await gateway.service._store._reader._connected()).execute("DELETE FROM events")


async def test_the_routes_files_in_force_are_told_byte_for_byte(tmp_path):
    team = tmp_path / "routes.d" / "rights.yaml"
    team.parent.mkdir()
    team.write_text("# Übersicht\nversion: 1\nroutes:\n  - {name: a, match: {}, to: [cms]}\n")
    main = tmp_path / "routes.yaml"
    main.write_text(
        "version: 1\r\ninclude: [routes.d/*.yaml]\r\nendpoints:\r\n"
        "  cms: {url: http://127.0.0.1/, sign: {secrets: [{env: CMS_SECRET}]}}\r\n"
    )
    texts = [main.read_bytes(), team.read_bytes()]
    async with (
        Gateway(main) as gateway,
        aiohttp.ClientSession(gateway.service.admin_url) as session,
    ):

        async def told():
            async with session.get("/api/v1/routes/files") as answer:
                return await answer.json()

        first = await told()
        assert [f["name"] for f in first["files"]] == ["routes.yaml", "routes.d/rights.yaml"]
        assert [f["text"].encode() for f in first["files"]] == texts
        assert (first["version"], first["fingerprint"]) == (
            __version__,
            gateway.service.routes.fingerprint,
        )
        team.write_text("version: 1\nroutes: nonsense\n")
        await gateway.service.reload()
        assert await told() == first  # what is in force, not what is on disk
        team.write_text("version: 1\n")
        await gateway.service.reload()
        assert [f["text"] for f in (await told())["files"]][1] == "version: 1\n"
