"""ServiceNow: one active record for each matter, with notes, until it is resolved."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.rights import key
from handlers.servicenow import comment, open_task, resolve_task
from tests.handlers.conftest import an_expiring_licence

INSTANCE = "https://example.service-now.com"
TABLE = f"{INSTANCE}/api/now/table/incident"
RECORD = {"sys_id": "46d44a", "number": "INC0010001"}
NOTES = {"sysparm_fields": "work_notes", "sysparm_display_value": "true"}


def has_active(vendor, *records, status: int = 200, event=None, **more) -> None:
    query = {
        "sysparm_query": f"correlation_id={key(event or an_expiring_licence())}^active=true",
        "sysparm_fields": "sys_id,number",
        "sysparm_limit": "1",
    }
    vendor.answers("GET", TABLE, status, json={"result": list(records)}, query=query, **more)


async def test_a_record_is_opened_where_none_is_active(run, vendor):
    event = an_expiring_licence(days_left=5)
    has_active(vendor)
    vendor.answers("POST", TABLE, 201, json={"result": RECORD})
    outcome = await run(open_task, event, INSTANCE, fields={"assignment_group": "Rights"})
    assert isinstance(outcome, Accepted)
    (record,) = vendor.bodies
    assert record.pop("description").endswith(f"Event: {event.id} of {event.time}")
    assert record == {
        "short_description": "license.expiring: license/lic_1, 5 days left",
        "urgency": "1",
        "correlation_id": key(event),
        "correlation_display": "rights-gateway",
        "assignment_group": "Rights",
    }


async def test_where_a_record_is_active_there_is_nothing_to_do(run, vendor):
    has_active(vendor, RECORD)
    outcome = await run(open_task, an_expiring_licence(), INSTANCE)
    assert outcome == Skipped("INC0010001 is open already")


async def test_a_note_is_added_once(run, vendor):
    event, at = an_expiring_licence("terms.changed"), f"{TABLE}/46d44a"
    has_active(vendor, RECORD)
    vendor.answers("GET", at, json={"result": {"work_notes": ""}}, query=NOTES)
    vendor.answers("PATCH", at, json={"result": RECORD})
    assert isinstance(await run(comment, event, INSTANCE), Accepted)
    has_active(vendor, RECORD)
    vendor.answers("GET", at, json={"result": vendor.bodies[-1]}, query=NOTES)
    assert isinstance(await run(comment, event, INSTANCE), Skipped)


async def test_the_active_record_is_resolved(run, vendor):
    has_active(vendor, RECORD)
    vendor.answers("PATCH", f"{TABLE}/46d44a", json={"result": RECORD}, repeat=True)
    event = an_expiring_licence("license.renewed", days_left=None)
    assert isinstance(await run(resolve_task, event, INSTANCE), Accepted)
    notes = {"close_notes": "license.renewed: license/lic_1"}
    assert vendor.bodies == [{**notes, "state": "6", "close_code": "Solved (Permanently)"}]
    has_active(vendor, RECORD)
    await run(resolve_task, event, INSTANCE, fields={"state": "3"})
    assert vendor.bodies[-1] == {**notes, "state": "3"}


@pytest.mark.parametrize("handler", [comment, resolve_task])
async def test_where_no_record_is_active_there_is_nothing_to_do(run, vendor, handler):
    has_active(vendor)
    assert isinstance(await run(handler, an_expiring_licence(), INSTANCE), Skipped)


async def test_what_servicenow_calls_wrong_is_dead_at_once(run, vendor):
    has_active(vendor)
    told = {"error": {"message": "Invalid table", "detail": None}, "status": "failure"}
    vendor.answers("POST", TABLE, 400, json=told)
    outcome = await run(open_task, an_expiring_licence(), INSTANCE)
    assert outcome == Hopeless("ServiceNow answers 400: Invalid table")


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (401, {}, None),
        (403, {}, None),
        (429, {"Retry-After": "7", "X-RateLimit-Reset": "1795000060"}, "7"),
        (429, {"X-RateLimit-Reset": "1795000060"}, "Wed, 18 Nov 2026 11:07:40 GMT"),
        (500, {}, None),
    ],
)
async def test_what_may_pass_is_retried(run, vendor, status, headers, wait):
    has_active(vendor, status=status, headers=headers)
    outcome = await run(open_task, an_expiring_licence(), INSTANCE)
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait
