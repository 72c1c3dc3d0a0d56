"""Open a review task in Jira Cloud, once for each matter.

    workflow:
      url: https://example.atlassian.net
      auth: {basic: {user: gateway@example.com, password: {file: secrets/jira}}}     # an API token
      handler: handlers.workflow:open_review

A route says into which project, `RIGHTS` unless it does:

    to: [{endpoint: workflow, with: {project: LEGAL}}]

Jira has no idempotency keys either. A label that is derived from the event's subject stands for one:
where an open task carries it, there is nothing to do. Jira's search may lag a few seconds behind, so a
second task is possible where two events about one subject arrive together.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/
"""

from hashlib import sha256

from gateway import Endpoint, Event, Response, Skip

PROJECT = "RIGHTS"
ISSUE_TYPE = "Task"
LONGEST_SUMMARY = 255


async def open_review(event: Event, endpoint: Endpoint, *, project: str = PROJECT) -> Response:
    """Open a task about the event's subject, unless one is open."""
    label = _label(event)
    jql = f'project = "{project}" AND labels = "{label}" AND statusCategory != Done'
    found = await endpoint.post(
        "/rest/api/3/search/jql", json={"jql": jql, "fields": ["summary"], "maxResults": 1}
    )
    if not found.ok:
        return found
    for issue in found.json()["issues"]:
        raise Skip(f"{issue['key']} is open already")
    return await endpoint.post("/rest/api/3/issue", json={"fields": _fields(event, label, project)})


def _label(event: Event) -> str:
    about = event.subject or event.id
    return "gw-" + sha256(about.encode()).hexdigest()[:16]


def _fields(event: Event, label: str, project: str) -> dict[str, object]:
    about = event.subject or event.id
    fields: dict[str, object] = {
        "project": {"key": project},
        "issuetype": {"name": ISSUE_TYPE},
        "summary": f"{event.type}: {about}"[:LONGEST_SUMMARY],
        "description": _document(f"{event.type} of {event.time} about {about}."),
        "labels": [label, "rights-gateway"],
    }
    expires_at = (event.data.get("license") or {}).get("expires_at")
    if expires_at:
        fields["duedate"] = expires_at[:10]
    return fields


def _document(text: str) -> dict[str, object]:
    """Text in Atlassian's document format."""
    paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
    return {"type": "doc", "version": 1, "content": [paragraph]}
