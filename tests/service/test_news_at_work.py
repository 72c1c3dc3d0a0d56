"""The gateway's own news, in a whole gateway against a scripted server."""

import json

import pytest

from gateway.explaining import explained
from gateway.testing import Gateway

ROUTES = """\
version: 1
sources:
  contracts: {verify: none, silent_after: 2h}
endpoints:
  cms: {url: "https://cms.example.com/", sign: none, retry: {schedule: []}, breaker: off, owner: web-team}
  pager: {url: "https://pager.example.com/", sign: none, retry: {schedule: []}, breaker: off}
routes:
  - {name: all, match: {source: contracts}, to: [cms]}
  - {name: alarm, match: {source: gateway, type: [{prefix: gateway.}]}, to: [pager]}
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "routes.yaml"
    path.write_text(ROUTES)
    return path


async def told(gateway: Gateway, count: int) -> list[dict]:
    """What the pager was told, once it was so often."""
    calls = await gateway.endpoint("pager").calls(count)
    return [json.loads(call.body) for call in calls]


async def test_a_dead_letter_is_told_to_the_alerting_endpoint(path):
    async with Gateway(path) as gateway:
        gateway.endpoint("cms").reply(500)
        await gateway.send("contracts", {"type": "license.expired"})
        await gateway.settled()
        gateway.clock.advance(5)
        (news,) = await told(gateway, 1)
    assert (news["type"], news["subject"]) == ("gateway.delivery.dead", "endpoint/cms")
    assert (news["data"]["count"], news["data"]["owner"]) == (1, "web-team")


async def test_an_alerting_endpoint_that_is_dead_hears_of_nothing_more(path):
    async with Gateway(path) as gateway:
        gateway.endpoint("cms").reply(500)
        for _ in range(10):
            gateway.endpoint("pager").reply(500)
        await gateway.send("contracts", {"type": "license.expired"})
        await gateway.settled()
        gateway.clock.advance(5)
        await told(gateway, 1)
        await gateway.settled()
        for _ in range(5):
            gateway.clock.advance(600)
            await gateway.service._tell._step()
        await gateway.settled()
        assert len(gateway.endpoint("pager").received) == 1
        assert len(await gateway.service._store.deliveries({"state": "dead"})) == 2


async def test_a_refused_file_is_told_by_the_file_in_force(path):
    async with Gateway(path) as gateway:
        path.write_text(ROUTES + "rotues: []\n")
        await gateway.service.reload()
        gateway.clock.advance(5)
        (news,) = await told(gateway, 1)
    assert news["type"] == "gateway.config.rejected"
    assert "rotues" in news["data"]["problems"][0]
    assert news["data"]["in_force"] == gateway.service.routes.fingerprint


async def test_a_silent_source_is_told_of(path):
    async with Gateway(path) as gateway:
        await gateway.send("contracts", {"type": "license.expired"})
        await gateway.service._silence._step()
        gateway.clock.advance(2 * 3600)
        (news,) = await told(gateway, 1)
    assert (news["type"], news["data"]["source"]) == ("gateway.source.silent", "contracts")


async def test_what_was_gathered_is_kept_when_the_gateway_stops(path):
    async with Gateway(path) as gateway:
        gateway.endpoint("cms").reply(500)
        await gateway.send("contracts", {"type": "license.expired"})
        await gateway.settled()
        kept = []

        def hear(_name: str, told: dict) -> None:
            # What the end of the loop broke off is told once more, and is a duplicate then.
            kept.extend(told["source"] for each in told["receipts"] if not each.duplicate)

        gateway.service.telemetry.listen(hear, "events.kept")
    assert kept == ["gateway"]


async def test_news_can_be_explained_before_there_is_any(path):
    body = json.dumps(
        {
            "specversion": "1.0",
            "id": "1",
            "source": "/news",
            "type": "gateway.source.silent",
            "data": {"source": "contracts"},
        }
    ).encode()
    async with Gateway(path) as gateway:
        result = explained(gateway.service.routes, "gateway", body, {}, gateway.clock.now())
    (event,) = result["events"]
    assert [route["name"] for route in event["routes"] if route["matches"]] == ["alarm"]


@pytest.mark.parametrize(("text", "code"), [("30s", "no-time"), ("soon", "duration")])
async def test_how_long_a_source_may_be_silent_is_a_minute_at_least(path, text, code):
    path.write_text(ROUTES.replace("2h", text))
    with pytest.raises(Exception, match=code):
        async with Gateway(path):
            pass
