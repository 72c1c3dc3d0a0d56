"""A kill between what is kept and what is acknowledged: nothing is lost, and nothing comes twice."""

import asyncio

import pytest
import pytest_asyncio

from tests.kit.getty import KEY, SECRET, FakeGetty, an_image, restricted, too_many
from tests.kit.process import GatewayProcess

LATER = "2026-11-21T10:00:00Z"
ROUTES = """
version: 1
sources:
  getty: {{poll: {{preset: getty-asset-changes, url: "{url}", token_url: "{url}/oauth2/token", batch: 50, rate: 1000/s}}}}
endpoints: {{cms: {{url: "{cms}/cms", sign: {{secrets: [{{env: CMS}}]}}}}}}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""

ENRICHED = ROUTES.replace(
    "rate: 1000/s", "rate: 1000/s, every: 1s, enrich: {{collection: asset}}"
).replace(
    "routes: [",
    """routes: [
  {{name: keep, match: {{type: asset.updated}},
    remember: {{collection: asset, key: "${{event.data.asset.id}}", value: "${{event.data.asset}}"}}}}, """,
)


@pytest_asyncio.fixture
async def getty():
    fake = await FakeGetty().start()
    yield fake
    await fake.stop()


@pytest.mark.faults
async def test_a_kill_before_the_acknowledgement(tmp_path, sinks, getty):
    routes = ROUTES.format(url=getty.url, cms=sinks.url)
    (tmp_path / "routes.yaml").write_text(routes)
    environment = {
        "CMS": sinks.by_name["cms"].secret, "GETTY_API_KEY": KEY, "GETTY_API_SECRET": SECRET,
    }  # fmt: skip
    for number in range(120):
        getty.change(str(number))
    getty.may_acknowledge.clear()
    process = GatewayProcess(tmp_path, environment=environment)
    await asyncio.to_thread(process.start)
    try:
        await getty.until(lambda: any(each.startswith("DELETE") for each in getty.asked))
        await asyncio.to_thread(process.kill)
        assert getty.acknowledged == []
        getty.may_acknowledge.set()
        await asyncio.to_thread(process.start)
        ids = {f"gac-1-{number}-update-2026-11-20T09:14:03Z" for number in range(120)}
        await getty.until(lambda: len(getty.acknowledged) == 3)
        cms = sinks["cms"]
        await sinks.changed.until(lambda: ids <= cms.taken.keys())
        assert getty.redelivered == 1
        assert len(cms.bodies) == len(ids)  # each delivery has an id of its own
    finally:
        await asyncio.to_thread(process.stop)


@pytest.mark.faults
async def test_a_kill_while_terms_change(tmp_path, sinks, getty):
    """Once before what was asked is kept, and once between that and the acknowledgement."""
    (tmp_path / "routes.yaml").write_text(ENRICHED.format(url=getty.url, cms=sinks.url))
    environment = {
        "CMS": sinks.by_name["cms"].secret, "GETTY_API_KEY": KEY, "GETTY_API_SECRET": SECRET,
    }  # fmt: skip
    for number in range(40):
        getty.images[str(number)] = an_image()
        getty.change(str(number))
    process = GatewayProcess(tmp_path, environment=environment)
    await asyncio.to_thread(process.start)
    try:
        await getty.until(lambda: len(getty.acknowledged) == 1)
        for number in range(40):
            getty.images[str(number)] = an_image(allowed_use=restricted("NO USE IN FRANCE"))
            getty.change(str(number), at=LATER)
        getty.may_tell_images.clear()
        await getty.until(lambda: getty.asked["GET /v3/images"] == 2)
        await asyncio.to_thread(process.kill)
        getty.may_tell_images.set()
        getty.may_acknowledge.clear()
        await asyncio.to_thread(process.start)
        await getty.until(
            lambda: sum(n for w, n in getty.asked.items() if w.startswith("DELETE")) == 2
        )
        await asyncio.to_thread(process.kill)
        getty.may_acknowledge.set()
        await asyncio.to_thread(process.start)
        await getty.until(lambda: len(getty.acknowledged) == 2)
        ids = {
            f"gac-1-{number}-update-{LATER}{suffix}"
            for number in range(40) for suffix in ("", "-terms", "-restricted")
        }  # fmt: skip
        cms = sinks["cms"]
        await sinks.changed.until(lambda: ids <= cms.taken.keys())
        assert getty.redelivered == 2
        assert len(cms.bodies) == len(ids) + 40
    finally:
        await asyncio.to_thread(process.stop)


async def test_what_is_asked_is_shown_and_asked_at_once(tmp_path, sinks, getty):
    (tmp_path / "routes.yaml").write_text(ROUTES.format(url=getty.url, cms=sinks.url))
    environment = {
        "CMS": sinks.by_name["cms"].secret, "GETTY_API_KEY": KEY, "GETTY_API_SECRET": SECRET,
    }  # fmt: skip
    process = GatewayProcess(tmp_path, environment=environment)
    await asyncio.to_thread(process.start)
    try:
        getty.change("1")
        told = await asyncio.to_thread(process.call, "poll", "getty")
        assert (told.returncode, "getty (getty-asset-changes): " in told.stdout) == (0, True)
        getty.failing = [too_many()]
        told = await asyncio.to_thread(process.call, "poll", "getty")
        assert told.returncode == 1
        assert "is throttled" in told.stdout
        assert "429, Too Many Requests" in told.stdout
        told = await asyncio.to_thread(process.call, "poll", "getty")
        assert "nothing new" in told.stdout
        status = await asyncio.to_thread(process.call, "status")
        assert "getty (getty-asset-changes): nothing new, " in status.stdout
        assert "; next in " in status.stdout
    finally:
        await asyncio.to_thread(process.stop)
