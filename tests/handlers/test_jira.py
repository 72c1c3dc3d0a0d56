"""Jira: one open task for each matter, commented on and closed."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.jira import close_review, comment, open_review
from tests.handlers.conftest import an_expiring_licence

SITE = "https://example.atlassian.net"
SEARCH, ISSUE = f"{SITE}/rest/api/3/search/jql", f"{SITE}/rest/api/3/issue"
TASK = f"{ISSUE}/RIGHTS-7"
NEWEST = {"orderBy": "-created", "maxResults": "20"}


def has_open(vendor, *keys: str) -> None:
    vendor.answers("POST", SEARCH, json={"issues": [{"id": "1", "key": key} for key in keys]})


def fault(**errors: str) -> dict[str, object]:
    return {"errorMessages": [], "errors": errors}


async def test_a_task_is_opened_where_none_is_open(run, vendor):
    has_open(vendor)
    vendor.answers("POST", ISSUE, 201, json={"id": "1", "key": "RIGHTS-1", "self": "…"})
    assert isinstance(await run(open_review, an_expiring_licence(), SITE), Accepted)
    search, create = vendor.bodies
    (label, _) = create["fields"]["labels"]
    assert f'labels = "{label}"' in search["jql"]
    assert create["fields"]["summary"] == "license.expiring: license/lic_1, 14 days left"
    assert create["fields"]["duedate"] == "2026-12-31"
    first, *_ = create["fields"]["description"]["content"]
    text = {"type": "text", "text": "license.expiring: license/lic_1, 14 days left"}
    assert first == {"type": "paragraph", "content": [text]}


async def test_a_route_says_into_which_project(run, vendor):
    has_open(vendor)
    vendor.answers("POST", ISSUE, 201, json={})
    await run(open_review, an_expiring_licence(), SITE, project="LEGAL", issue_type="Bug")
    search, create = vendor.bodies
    assert search["jql"].startswith('project = "LEGAL" ')
    assert create["fields"]["project"] == {"key": "LEGAL"}
    assert create["fields"]["issuetype"] == {"name": "Bug"}


async def test_a_project_out_of_an_event_asks_for_nothing_else(run, vendor):
    has_open(vendor, "RIGHTS-7")
    await run(open_review, an_expiring_licence(), SITE, project='X" OR "a" = "a')
    assert vendor.bodies[0]["jql"].startswith(r'project = "X\" OR \"a\" = \"a" AND labels')


async def test_where_a_task_is_open_there_is_nothing_to_do(run, vendor):
    has_open(vendor, "RIGHTS-7")
    outcome = await run(open_review, an_expiring_licence(), SITE)
    assert outcome == Skipped("RIGHTS-7 is open already")


async def test_what_jira_calls_wrong_is_dead_at_once(run, vendor):
    has_open(vendor)
    vendor.answers("POST", ISSUE, 400, json=fault(issuetype="The issue type is not valid"))
    outcome = await run(open_review, an_expiring_licence(), SITE)
    assert isinstance(outcome, Hopeless)
    assert "Jira answers 400" in outcome.reason
    assert "The issue type is not valid" in outcome.reason


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (401, {}, None),
        (403, {}, None),
        (429, {"Retry-After": "5", "X-RateLimit-Reset": "2026-11-18T12:00:00Z"}, "5"),
        (429, {"X-RateLimit-Reset": "2026-11-18T12:00:00Z"}, "Wed, 18 Nov 2026 12:00:00 GMT"),
        (503, {"Retry-After": "30"}, "30"),
        (500, {}, None),
    ],
)
async def test_a_failed_search_opens_nothing_and_is_made_again(run, vendor, status, headers, wait):
    vendor.answers("POST", SEARCH, status, json=fault(), headers=headers)
    outcome = await run(open_review, an_expiring_licence(), SITE)
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait
    assert len(vendor.asked) == 1


async def test_events_about_one_subject_share_a_label(run, vendor):
    for event_type in ("license.expiring", "license.expired"):
        has_open(vendor)
        vendor.answers("POST", ISSUE, 201, json={})
        await run(open_review, an_expiring_licence(event_type), SITE)
    labels = {
        body["fields"]["labels"][0]
        for body in vendor.bodies
        if "fields" in body and "jql" not in body
    }
    assert len(labels) == 1


async def test_an_event_is_commented_once(run, vendor):
    event = an_expiring_licence("terms.changed")
    has_open(vendor, "RIGHTS-7")
    vendor.answers("GET", f"{TASK}/comment", json={"comments": []}, query=NEWEST)
    vendor.answers("POST", f"{TASK}/comment", 201, json={"id": "10"})
    assert isinstance(await run(comment, event, SITE), Accepted)
    said = vendor.bodies[-1]
    has_open(vendor, "RIGHTS-7")
    vendor.answers("GET", f"{TASK}/comment", json={"comments": [said]}, query=NEWEST)
    assert isinstance(await run(comment, event, SITE), Skipped)


async def test_the_open_task_is_closed(run, vendor):
    has_open(vendor, "RIGHTS-7")
    transitions = [
        {"id": "11", "to": {"statusCategory": {"key": "indeterminate"}}},
        {"id": "31", "to": {"statusCategory": {"key": "done"}}},
    ]
    vendor.answers("GET", f"{TASK}/transitions", json={"transitions": transitions})
    vendor.answers("POST", f"{TASK}/transitions", 204)
    event = an_expiring_licence("license.renewed")
    assert isinstance(await run(close_review, event, SITE), Accepted)
    assert vendor.bodies[-1] == {"transition": {"id": "31"}}


@pytest.mark.parametrize("handler", [comment, close_review])
async def test_where_no_task_is_open_there_is_nothing_to_say_or_close(run, vendor, handler):
    has_open(vendor)
    outcome = await run(handler, an_expiring_licence(), SITE)
    assert outcome == Skipped("no task about license/lic_1 is open")


async def test_a_task_that_cannot_be_done_is_left_to_people(run, vendor):
    has_open(vendor, "RIGHTS-7")
    vendor.answers("GET", f"{TASK}/transitions", json={"transitions": []})
    assert isinstance(await run(close_review, an_expiring_licence(), SITE), Hopeless)
