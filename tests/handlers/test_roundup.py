"""Roundup: one open issue for each matter, changed by its ETag."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused, Skipped
from handlers.rights import key
from handlers.roundup import OPEN, comment, open_issue, resolve_issue
from tests.handlers.conftest import an_expiring_licence

DATA = "https://tracker.example.com/rights/rest/data"
ORIGIN = "https://tracker.example.com"
ISSUE = f"{DATA}/issue/1"
WORD = key(an_expiring_licence())
ETAG = '"cdeb84d907144bfe6397f2a3a5a862bc"'


def collection(*numbers: str) -> dict[str, object]:
    items = [{"id": number, "link": f"{DATA}/x/{number}"} for number in numbers]
    return {"data": {"collection": items, "@total_size": len(items)}}


def fault(status: int, msg: str) -> dict[str, object]:
    return {"error": {"status": status, "msg": msg}}


def has_open(vendor, *numbers: str, status: int = 200, **more) -> None:
    query = {"title": WORD, "status": ",".join(OPEN), "@page_size": "1"}
    vendor.answers("GET", f"{DATA}/issue", status, json=collection(*numbers), query=query, **more)


def has_message(vendor, event, *numbers: str) -> None:
    query = {"messageid": f"<{event.id}@rights-gateway>", "@page_size": "1"}
    vendor.answers("GET", f"{DATA}/msg", json=collection(*numbers), query=query)


def can_be_changed(vendor, status: int = 200) -> None:
    vendor.answers("GET", ISSUE, json={"data": {"id": "1"}}, headers={"ETag": ETAG})
    told = fault(412, "If-Match is missing or does not match.") if status == 412 else {"data": {}}
    vendor.answers("PATCH", ISSUE, status, json=told)


async def test_an_issue_is_opened_where_none_is_open(run, vendor):
    has_open(vendor)
    vendor.answers("POST", f"{DATA}/issue", 201, json={"data": {"id": "1"}})
    fields = {"priority": "urgent"}
    outcome = await run(open_issue, an_expiring_licence(), DATA, origin=ORIGIN, fields=fields)
    assert isinstance(outcome, Accepted)
    title = f"license.expiring: license/lic_1, 14 days left [{WORD}]"
    assert vendor.bodies == [{"title": title, "status": "unread", "priority": "urgent"}]
    for asked in vendor.asked:
        assert asked.headers["x-requested-with"] == "rest"
        assert asked.headers["origin"] == ORIGIN


async def test_where_an_issue_is_open_there_is_nothing_to_do(run, vendor):
    has_open(vendor, "1")
    outcome = await run(open_issue, an_expiring_licence(), DATA, origin=ORIGIN)
    assert outcome == Skipped("issue 1 is open already")


async def test_an_event_is_commented_once(run, vendor):
    event = an_expiring_licence("terms.changed")
    has_open(vendor, "1")
    has_message(vendor, event)
    vendor.answers("POST", f"{DATA}/msg", 201, json={"data": {"id": "7"}})
    can_be_changed(vendor)
    assert isinstance(await run(comment, event, DATA, origin=ORIGIN), Accepted)
    message, added = vendor.bodies
    assert (message["author"], event.id in message["content"]) == ("gateway", True)
    assert added == {"@op": "add", "messages": ["7"]}
    assert vendor.asked[-1].headers["if-match"] == ETAG
    has_open(vendor, "1")
    has_message(vendor, event, "7")
    can_be_changed(vendor)
    await run(comment, event, DATA, origin=ORIGIN)
    assert vendor.bodies == [message, added, added]


async def test_the_open_issue_is_resolved(run, vendor):
    has_open(vendor, "1")
    can_be_changed(vendor)
    event = an_expiring_licence("license.renewed")
    assert isinstance(await run(resolve_issue, event, DATA, origin=ORIGIN), Accepted)
    assert vendor.bodies == [{"@op": "replace", "status": "resolved"}]


@pytest.mark.parametrize("handler", [comment, resolve_issue])
async def test_where_no_issue_is_open_there_is_nothing_to_do(run, vendor, handler):
    has_open(vendor)
    outcome = await run(handler, an_expiring_licence(), DATA, origin=ORIGIN)
    assert isinstance(outcome, Skipped)


async def test_after_another_change_the_issue_is_read_anew(run, vendor):
    has_open(vendor, "1")
    can_be_changed(vendor, 412)
    outcome = await run(resolve_issue, an_expiring_licence(), DATA, origin=ORIGIN)
    assert isinstance(outcome, Refused)


async def test_what_roundup_calls_wrong_is_dead_at_once(run, vendor):
    has_open(vendor)
    told = fault(400, "property keyword: 'x' is not a keyword.")
    vendor.answers("POST", f"{DATA}/issue", 400, json=told)
    outcome = await run(open_issue, an_expiring_licence(), DATA, origin=ORIGIN)
    assert outcome == Hopeless("Roundup answers 400: property keyword: 'x' is not a keyword.")


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (401, {}, None),
        (403, {}, None),
        (429, {"Retry-After": "2", "X-RateLimit-Reset": "5.1"}, "2"),
        (429, {"X-RateLimit-Reset": "5.1"}, "6"),
        (500, {}, None),
    ],
)
async def test_what_may_pass_is_retried(run, vendor, status, headers, wait):
    has_open(vendor, status=status, headers=headers)
    outcome = await run(open_issue, an_expiring_licence(), DATA, origin=ORIGIN)
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait
