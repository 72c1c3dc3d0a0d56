"""An image is licensed once for its request, whatever happens between the call and what is known of it."""

import asyncio
import json
from itertools import count

import aiohttp
import pytest
import pytest_asyncio

from tests.kit.getty import KEY, SECRET, FakeGetty, a_product
from tests.kit.process import GatewayProcess

ROUTES = """
version: 1
sources: {{approvals: {{verify: none}}}}
endpoints:
  getty:
    url: {url}
    auth: {{oauth2: {{token_url: "{url}/oauth2/token", client_id: {key}, client_secret: {{env: SECRET}}, style: body}}}}
    secrets: {{api_key: {{env: KEY}}}}
    handler: handlers.getty:license_image
    timeout: 1s
    retry: {{schedule: [100ms, 100ms, 100ms, 1s, 1s]}}
  cms: {{url: "{cms}/cms", sign: {{secrets: [{{env: CMS}}]}}}}
routes:
  - name: license
    match: {{type: license.approved}}
    to: [{{endpoint: getty, emit: {{type: license.acquired, data: "${{response.body}}"}}}}]
  - {{name: acquired, match: {{type: license.acquired}}, to: [cms]}}
"""
NEVER_WAITS = {"minutes=15": "0", "SECONDS = 300": "SECONDS = 0.1"}
APPROVED = {"asset_id": "847116840", "request_id": "req_1"}
_ids = count(1)


@pytest_asyncio.fixture
async def getty():
    fake = await FakeGetty().start()
    fake.images["847116840"] = {}
    fake.products.append(a_product())
    yield fake
    await fake.stop()


@pytest_asyncio.fixture
async def licensing(example, sinks, getty):
    """A gateway that licenses what is approved, and tells the CMS of it."""
    routes = ROUTES.format(url=getty.url, cms=sinks.url, key=KEY)
    (example / "routes.yaml").write_text(routes)
    environment = {"CMS": sinks.by_name["cms"].secret, "KEY": KEY, "SECRET": SECRET}
    process = GatewayProcess(example, environment=environment)
    await asyncio.to_thread(process.start)
    yield process
    await asyncio.to_thread(process.stop)


def acquired(sinks) -> list[dict]:
    """What the CMS was told of licences."""
    bodies = [body for each in sinks["cms"].bodies.values() for body in each]
    return [json.loads(body)["data"] for body in bodies]


async def approve(process) -> str:
    """An event that approves the image for the request: its name."""
    event = {"specversion": "1.0", "id": f"a-{next(_ids)}", "source": "/t", "type": "license.approved", "data": APPROVED}  # fmt: skip
    headers = {"content-type": "application/cloudevents+json"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{process.url}/in/approvals", json=event, headers=headers) as answer,
    ):
        assert answer.status == 202
        return (await answer.json())["id"]


async def command(process, *arguments: str):
    ended = await asyncio.to_thread(process.call, *arguments)
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stdout


async def dead(process, most: int = 1) -> list[dict]:
    """So many dead letters, once they are."""
    while len(found := json.loads(await command(process, "dead", "--json"))["items"]) < most:
        pass
    return found


async def test_a_download_that_is_answered_after_the_timeout_is_not_made_again(
    licensing, getty, sinks
):
    getty.may_answer_downloads.clear()
    event = await approve(licensing)
    await sinks.changed.until(lambda: len(acquired(sinks)) == 1)
    (told,) = acquired(sinks)
    assert (told["license"]["agreement_name"], told["download"]) == ("Acme 2026", {"uri": None})
    shown = json.loads(await command(licensing, "events", event, "--json"))
    (delivery,) = shown["deliveries"]
    *before, last = [each["outcome"] for each in delivery["attempts"]]
    assert (delivery["state"], last, set(before)) == ("delivered", "accepted", {"unreachable"})
    assert len(getty.downloads) == 1


@pytest.mark.faults
async def test_nor_is_one_after_a_kill_nor_one_of_a_replay_nor_of_a_second_approval(
    licensing, getty, sinks
):
    getty.may_answer_downloads.clear()
    event = await approve(licensing)
    await getty.until(lambda: getty.downloads)
    await asyncio.to_thread(licensing.kill)
    getty.may_answer_downloads.set()
    await asyncio.to_thread(licensing.start)
    await sinks.changed.until(lambda: len(acquired(sinks)) == 1)
    await command(licensing, "replay", event)
    await sinks.changed.until(lambda: len(acquired(sinks)) == 2)
    await approve(licensing)
    await sinks.changed.until(lambda: len(acquired(sinks)) == 3)
    assert len({told["license"]["id"] for told in acquired(sinks)}) == 1
    assert len(getty.downloads) == 1


@pytest.mark.faults
async def test_where_nobody_knows_what_came_of_it_a_person_decides(licensing, getty, sinks):
    getty.history_lags = True
    getty.may_answer_downloads.clear()
    handler = licensing.folder / "handlers" / "once.py"
    text = handler.read_text()
    for waits, never in NEVER_WAITS.items():
        assert waits in text
        text = text.replace(waits, never)
    await asyncio.to_thread(licensing.stop)
    handler.write_text(text)
    await asyncio.to_thread(licensing.start)
    event = await approve(licensing)
    (letter,) = await dead(licensing)
    assert f"gateway redeliver --act-again {letter['id']}" in letter["reason"]
    getty.may_answer_downloads.set()
    await approve(licensing)
    await command(licensing, "replay", event)
    await dead(licensing, 3)
    await command(licensing, "redeliver", "--state", "dead", "--yes", "--rate", "1000/s")
    await getty.until(lambda: getty.asked["GET /v3/images/847116840/downloadhistory"] >= 7)
    await dead(licensing, 3)
    assert len(getty.downloads) == 1
    assert not acquired(sinks)
    again = await command(licensing, "redeliver", letter["id"], "--act-again")
    assert again == f"{letter['id']} is back on schedule\n"
    await sinks.changed.until(lambda: len(acquired(sinks)) == 1)
    assert acquired(sinks)[0]["download"]["uri"].startswith(f"{getty.url}/delivery/847116840.jpg")
    assert len(getty.downloads) == 2
    entries = json.loads(await command(licensing, "audit", "--action", "act_again", "--json"))
    assert [each["object"] for each in entries["items"]] == [letter["id"]]
