"""Open a task in Asana, once for each matter; comment on it, and complete it.

    workflow:
      url: https://app.asana.com/api/1.0
      auth: {bearer: {file: secrets/asana}}          # a personal access token, or a service account's
      handler: handlers.asana:open_task

A route says in which project:

    to: [{endpoint: workflow, with: {project: "1201234567890123"}}]

Asana takes the same task any number of times. A word that is derived from the event's subject stands in
a task's name, and is looked for first among the project's tasks that are not completed, a thousand of
them at most: give these tasks a project of their own. (Asana's external ids are for OAuth apps only.)

https://developers.asana.com/reference/gettasks
https://developers.asana.com/reference/createtask
"""

from gateway import Endpoint, Event, Response, Skip
from handlers.answers import Api
from handlers.lookup import at
from handlers.rights import about, due_on, key
from handlers.wording import report, summary

API = Api(vendor="Asana", message="errors.0.message")
MOST_PAGES = 10
"""Of a hundred tasks each."""

NEVER = "2100-01-01T00:00:00Z"
"""Nothing was completed since: what is listed is open. (`now` is not in Asana's OpenAPI document.)"""


async def open_task(event: Event, endpoint: Endpoint, *, project: str) -> Response:
    """Open a task about the event's subject, unless one is open."""
    if found := await _task(event, endpoint, project):
        raise Skip(f"task {found} is open already")
    task: dict[str, object] = {
        "name": f"{summary(event)} [{key(event)}]",
        "notes": report(event),
        "projects": [project],
        "due_on": due_on(event),
    }
    return await _write(endpoint, "POST", "/tasks", task)


async def comment(event: Event, endpoint: Endpoint, *, project: str) -> Response:
    """Add what the event says to the open task about its subject, once."""
    path = f"/tasks/{await _open_task(event, endpoint, project)}/stories"
    query = {"opt_fields": "text", "limit": "100"}
    if event.id in API.expect(await endpoint.get(path, query=query)).text:
        raise Skip("the task has this comment already")
    return await _write(endpoint, "POST", path, {"text": report(event)})


async def complete_task(event: Event, endpoint: Endpoint, *, project: str) -> Response:
    """Complete the open task about the event's subject."""
    path = f"/tasks/{await _open_task(event, endpoint, project)}"
    return await _write(endpoint, "PUT", path, {"completed": True})


async def _open_task(event: Event, endpoint: Endpoint, project: str) -> str:
    if found := await _task(event, endpoint, project):
        return found
    raise Skip(f"no task about {about(event)} is open")


async def _task(event: Event, endpoint: Endpoint, project: str) -> str:
    """The number of the open task about the event's subject; empty where there is none."""
    query = {"project": project, "completed_since": NEVER, "opt_fields": "name", "limit": "100"}
    for _ in range(MOST_PAGES):
        page = API.expect(await endpoint.get("/tasks", query=query)).json()
        for each in at(page, "data") or ():
            if key(event) in str(at(each, "name")):
                return str(each["gid"])
        if not (offset := at(page, "next_page.offset")):
            break
        query["offset"] = str(offset)
    return ""


async def _write(endpoint: Endpoint, method: str, path: str, data: dict[str, object]) -> Response:
    return API.expect(await endpoint.request(method, path, json={"data": data}))
