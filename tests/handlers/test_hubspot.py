"""HubSpot: a file is imported once, and lasts as long as its licence."""

import pytest

from gateway.core.model import Accepted, Hopeless, Postponed, Refused
from handlers.hubspot import import_asset
from tests.handlers.conftest import FILE_URL, an_expiring_licence

SITE = "https://api.hubapi.com"
FILES = f"{SITE}/files/v3/files"
LOOK = {"name": "getty-847116840", "limit": "20"}
FILE = {"id": "123", "name": "getty-847116840", "path": "/getty/getty-847116840"}
OTHERS = (
    {"id": "1", "name": "getty-8471168400", "path": "/getty/getty-8471168400"},
    {"id": "2", "name": "getty-847116840", "path": "/old/getty-847116840"},
)


def has(vendor, *files, status: int = 200, **more) -> None:
    found = {"results": list(files)}
    vendor.answers("GET", f"{FILES}/search", status, json=found, query=LOOK, **more)


async def test_an_import_is_asked_for_and_seen_to(run, vendor, acquired):
    has(vendor, *OTHERS)
    vendor.answers("POST", f"{FILES}/import-from-url/async", 202, json={"id": "t", "links": {}})
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Postponed("HubSpot imports the file", 60_000_000)
    assert vendor.bodies == [
        {
            "url": FILE_URL,
            "name": "getty-847116840",
            "folderPath": "/getty",
            "access": "PRIVATE",
            "overwrite": False,
            "duplicateValidationStrategy": "RETURN_EXISTING",
            "duplicateValidationScope": "EXACT_FOLDER",
            "expiresAt": "2026-12-31T23:59:59Z",
        }
    ]
    has(vendor, *OTHERS, FILE)
    vendor.answers("PATCH", f"{FILES}/123", json={"id": "123"})
    assert isinstance(await run(import_asset, acquired, SITE), Accepted)
    assert vendor.bodies[1:] == [{"expiresAt": "2026-12-31T23:59:59Z"}]


@pytest.mark.parametrize(
    ("ends", "written"),
    [
        ("2027-12-31T23:00:00+02:00", {"expiresAt": "2027-12-31T21:00:00Z"}),
        (None, {"clearExpires": True}),
    ],
)
async def test_a_renewal_moves_the_end_of_the_file(run, vendor, ends, written):
    event = an_expiring_licence("license.renewed")
    event.data["license"]["expires_at"] = ends
    has(vendor, *OTHERS, FILE)
    vendor.answers("PATCH", f"{FILES}/123", json={"id": "123"})
    assert isinstance(await run(import_asset, event, SITE), Accepted)
    assert vendor.bodies == [written]


async def test_what_hubspot_calls_wrong_is_dead_at_once(run, vendor, acquired):
    has(vendor)
    told = {"status": "error", "category": "VALIDATION_ERROR", "message": "url is not valid"}
    vendor.answers("POST", f"{FILES}/import-from-url/async", 400, json=told)
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Hopeless("HubSpot answers 400 VALIDATION_ERROR: url is not valid")


async def test_an_end_that_is_no_time_is_no_end(run, vendor, acquired):
    acquired.data["license"]["expires_at"] = "soon"
    has(vendor)
    assert "is no time: soon" in (await run(import_asset, acquired, SITE)).reason


@pytest.mark.parametrize("status", [401, 403, 429, 500])
async def test_what_may_pass_is_retried(run, vendor, acquired, status):
    has(vendor, status=status)
    assert isinstance(await run(import_asset, acquired, SITE), Refused)
