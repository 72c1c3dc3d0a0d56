"""Open a record in ServiceNow, once for each matter; comment on it, and resolve it.

    workflow:
      url: https://example.service-now.com
      auth: {basic: {user: gateway, password: {file: secrets/servicenow}}}
      handler: handlers.servicenow:open_task

A route says into which table, and what else its records need:

    to: [{endpoint: workflow, with: {table: incident, fields: {assignment_group: Rights}}}]

ServiceNow takes the same record any number of times. A `correlation_id` that is derived from the
event's subject is looked for first: where an active record has it, there is nothing to do.

https://www.servicenow.com/docs/r/api-reference/rest-apis/c_TableAPI.html
"""

from collections.abc import Mapping
from urllib.parse import quote

from gateway import Endpoint, Event, Response, Skip
from handlers.answers import Api
from handlers.lookup import at
from handlers.rights import about, key
from handlers.wording import report, severity, summary

API = Api(
    vendor="ServiceNow", message="error.message", reset="x-ratelimit-reset", reset_form="unix"
)
URGENCY = {"critical": "1", "error": "1", "warning": "2", "info": "3"}
LONGEST_SUMMARY = 160
RESOLVED = {"state": "6", "close_code": "Solved (Permanently)"}
"""Of an incident; other tables, and instances with codes of their own, want others."""


async def open_task(
    event: Event,
    endpoint: Endpoint,
    *,
    table: str = "incident",
    fields: Mapping[str, object] | None = None,
) -> Response:
    """Open a record about the event's subject, unless one is active."""
    if found := await _active(event, endpoint, table):
        raise Skip(f"{found['number']} is open already")
    record = {
        "short_description": summary(event)[:LONGEST_SUMMARY],
        "description": report(event),
        "urgency": URGENCY[severity(event)],
        "correlation_id": key(event),
        "correlation_display": "rights-gateway",
    }
    return API.expect(await endpoint.post(_path(table), json={**record, **(fields or {})}))


async def comment(event: Event, endpoint: Endpoint, *, table: str = "incident") -> Response:
    """Add what the event says to the work notes of the active record, once."""
    path = await _path_of_active(event, endpoint, table)
    query = {"sysparm_fields": "work_notes", "sysparm_display_value": "true"}
    if event.id in API.expect(await endpoint.get(path, query=query)).text:
        raise Skip("the record has this note already")
    return API.expect(await endpoint.patch(path, json={"work_notes": report(event)}))


async def resolve_task(
    event: Event,
    endpoint: Endpoint,
    *,
    table: str = "incident",
    fields: Mapping[str, object] | None = None,
) -> Response:
    """Resolve the record that is active about the event's subject: write *fields*, or RESOLVED."""
    path = await _path_of_active(event, endpoint, table)
    notes = {"close_notes": summary(event)}
    return API.expect(await endpoint.patch(path, json={**notes, **(fields or RESOLVED)}))


async def _path_of_active(event: Event, endpoint: Endpoint, table: str) -> str:
    found = await _active(event, endpoint, table)
    if not found:
        raise Skip(f"no record about {about(event)} is active")
    return f"{_path(table)}/{quote(found['sys_id'], safe='')}"


async def _active(event: Event, endpoint: Endpoint, table: str) -> dict[str, str]:
    """The record that is active about the event's subject; empty where none is."""
    query = {
        "sysparm_query": f"correlation_id={key(event)}^active=true",
        "sysparm_fields": "sys_id,number",
        "sysparm_limit": "1",
    }
    found: dict[str, str] | None = at(
        API.expect(await endpoint.get(_path(table), query=query)).json(), "result.0"
    )
    return found or {}


def _path(table: str) -> str:
    return f"/api/now/table/{quote(table, safe='')}"
