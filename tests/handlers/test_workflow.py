"""Jira: one open task for each matter."""

from functools import partial

import pytest

from gateway import Skip
from handlers.workflow import open_review
from tests.kit.build import an_event

SITE = "https://example.atlassian.net"
SEARCH, CREATE = f"{SITE}/rest/api/3/search/jql", f"{SITE}/rest/api/3/issue"


def an_expiring_licence():
    return an_event(
        subject="license/lic_1",
        data={"days_left": 14, "license": {"expires_at": "2026-12-31T23:59:59Z"}},
    )


async def test_a_task_is_opened_where_none_is_open(run, vendor):
    vendor.answers("POST", SEARCH, json={"issues": []})
    vendor.answers("POST", CREATE, 201, json={"key": "RIGHTS-1"})
    answer = await run(open_review, an_expiring_licence(), SITE)
    assert answer.status == 201
    (_, _, search), (_, _, create) = vendor.asked
    (label, _) = create["fields"]["labels"]
    assert f'labels = "{label}"' in search["jql"]
    assert create["fields"]["summary"] == "license.expiring: license/lic_1"
    assert create["fields"]["duedate"] == "2026-12-31"
    assert create["fields"]["description"]["type"] == "doc"


async def test_a_route_says_into_which_project(run, vendor):
    vendor.answers("POST", SEARCH, json={"issues": []})
    vendor.answers("POST", CREATE, 201, json={})
    await run(partial(open_review, project="LEGAL"), an_expiring_licence(), SITE)
    (_, _, search), (_, _, create) = vendor.asked
    assert search["jql"].startswith('project = "LEGAL" ')
    assert create["fields"]["project"] == {"key": "LEGAL"}


async def test_where_a_task_is_open_there_is_nothing_to_do(run, vendor):
    vendor.answers("POST", SEARCH, json={"issues": [{"key": "RIGHTS-7"}]})
    with pytest.raises(Skip, match="RIGHTS-7"):
        await run(open_review, an_expiring_licence(), SITE)


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_a_failed_search_opens_nothing(run, vendor, status):
    vendor.answers("POST", SEARCH, status, json={})
    assert (await run(open_review, an_expiring_licence(), SITE)).status == status
    assert len(vendor.asked) == 1


async def test_events_about_one_subject_share_a_label(run, vendor):
    for _ in range(2):
        vendor.answers("POST", SEARCH, json={"issues": []})
        vendor.answers("POST", CREATE, 201, json={})
        await run(open_review, an_expiring_licence(), SITE)
    labels = {body["fields"]["labels"][0] for _, url, body in vendor.asked if url == CREATE}
    assert len(labels) == 1
