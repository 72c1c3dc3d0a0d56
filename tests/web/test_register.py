"""The register by API and pages."""

from pathlib import Path

import aiohttp
import pytest

from gateway.testing import Gateway

RULES = """
  - {name: keep, match: {type: license.acquired}, remember: {collection: license, key: "${event.data.id}"}}
"""


@pytest.fixture
def routes_file(routes_file: Path) -> Path:
    """With a route that tells the register."""
    routes_file.write_text(routes_file.read_text() + RULES)
    return routes_file


@pytest.fixture
async def asked(gateway: Gateway):
    """Ask the admin API of a gateway that knows two licences."""
    for name, asset, ends in (("l1", "a1", "2026-12-31T00:00:00Z"), ("l2", "a<b>", "2027-06-30")):
        data = {"id": name, "asset_id": asset, "expires_at": ends}
        await gateway.send("getty", {"type": "license.acquired", "data": data})
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:

        async def ask(path: str, body=None, **query: str):
            method = "GET" if body is None else "POST"
            async with session.request(method, path, json=body, params=query) as answer:
                if answer.content_type == "text/html":
                    return answer.status, await answer.text()
                return answer.status, await answer.json()

        yield ask


def keys(answer) -> list[str]:
    assert answer[0] == 200, answer
    return [each["key"] for each in answer[1]["items"]]


async def test_things_are_found_by_key_and_fields(asked):
    assert (await asked("/api/v1/register"))[1]["items"] == [
        {"collection": "license", "entries": 2}
    ]
    path = "/api/v1/register/license"
    assert keys(await asked(path)) == ["l1", "l2"]
    assert keys(await asked(path, key="l2")) == ["l2"]
    assert keys(await asked(path, where="asset_id=a1")) == ["l1"]
    assert keys(await asked(path, where="expires_at<2027-01-01;asset_id=a1")) == ["l1"]
    assert keys(await asked(path, where="expires_at>=2027-01-01")) == ["l2"]
    assert keys(await asked(path, limit="1", cursor="l1")) == ["l2"]
    assert keys(await asked("/api/v1/register/nothing")) == []


@pytest.mark.parametrize("where", ["asset_id", "asset_id<x", "=1", "a=1;b", "n>=nan"])
async def test_what_is_no_condition_is_told(asked, where):
    status, problem = await asked("/api/v1/register/license", where=where)
    assert (status, problem["code"]) == (400, "parameter-invalid")
    assert "write FIELD=VALUE" in problem["detail"] or "no day" in problem["detail"], problem


async def test_people_can_tell_of_things_and_newer_knowledge_stays(asked):
    told = [
        {"key": "l1", "value": {"id": "old"}, "as_of": "2020-01-01T00:00:00Z"},
        {"key": "l3", "value": {"asset_id": "a3"}},
    ]
    assert await asked("/api/v1/register/license", {"items": told}) == (200, {"kept": 1})
    assert keys(await asked("/api/v1/register/license", where="asset_id=a3")) == ["l3"]
    assert await asked("/api/v1/register/license", {"items": [{"key": "l3", "value": None}]}) == (
        200,
        {"kept": 1},
    )
    assert keys(await asked("/api/v1/register/license")) == ["l1", "l2"]
    huge = [{"key": "l4", "value": "x" * 70_000}]
    assert (await asked("/api/v1/register/license", {"items": huge}))[0] == 400


async def test_the_pages_show_them_as_text(asked):
    status, page = await asked("/register")
    assert (status, "/register/license" in page) == (200, True)
    status, page = await asked("/register/license", where="expires_at>=2027-01-01")
    assert status == 200
    assert "a&lt;b&gt;" in page
    assert "<b>" not in page
    assert (await asked("/register/license", where="nonsense"))[0] == 400
