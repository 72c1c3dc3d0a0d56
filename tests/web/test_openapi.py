"""The API's document, and whether the gateway does what it says: schemathesis asks it everything."""

import asyncio
import warnings
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openapi_spec_validator import validate
from yarl import URL

from gateway.config.tokens import fresh_token
from gateway.core.access import Scope
from gateway.testing import Gateway
from gateway.web.openapi import document
from gateway.web.paths import PATHS

ENDLESS = "/api/v1/live"
SEED = 7


def test_the_document_is_openapi():
    validate(document())


def test_each_path_is_in_it_once_with_what_it_takes_answers_and_wants():
    described = document()
    operations = [each for path in described["paths"].values() for each in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(PATHS)
    for operation in operations:
        assert operation["security"][0]["token"][0] in list(Scope)
        assert {"401", "403", "421", "500"} < operation["responses"].keys()


async def test_it_is_served(gateway):
    url = f"{gateway.service.admin_url}/api/v1/openapi.json"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert (answer.status, await answer.json()) == (200, document())


# -- held to it ----------------------------------------------------------------------------------------


SCHEDULES = """\
schedules:
  expiry:
    match: {type: license.expired}
    key: ${event.id}
    at: ${"2099-12-31"}
    emit: {type: license.expiring}
"""


@pytest.fixture
def routes_file(routes_file: Path) -> Path:
    """With something that is planned."""
    routes_file.write_text(routes_file.read_text() + SCHEDULES)
    return routes_file


@pytest.fixture
async def filled(gateway) -> Gateway:
    """One that has some of everything."""
    for reply in (200, 500, 500):
        gateway.endpoint("pager").reply(reply, body=b"an answer")
        await gateway.send(
            "getty", {"type": "license.expired", "subject": "license/1", "data": {"a": 1}}
        )
    await gateway.send("getty", {"type": "nobody.cares"})
    await gateway.send("getty", b'{"specversion" no json')
    await gateway.post("getty", b"{}", {"content-type": "application/json"})
    await gateway.settled()
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        body = {"filter": {}, "dry_run": False, "operation": "op_12345678"}
        async with session.post("/api/v1/deliveries/redeliver", json=body) as answer:
            assert answer.status == 202
        async with session.post("/api/v1/endpoints/cms/pause") as answer:
            assert answer.status == 200
    return gateway


def use_token(gateway: Gateway, *scopes: Scope) -> str:
    """Have it want a token: that one, which is returned."""
    text, token = fresh_token("tester", frozenset(scopes))
    gateway.service._access.use([token])
    return text


async def parts(gateway: Gateway) -> dict[str, list[str]]:
    """What there is, by the listing that has it."""
    found = {
        "operations": ["op_12345678"],
        "endpoints": ["cms", "pager"],
        "register": ["license"],
        "sources": ["getty"],
    }
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        for listing in ("events", "deliveries", "inbox", "plans"):
            async with session.get(f"/api/v1/{listing}") as answer:
                found[listing] = [item["id"] for item in (await answer.json())["items"]]
    return found


def exacting(parts: dict[str, list[str]]) -> dict[str, Any]:
    """The document with names of what there is, and by which an answer says nothing else than it says."""
    exact = deepcopy(document())
    del exact["paths"][ENDLESS]
    for path, methods in exact["paths"].items():
        for operation in methods.values():
            operation["parameters"] = [
                each for each in operation["parameters"] if each["in"] != "header"
            ]
            for parameter in operation["parameters"]:
                if parameter["in"] == "path":
                    parameter["examples"] = {
                        name: {"value": name} for name in parts[path.split("/")[3]]
                    }
    for schema in exact["components"]["schemas"].values():
        close(schema)
    return exact


def close(schema: Any) -> None:
    if isinstance(schema, list):
        for each in schema:
            close(each)
    elif isinstance(schema, dict):
        if "properties" in schema and "required" in schema:
            schema.setdefault("additionalProperties", False)
        for each in schema.values():
            close(each)


def asked(described: dict[str, Any], url: str, token: str, **more: Any) -> Iterator[str]:
    """What is wrong with the answers of the gateway at that address."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from schemathesis import openapi  # noqa: PLC0415  # it takes a second to import
        from schemathesis.config import SchemathesisConfig  # noqa: PLC0415
        from schemathesis.engine import events, from_schema  # noqa: PLC0415

        config = SchemathesisConfig.from_dict(
            {
                "seed": SEED,
                "continue-on-failure": True,
                "base-url": url,
                "generation": {"max-examples": 2, "deterministic": True, "database": "none"},
                "phases": {"stateful": {"enabled": False}},
                "auth": {"openapi": {"token": {"bearer": token}}},
                **more,
            }
        )
        schema = openapi.from_dict(described, config=config)
        for event in from_schema(schema).execute():
            if isinstance(event, events.NonFatalError | events.FatalError):
                yield repr(event)
            if isinstance(event, events.ScenarioFinished):
                for checks in event.recorder.checks.values():
                    for check in checks:
                        if check.failure_info is not None:
                            yield f"{check.failure_info.code_sample} {check.failure_info.failure}"


@pytest.mark.faults
@pytest.mark.timeout(180)  # some thousand calls
async def test_the_gateway_answers_all_that_can_be_asked_as_the_document_says(filled):
    exact = exacting(await parts(filled))
    token = use_token(filled, Scope.ADMIN)
    found = await asyncio.to_thread(lambda: list(asked(exact, filled.service.admin_url, token)))
    assert not found, "\n".join(found)


# -- refused, in the words of the document -------------------------------------------------------------


def some(path: str) -> str:
    return path.replace("{id}", "x").replace("{name}", "x")


async def test_who_may_not_is_told_so_as_the_document_says(gateway):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        for path in PATHS:
            operation = document()["paths"][path.path][path.method.lower()]
            little = use_token(gateway, *(set(Scope) - {path.scope, Scope.ADMIN}))
            for headers, status in (({}, 401), ({"authorization": f"Bearer {little}"}, 403)):
                call = session.request(path.method, some(path.path), headers=headers)
                async with call as answer:
                    problem = await answer.json(content_type=None)
                assert (answer.status, path.name) == (status, path.name)
                told = operation["responses"][str(status)]["content"][answer.content_type]
                codes = told["schema"]["allOf"][1]["properties"]["code"]["enum"]
                assert problem["code"] in codes, path.name


PROBLEM = {"type", "title", "status", "detail", "instance", "code"}
JSON = {"content-type": "application/json"}
INVALID = (400, "parameter-invalid")
REDELIVER = "/api/v1/deliveries/redeliver"


ODD = [
        ("GET", "/api/v1/events?state=dead&state=dead", {}, INVALID),
        ("GET", "/api/v1/events?source=%00", {}, INVALID),
        ("GET", "/api/v1/events?source=", {}, INVALID),
        ("GET", "/api/v1/events?limit=" + "9" * 5000, {}, INVALID),
        ("GET", "/api/v1/events?limit=%C2%B2", {}, INVALID),
        ("GET", "/api/v1/events?limit=-1", {}, INVALID),
        ("GET", "/api/v1/events?unmatched=yes", {}, INVALID),
        ("GET", "/api/v1/events?cursor=dlv_01_0", {}, INVALID),
        ("GET", "/api/v1/events?cursor=%00", {}, INVALID),
        ("GET", "/api/v1/deliveries?cursor=dlv_01_9999999999", {}, INVALID),
        ("GET", "/api/v1/deliveries?cursor=evt_01", {}, INVALID),
        ("GET", "/api/v1/deliveries/groups?cursor=dlv_01_0", {}, INVALID),
        ("GET", "/api/v1/inbox?outcome=nonsense", {}, INVALID),
        ("GET", "/api/v1/events?since=2026-02-30T00:00:00Z", {}, INVALID),
        ("GET", "/api/v1/status?verbose=true", {}, INVALID),
        ("GET", "/api/v1/events/%00", {}, (404, "not-found")),
        ("GET", "/api/v1/events/" + "x" * 2000, {}, (404, "not-found")),
        ("GET", "/api/v1/events/a%2Fb", {}, (404, "not-found")),
        ("GET", "/api/v1/", {}, (404, "not-found")),
        ("GET", "/api/v2/events", {}, (404, "not-found")),
        ("GET", "/nothing", {}, (404, "not-found")),
        ("POST", "/api/v1/endpoints/cms/pause", {"data": b"{}", "headers": JSON}, INVALID),
        ("GET", "/api/v1/events", {"data": b"{}"}, INVALID),
        ("POST", REDELIVER, {"data": b"<a/>", "headers": {"content-type": "text/xml"}},
         (415, "media-type-unsupported")),
        ("POST", REDELIVER, {"data": b"{", "headers": JSON}, INVALID),
        ("POST", REDELIVER, {"data": b"[]", "headers": JSON}, INVALID),
        ("POST", REDELIVER, {"data": b'{"filter": {"type": "\\u0000"}}', "headers": JSON}, INVALID),
        ("POST", REDELIVER, {"data": b'{"filter": {"nope": 1}}', "headers": JSON}, INVALID),
        ("POST", REDELIVER, {"data": b'{"filter": {}, "dry_run": "true"}', "headers": JSON}, INVALID),
        ("POST", REDELIVER, {"data": b" " * 800_000, "headers": JSON}, (413, "body-too-large")),
        ("DELETE", "/api/v1/events", {}, (405, "method-not-allowed")),
        ("POST", "/api/v1/events", {}, (405, "method-not-allowed")),
        ("GET", REDELIVER, {}, (405, "method-not-allowed")),
        ("OPTIONS", "/api/v1/status", {}, (405, "method-not-allowed")),
        ("PATCH", "/api/v1/status", {}, (405, "method-not-allowed")),
]  # fmt: skip


async def test_what_is_odd_is_refused_with_a_problem(gateway):
    async with aiohttp.ClientSession() as session:
        for method, path, more, expected in ODD:
            url = URL(f"{gateway.service.admin_url}{path}", encoded=True)
            async with session.request(method, url, **more) as answer:
                problem = await answer.json(content_type=None)
            asked = f"{method} {path[:80]}"
            assert (answer.status, problem["code"], asked) == (*expected, asked)
            assert answer.content_type == "application/problem+json"
            assert problem.keys() == PROBLEM
            assert problem["status"] == answer.status
            if answer.status == 405:
                methods = {each.method for each in PATHS if each.path == path}
                heads = {"HEAD"} if "GET" in methods else set()
                assert set(answer.headers["allow"].split(", ")) == methods | heads


async def test_each_problem_is_an_instance_of_its_own(gateway):
    found = set()
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        for _ in range(2):
            async with session.get("/nothing") as answer:
                found.add((await answer.json(content_type=None))["instance"])
    assert len(found) == 2


@pytest.mark.parametrize(
    ("path", "status"), [("/api/v1/status", 200), ("/api/v1/events/x", 404), ("/metrics", 200)]
)
async def test_a_head_says_what_a_get_would_say_and_no_more(gateway, path, status):
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        async with session.head(path) as answer:
            assert (answer.status, await answer.read()) == (status, b"")
            assert int(answer.headers["content-length"]) > 0
        async with session.get(path) as answer:  # on the same connection: nothing was left on it
            assert answer.status == status


async def test_what_curl_says_of_its_data_is_good_enough(gateway):
    form = {"content-type": "application/x-www-form-urlencoded"}
    async with (
        aiohttp.ClientSession(gateway.service.admin_url) as session,
        session.post(REDELIVER, data=b'{"filter": {}}', headers=form) as answer,
    ):
        assert answer.status == 200
