"""Asana: one task for each matter, known by an external id of our own."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.asana import comment, complete_task, open_task
from handlers.rights import key
from tests.handlers.conftest import an_expiring_licence

API = "https://app.asana.com/api/1.0"
KEY = key(an_expiring_licence())
TASK = f"{API}/tasks/12"
STORIES = {"opt_fields": "text", "limit": "100"}
NONE = {"errors": [{"message": "task: Unknown object: external:x", "help": "…"}]}


def has(vendor, completed: bool | None = None, status: int = 200, **more) -> None:
    """Asana has a task that is completed or not; None: no task."""
    found = NONE if completed is None else {"data": {"gid": "12", "completed": completed}}
    at, query = f"{API}/tasks/external:{KEY}", {"opt_fields": "completed"}
    status = 404 if completed is None and status == 200 else status
    vendor.answers("GET", at, status, json=found, query=query, **more)


async def test_a_task_is_opened_where_there_is_none(run, vendor):
    event = an_expiring_licence()
    has(vendor)
    vendor.answers("POST", f"{API}/tasks", 201, json={"data": {"gid": "12"}})
    assert isinstance(await run(open_task, event, API, project="99"), Accepted)
    (body,) = vendor.bodies
    assert event.id in body["data"].pop("notes")
    assert body["data"] == {
        "name": "license.expiring: license/lic_1, 14 days left",
        "projects": ["99"],
        "external": {"gid": KEY, "data": "license/lic_1"},
        "due_on": "2026-12-31",
    }


async def test_where_a_task_is_open_there_is_nothing_to_do(run, vendor):
    has(vendor, completed=False)
    outcome = await run(open_task, an_expiring_licence(), API, project="99")
    assert outcome == Skipped("task 12 is open already")


async def test_a_task_that_was_completed_is_opened_again(run, vendor):
    has(vendor, completed=True)
    vendor.answers("PUT", TASK, json={"data": {}})
    await run(open_task, an_expiring_licence(), API, project="99")
    assert vendor.bodies == [{"data": {"completed": False, "due_on": "2026-12-31"}}]


async def test_an_event_is_commented_once(run, vendor):
    event = an_expiring_licence("terms.changed")
    has(vendor, completed=False)
    vendor.answers("GET", f"{TASK}/stories", json={"data": []}, query=STORIES)
    vendor.answers("POST", f"{TASK}/stories", 201, json={"data": {}})
    assert isinstance(await run(comment, event, API), Accepted)
    has(vendor, completed=False)
    vendor.answers("GET", f"{TASK}/stories", json=vendor.bodies[-1], query=STORIES)
    assert isinstance(await run(comment, event, API), Skipped)


async def test_the_open_task_is_completed(run, vendor):
    has(vendor, completed=False)
    vendor.answers("PUT", TASK, json={"data": {}})
    event = an_expiring_licence("license.renewed")
    assert isinstance(await run(complete_task, event, API), Accepted)
    assert vendor.bodies == [{"data": {"completed": True}}]


@pytest.mark.parametrize("handler", [comment, complete_task])
@pytest.mark.parametrize("completed", [None, True])
async def test_where_no_task_is_open_there_is_nothing_to_do(run, vendor, handler, completed):
    has(vendor, completed=completed)
    assert isinstance(await run(handler, an_expiring_licence(), API), Skipped)


async def test_what_asana_calls_wrong_is_dead_at_once(run, vendor):
    has(vendor)
    told = {"errors": [{"message": "projects: Not a recognized ID: 99", "help": "…"}]}
    vendor.answers("POST", f"{API}/tasks", 400, json=told)
    outcome = await run(open_task, an_expiring_licence(), API, project="99")
    assert outcome == Hopeless("Asana answers 400: projects: Not a recognized ID: 99")


@pytest.mark.parametrize(("status", "wait"), [(401, None), (403, None), (429, "30"), (500, None)])
async def test_what_may_pass_is_retried(run, vendor, status, wait):
    has(vendor, status=status, headers={"Retry-After": wait} if wait else {})
    outcome = await run(open_task, an_expiring_licence(), API, project="99")
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait
