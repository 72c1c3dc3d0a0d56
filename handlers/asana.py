"""Open a task in Asana, once for each matter; comment on it, and complete it.

    workflow:
      url: https://app.asana.com/api/1.0
      auth: {oauth2: {token_url: "https://app.asana.com/-/oauth_token", client_id: …, client_secret: …}}
      handler: handlers.asana:open_task

A route says into which project:

    to: [{endpoint: workflow, with: {project: "1201234567890123"}}]

Asana takes the same task any number of times. An external id that is derived from the event's subject
is looked for first; each app has external ids of its own, so keep to one. A task that was completed is
opened again, for it has the id.

https://developers.asana.com/reference/createtask
https://developers.asana.com/docs/custom-external-data
"""

from gateway import Endpoint, Event, Response, Skip
from handlers.answers import Api
from handlers.lookup import at
from handlers.rights import about, due_on, key
from handlers.wording import report, summary

API = Api(vendor="Asana", message="errors.0.message")


async def open_task(event: Event, endpoint: Endpoint, *, project: str) -> Response:
    """Open a task about the event's subject, unless one is open."""
    found = await _task(event, endpoint)
    if found and not found["completed"]:
        raise Skip(f"task {found['gid']} is open already")
    due = {"due_on": due_on(event)}
    if found:
        return await _write(endpoint, "PUT", f"/tasks/{found['gid']}", {"completed": False, **due})
    task = {
        "name": summary(event),
        "notes": report(event),
        "projects": [project],
        "external": {"gid": key(event), "data": about(event)},
    }
    return await _write(endpoint, "POST", "/tasks", {**task, **due})


async def comment(event: Event, endpoint: Endpoint) -> Response:
    """Add what the event says to the open task about its subject, once."""
    path = f"/tasks/{await _open_task(event, endpoint)}/stories"
    query = {"opt_fields": "text", "limit": "100"}
    if event.id in API.expect(await endpoint.get(path, query=query)).text:
        raise Skip("the task has this comment already")
    return await _write(endpoint, "POST", path, {"text": report(event)})


async def complete_task(event: Event, endpoint: Endpoint) -> Response:
    """Complete the open task about the event's subject."""
    path = f"/tasks/{await _open_task(event, endpoint)}"
    return await _write(endpoint, "PUT", path, {"completed": True})


async def _open_task(event: Event, endpoint: Endpoint) -> str:
    found = await _task(event, endpoint)
    if not found or found["completed"]:
        raise Skip(f"no task about {about(event)} is open")
    return str(found["gid"])


async def _task(event: Event, endpoint: Endpoint) -> dict[str, object]:
    """The task about the event's subject; empty where there is none."""
    query = {"opt_fields": "completed"}
    answer = API.expect(await endpoint.get(f"/tasks/external:{key(event)}", query=query), 404)
    found: dict[str, object] | None = at(answer.json(), "data")
    return found or {}


async def _write(endpoint: Endpoint, method: str, path: str, data: dict[str, object]) -> Response:
    return API.expect(await endpoint.request(method, path, json={"data": data}))
