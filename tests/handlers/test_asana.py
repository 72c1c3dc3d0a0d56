"""Asana: one open task for each matter, known by a word in its name."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.asana import NEVER, comment, complete_task, open_task
from handlers.rights import key
from tests.handlers.conftest import an_expiring_licence

API = "https://app.asana.com/api/1.0"
WORD = key(an_expiring_licence())
TASK = f"{API}/tasks/12"
OURS = {"gid": "12", "name": f"license.expiring: license/lic_1 [{WORD}]"}
OTHER = {"gid": "13", "name": "license.expiring: license/lic_2 [gw-0000000000000000]"}
STORIES = {"opt_fields": "text", "limit": "100"}
OPEN = {"project": "99", "completed_since": NEVER, "opt_fields": "name", "limit": "100"}


def has_open(vendor, *tasks, status: int = 200, offset=None, after=None, **more) -> None:
    """A page of the tasks that are open, another of which follows *after* it."""
    query = {**OPEN, "offset": offset} if offset else OPEN
    page = {"data": list(tasks), "next_page": {"offset": after} if after else None}
    vendor.answers("GET", f"{API}/tasks", status, json=page, query=query, **more)


async def test_a_task_is_opened_where_none_is_open(run, vendor):
    event = an_expiring_licence()
    has_open(vendor, OTHER)
    vendor.answers("POST", f"{API}/tasks", 201, json={"data": {"gid": "12"}})
    assert isinstance(await run(open_task, event, API, project="99"), Accepted)
    (body,) = vendor.bodies
    assert event.id in body["data"].pop("notes")
    assert body["data"] == {
        "name": f"license.expiring: license/lic_1, 14 days left [{WORD}]",
        "projects": ["99"],
        "due_on": "2026-12-31",
    }


async def test_where_a_task_is_open_there_is_nothing_to_do(run, vendor):
    has_open(vendor, OTHER, after="p2")
    has_open(vendor, OURS, offset="p2")
    outcome = await run(open_task, an_expiring_licence(), API, project="99")
    assert outcome == Skipped("task 12 is open already")


async def test_an_event_is_commented_once(run, vendor):
    event = an_expiring_licence("terms.changed")
    has_open(vendor, OURS)
    vendor.answers("GET", f"{TASK}/stories", json={"data": []}, query=STORIES)
    vendor.answers("POST", f"{TASK}/stories", 201, json={"data": {}})
    assert isinstance(await run(comment, event, API, project="99"), Accepted)
    has_open(vendor, OURS)
    vendor.answers("GET", f"{TASK}/stories", json=vendor.bodies[-1], query=STORIES)
    assert isinstance(await run(comment, event, API, project="99"), Skipped)


async def test_the_open_task_is_completed(run, vendor):
    has_open(vendor, OURS)
    vendor.answers("PUT", TASK, json={"data": {}})
    event = an_expiring_licence("license.renewed")
    assert isinstance(await run(complete_task, event, API, project="99"), Accepted)
    assert vendor.bodies == [{"data": {"completed": True}}]


@pytest.mark.parametrize("handler", [comment, complete_task])
async def test_where_no_task_is_open_there_is_nothing_to_do(run, vendor, handler):
    has_open(vendor, OTHER)
    outcome = await run(handler, an_expiring_licence(), API, project="99")
    assert outcome == Skipped("no task about license/lic_1 is open")


async def test_what_asana_calls_wrong_is_dead_at_once(run, vendor):
    has_open(vendor)
    told = {"errors": [{"message": "projects: Not a recognized ID: 99", "help": "…"}]}
    vendor.answers("POST", f"{API}/tasks", 400, json=told)
    outcome = await run(open_task, an_expiring_licence(), API, project="99")
    assert outcome == Hopeless("Asana answers 400: projects: Not a recognized ID: 99")


@pytest.mark.parametrize(("status", "wait"), [(401, None), (403, None), (429, "30"), (500, None)])
async def test_what_may_pass_is_retried(run, vendor, status, wait):
    has_open(vendor, status=status, headers={"Retry-After": wait} if wait else {})
    outcome = await run(open_task, an_expiring_licence(), API, project="99")
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait
