"""Open a review task in Jira Cloud, once for each matter; comment on it, and close it.

    workflow:
      url: https://example.atlassian.net
      auth: {basic: {user: gateway@example.com, password: {file: secrets/jira}}}     # an API token
      handler: handlers.jira:open_review

A route says into which project, `RIGHTS` unless it does:

    to: [{endpoint: workflow, with: {project: LEGAL}}]

Jira has no idempotency keys. A label that is derived from the event's subject stands for one: where an
open task carries it, there is nothing to do. Jira's search may lag a few seconds behind, so a second
task is possible where two events about one subject arrive together.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/
"""

from gateway import Endpoint, Event, Response, Skip, Undeliverable
from handlers.answers import Api
from handlers.lookup import at
from handlers.rights import about, due_on, key
from handlers.wording import report, summary

API = Api(vendor="Jira", reset="x-ratelimit-reset", reset_form="iso", message="errorMessages.0")
PROJECT = "RIGHTS"
ISSUE_TYPE = "Task"
LONGEST_SUMMARY = 255


async def open_review(
    event: Event, endpoint: Endpoint, *, project: str = PROJECT, issue_type: str = ISSUE_TYPE
) -> Response:
    """Open a task about the event's subject, unless one is open."""
    if found := await _open_task(event, endpoint, project):
        raise Skip(f"{found} is open already")
    fields: dict[str, object] = {
        "project": {"key": project},
        "issuetype": {"name": issue_type},
        "summary": summary(event)[:LONGEST_SUMMARY],
        "description": _document(report(event)),
        "labels": [key(event), "rights-gateway"],
    }
    if due := due_on(event):
        fields["duedate"] = due
    return API.expect(await endpoint.post("/rest/api/3/issue", json={"fields": fields}))


async def comment(event: Event, endpoint: Endpoint, *, project: str = PROJECT) -> Response:
    """Add what the event says to the task that is open about its subject, once."""
    path = f"/rest/api/3/issue/{await _task(event, endpoint, project)}/comment"
    newest = {"orderBy": "-created", "maxResults": "20"}
    if event.id in API.expect(await endpoint.get(path, query=newest)).text:
        raise Skip("the task has this comment already")
    return API.expect(await endpoint.post(path, json={"body": _document(report(event))}))


async def close_review(event: Event, endpoint: Endpoint, *, project: str = PROJECT) -> Response:
    """Make the transition of the open task that leads to a status of the category Done."""
    task = await _task(event, endpoint, project)
    path = f"/rest/api/3/issue/{task}/transitions"
    transitions = at(API.expect(await endpoint.get(path)).json(), "transitions") or []
    for each in transitions:
        if at(each, "to.statusCategory.key") == "done":
            return API.expect(await endpoint.post(path, json={"transition": {"id": each["id"]}}))
    raise Undeliverable(f"no transition of {task} leads to a status that is done")


async def _task(event: Event, endpoint: Endpoint, project: str) -> str:
    found = await _open_task(event, endpoint, project)
    if not found:
        raise Skip(f"no task about {about(event)} is open")
    return found


async def _open_task(event: Event, endpoint: Endpoint, project: str) -> str:
    """The key of the task that is open about the event's subject; empty where none is."""
    project = project.replace("\\", "\\\\").replace('"', '\\"')  # it may come out of an event
    jql = f'project = "{project}" AND labels = "{key(event)}" AND statusCategory != Done'
    search = {"jql": jql, "fields": ["summary"], "maxResults": 1}
    found = API.expect(await endpoint.post("/rest/api/3/search/jql", json=search))
    return str(at(found.json(), "issues.0.key") or "")


def _document(text: str) -> dict[str, object]:
    """Text in Atlassian's document format, a paragraph for each line."""
    paragraphs = [
        {"type": "paragraph", "content": [{"type": "text", "text": line}]}
        for line in text.splitlines()
        if line.strip()
    ]
    return {"type": "doc", "version": 1, "content": paragraphs}
