"""Contentful: assets under our own id, and pages published and unpublished by their version."""

import pytest

from gateway.core.model import Accepted, Hopeless, Postponed, Refused, Skipped
from handlers.contentful import import_asset, republish, unpublish
from tests.handlers.conftest import FILE_URL, shown_at

SPACE = "https://api.contentful.com/spaces/abc/environments/master"
ASSET = f"{SPACE}/assets/getty-847116840"
PROCESS = f"{ASSET}/files/en-US/process"
TEXTS = {
    "title": {"en-US": "A French bulldog"},
    "description": {"en-US": "An old dog smiling"},
}
UPLOADED = {
    "contentType": "image/jpeg", "fileName": "getty-847116840", "upload": FILE_URL,
}  # fmt: skip
PROCESSED = {
    "contentType": "image/jpeg", "fileName": "getty-847116840", "url": "//images.ctfassets.net/x.jpg",
}  # fmt: skip


def thing(version: int, published: int | None = None, **more) -> dict[str, object]:
    sys = {"id": "x", "version": version}
    return {"sys": sys if published is None else {**sys, "publishedVersion": published}, **more}


def fault(code: str, message: str) -> dict[str, object]:
    return {"sys": {"type": "Error", "id": code}, "message": message, "requestId": "r"}


async def test_an_asset_is_created_and_contentful_told_to_fetch_its_file(run, vendor, acquired):
    vendor.answers("GET", ASSET, 404, json=fault("NotFound", "none"))
    vendor.answers("PUT", ASSET, 201, json=thing(1))
    vendor.answers("PUT", PROCESS, 204)
    outcome = await run(import_asset, acquired, SPACE)
    assert outcome == Postponed("Contentful fetches the file", 10_000_000)
    _, created, process = vendor.asked
    assert created.body == {"fields": {**TEXTS, "file": {"en-US": UPLOADED}}}
    assert created.headers["content-type"] == "application/vnd.contentful.management.v1+json"
    assert "x-contentful-version" not in created.headers
    assert process.headers["x-contentful-version"] == "1"


async def test_once_the_file_is_there_the_asset_is_published_and_not_written_again(
    run, vendor, acquired
):
    fields = {**TEXTS, "file": {"en-US": PROCESSED}}
    vendor.answers("GET", ASSET, json=thing(3, fields=fields))
    vendor.answers("PUT", f"{ASSET}/published", json=thing(4, 3))
    assert isinstance(await run(import_asset, acquired, SPACE), Accepted)
    vendor.answers("GET", ASSET, json=thing(4, 3, fields=fields))
    assert isinstance(await run(import_asset, acquired, SPACE), Accepted)
    assert [method for method, _ in vendor.calls] == ["GET", "PUT", "GET"]
    assert vendor.asked[1].headers["x-contentful-version"] == "3"


async def test_texts_that_changed_after_it_was_published_are_published_too(run, vendor, acquired):
    vendor.answers("GET", ASSET, json=thing(4, 3, fields={"file": {"en-US": PROCESSED}}))
    fields = {**TEXTS, "file": {"en-US": PROCESSED}}
    vendor.answers("PUT", ASSET, json=thing(5, 3, fields=fields))
    vendor.answers("PUT", f"{ASSET}/published", json=thing(6, 5))
    assert isinstance(await run(import_asset, acquired, SPACE), Accepted)
    assert vendor.calls[-1] == ("PUT", f"{ASSET}/published")


async def test_what_else_an_asset_has_stays(run, vendor, acquired):
    fields = {"title": {"de": "Hund", "en-US": "old"}, "file": {"en-US": PROCESSED}}
    tags = {"tags": [{"sys": {"id": "spring"}}]}
    vendor.answers("GET", ASSET, json=thing(7, fields=fields, metadata=tags))
    vendor.answers("PUT", ASSET, json=thing(8, fields=fields))
    await run(import_asset, acquired, SPACE, publish=False)
    written = vendor.asked[1]
    title = {"de": "Hund", "en-US": "A French bulldog"}
    assert written.body == {"metadata": tags, "fields": {**fields, **TEXTS, "title": title}}
    assert written.headers["x-contentful-version"] == "7"


async def test_after_another_change_the_next_attempt_reads_anew(run, vendor, acquired):
    vendor.answers("GET", ASSET, json=thing(7, fields={"file": {"en-US": PROCESSED}}))
    vendor.answers("PUT", ASSET, 409, json=fault("VersionMismatch", ""))
    assert isinstance(await run(import_asset, acquired, SPACE, publish=False), Refused)
    vendor.answers("GET", ASSET, json=thing(8, fields={"file": {"en-US": PROCESSED}}))
    vendor.answers("PUT", ASSET, json=thing(9, fields={"file": {"en-US": PROCESSED}}))
    assert isinstance(await run(import_asset, acquired, SPACE, publish=False), Accepted)
    assert vendor.asked[-1].headers["x-contentful-version"] == "8"


async def test_an_invalid_asset_is_dead_at_once(run, vendor, acquired):
    vendor.answers("GET", ASSET, 404, json=fault("NotFound", "none"))
    vendor.answers("PUT", ASSET, 422, json=fault("ValidationFailed", "Validation error"))
    outcome = await run(import_asset, acquired, SPACE)
    assert outcome == Hopeless("Contentful answers 422 ValidationFailed: Validation error")


@pytest.mark.parametrize("status", [401, 403, 409, 429, 500])
async def test_what_may_pass_is_retried(run, vendor, status):
    headers = {"X-Contentful-RateLimit-Reset": "3"}
    at = f"{SPACE}/entries/1"
    vendor.answers("GET", at, status, json=fault("RateLimitExceeded", "no"), headers=headers)
    outcome = await run(unpublish, shown_at("contentful", "entry/1"), SPACE)
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == ("3" if status == 429 else None)


async def test_entries_and_assets_are_unpublished(run, vendor):
    vendor.answers("GET", f"{SPACE}/entries/1", json=thing(5, 4))
    vendor.answers("DELETE", f"{SPACE}/entries/1/published", json=thing(5))
    vendor.answers("GET", f"{SPACE}/assets/2", json=thing(5, 4))
    vendor.answers("DELETE", f"{SPACE}/assets/2/published", json=thing(5))
    event = shown_at("contentful", "entry/1", "asset/2")
    assert isinstance(await run(unpublish, event, SPACE), Accepted)
    assert [url for method, url in vendor.calls if method == "DELETE"] == [
        f"{SPACE}/entries/1/published",
        f"{SPACE}/assets/2/published",
    ]


async def test_what_is_offline_or_gone_is_left_alone(run, vendor):
    vendor.answers("GET", f"{SPACE}/entries/1", json=thing(5))
    vendor.answers("GET", f"{SPACE}/entries/2", 404, json=fault("NotFound", "none"))
    event = shown_at("contentful", "1", "entry/2")
    assert isinstance(await run(unpublish, event, SPACE), Skipped)


async def test_an_entry_is_published_by_its_version(run, vendor):
    vendor.answers("GET", f"{SPACE}/entries/1", json=thing(6))
    vendor.answers("PUT", f"{SPACE}/entries/1/published", json=thing(7, 6))
    assert isinstance(await run(republish, shown_at("contentful", "entry/1"), SPACE), Accepted)
    assert vendor.asked[-1].headers["x-contentful-version"] == "6"
