"""Mailchimp: a file is uploaded once, and taken out when its licence ends."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers import mailchimp
from handlers.mailchimp import NEWEST, import_asset, remove_asset
from tests.handlers.conftest import an_expiring_licence

SITE = "https://us21.api.mailchimp.com/3.0"
FILES = f"{SITE}/file-manager/files"


def has(vendor, *files, status: int = 200) -> None:
    vendor.answers("GET", FILES, status, json={"files": list(files)}, query=NEWEST)


async def test_a_file_is_uploaded(run, vendor, acquired):
    has(vendor, {"id": 1, "name": "getty-8471168400.jpg"})
    vendor.delivers()
    vendor.answers("POST", FILES, json={"id": 2, "full_size_url": "https://mcusercontent.com/x"})
    assert isinstance(await run(import_asset, acquired, SITE, folder=42), Accepted)
    file_data = "/9hhIHBpY3R1cmU="
    uploaded = {"name": "getty-847116840.jpg", "file_data": file_data, "folder_id": 42}
    assert vendor.bodies == [uploaded]


async def test_a_file_that_is_there_is_not_uploaded_again(run, vendor, acquired):
    has(vendor, {"id": 2, "name": "getty-847116840.jpg"})
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Skipped("file 2 is there already")


@pytest.mark.parametrize("status", [204, 404])
async def test_a_file_whose_licence_ended_is_taken_out(run, vendor, status):
    has(vendor, {"id": 2, "name": "getty-847116840.jpg"})
    vendor.answers("DELETE", f"{FILES}/2", status)
    outcome = await run(remove_asset, an_expiring_licence("license.expired"), SITE)
    assert isinstance(outcome, Accepted if status == 204 else Skipped)
    has(vendor)
    outcome = await run(remove_asset, an_expiring_licence("license.expired"), SITE)
    assert isinstance(outcome, Skipped)


async def test_a_file_that_is_too_large_for_mailchimp_is_dead_at_once(
    run, vendor, acquired, monkeypatch
):
    monkeypatch.setattr(mailchimp, "LARGEST_MIB", 0)
    has(vendor)
    vendor.delivers()
    assert "larger than" in (await run(import_asset, acquired, SITE)).reason


async def test_what_mailchimp_calls_wrong_is_dead_at_once(run, vendor, acquired):
    has(vendor)
    vendor.delivers()
    told = {"type": "…", "title": "Invalid Resource", "status": 400, "detail": "No such folder."}
    vendor.answers("POST", FILES, 400, json=told)
    outcome = await run(import_asset, acquired, SITE)
    assert outcome == Hopeless("Mailchimp answers 400 Invalid Resource: No such folder.")


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_what_may_pass_is_retried(run, vendor, acquired, status):
    has(vendor, status=status)
    assert isinstance(await run(import_asset, acquired, SITE), Refused)
