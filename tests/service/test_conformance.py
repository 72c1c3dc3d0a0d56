"""`validate` of a source: what becomes of events whose data do not fit their type."""

import asyncio
import json

import pytest
import pytest_asyncio

from gateway.catalogue import sample_of
from gateway.testing import Gateway

SIGNED = "verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}"
ROUTES = f"""\
version: 1
types: {{article.created: {{schema: schemas/article.json}}}}
sources:
  rejecting: {{{SIGNED}, validate: reject}}
  asking: {{{SIGNED}, validate: inbox, on_unreadable: reject}}
  warning: {{{SIGNED}, validate: warn}}
  indifferent: {{{SIGNED}}}
  open: {{verify: none, validate: inbox}}
endpoints: {{cms: {{url: "https://cms.example.com/", sign: none}}}}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""
ARTICLE = {
    "type": "object",
    "required": ["headline"],
    "properties": {"headline": {"type": "string"}},
}
GOOD = sample_of("license.expiring")
BAD = {**GOOD, "data": {**GOOD["data"], "days_left": "soon"}}
WHAT = "data.days_left is text, and has to be a whole number, as the data of license.expiring go"


@pytest_asyncio.fixture
async def gateway(tmp_path):
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "article.json").write_text(json.dumps(ARTICLE))
    (tmp_path / "routes.yaml").write_text(ROUTES)
    async with Gateway(tmp_path / "routes.yaml") as running:
        yield running


async def kept(gateway) -> list[str]:
    return [event["type"] for event in await gateway.service._store.events({"limit": 100})]


async def inbox(gateway) -> list[dict]:
    return await gateway.service._store.inbox({"limit": 100})


@pytest.mark.parametrize("source", ["rejecting", "asking", "warning", "indifferent", "open"])
async def test_what_fits_is_kept_and_so_is_a_type_that_nobody_knows(gateway, source):
    assert (await gateway.send(source, GOOD))["status"] == 202
    assert (await gateway.send(source, {"type": "of.ours", "data": 5}))["id"].startswith("evt_")
    assert sorted(await kept(gateway)) == ["license.expiring", "of.ours"]
    assert await inbox(gateway) == []


async def test_reject_refuses_the_request_and_names_the_field(gateway):
    answer = await gateway.send("rejecting", BAD)
    assert (answer["status"], answer["code"]) == (422, "data-invalid")
    assert answer["field"] == "data.days_left"
    assert answer["detail"] == f"{WHAT}; send what `gateway types license.expiring` shows"
    assert await kept(gateway) == []


async def test_inbox_keeps_it_for_a_person_whatever_becomes_of_what_is_unreadable(gateway):
    answer = await gateway.send("asking", BAD)
    assert answer["id"].startswith("inb_")
    (entry,) = await inbox(gateway)
    assert (entry["code"], entry["source"]) == ("data-invalid", "asking")
    assert entry["detail"].startswith(WHAT)
    assert await kept(gateway) == []


async def test_what_is_not_proven_is_refused_where_the_inbox_would_have_it(gateway, seen):
    kept_to_be_looked_at = asyncio.ensure_future(seen(gateway, "refusals.kept"))
    assert (await gateway.send("open", BAD))["code"] == "data-invalid"
    await kept_to_be_looked_at
    assert [entry["refused"] for entry in await inbox(gateway)] == [True]


async def test_warn_keeps_it_and_tells(gateway, logged):
    assert (await gateway.send("warning", BAD))["id"].startswith("evt_")
    assert await kept(gateway) == ["license.expiring"]
    assert await inbox(gateway) == []
    assert (
        b'gateway_events_misfit_total{source="warning"} 1.0'
        in gateway.service._metrics.exposition()
    )
    (line,) = [each for each in logged() if "do not fit" in each["event"]]
    assert (line["source"], line["type"], line["detail"]) == ("warning", "license.expiring", WHAT)


async def test_where_a_source_does_not_ask_nobody_looks(gateway):
    assert (await gateway.send("indifferent", BAD))["id"].startswith("evt_")
    assert b"gateway_events_misfit_total{" not in gateway.service._metrics.exposition()


async def test_one_event_of_several_that_does_not_fit_keeps_all_of_them_out(gateway):
    batch = json.dumps([{**GOOD, "id": "1"}, {**BAD, "id": "2"}]).encode()
    headers = {"content-type": "application/cloudevents-batch+json"}
    answer = await gateway.post("open", batch, headers)
    assert (answer["status"], answer["field"]) == (422, "data.days_left")
    assert await kept(gateway) == []


async def test_a_type_of_ones_own_is_held_to_its_own_schema(gateway):
    answer = await gateway.send("rejecting", {"type": "article.created", "data": {"title": "x"}})
    assert (answer["code"], answer["field"]) == ("data-invalid", "data.headline")
    fine = await gateway.send("rejecting", {"type": "article.created", "data": {"headline": "x"}})
    assert fine["id"].startswith("evt_")
