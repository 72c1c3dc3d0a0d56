"""The API's document, and whether the gateway does what it says: schemathesis asks it everything."""

import asyncio
import warnings
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import aiohttp
import pytest
from openapi_spec_validator import validate

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


async def parts(gateway: Gateway) -> dict[str, list[str]]:
    """What there is, by the listing that has it."""
    found = {"operations": ["op_12345678"], "endpoints": ["cms", "pager"]}
    async with aiohttp.ClientSession(gateway.service.admin_url) as session:
        for listing in ("events", "deliveries", "inbox"):
            async with session.get(f"/api/v1/{listing}") as answer:
                found[listing] = [item["id"] for item in (await answer.json())["items"]]
    return found


def exacting(parts: dict[str, list[str]]) -> dict[str, Any]:
    """The document with names of what there is, and by which an answer says nothing else than it says."""
    exact = deepcopy(document())
    del exact["paths"][ENDLESS]
    for path, methods in exact["paths"].items():
        for operation in methods.values():
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


def asked(
    described: dict[str, Any], url: str, phases: dict[str, Any], **more: Any
) -> Iterator[str]:
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
                "generation": {"max-examples": 4, "deterministic": True, "database": "none"},
                "phases": {"stateful": {"enabled": False}, **phases},
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
                            yield f"{event.recorder.label}: {check.failure_info.failure}"


async def test_the_gateway_answers_all_that_can_be_asked_as_the_document_says(filled):
    exact = exacting(await parts(filled))
    found = await asyncio.to_thread(lambda: list(asked(exact, filled.service.admin_url, {})))
    assert found == []
