"""Slack: a message for each event; only `ok` is a success."""

import pytest

from gateway.core.model import Accepted, Hopeless, Refused
from handlers.slack import notify
from tests.handlers.conftest import an_expiring_licence

HOOK = "https://hooks.slack.com/services/T/B/X"


async def test_what_happened_is_told(run, vendor):
    vendor.answers("POST", HOOK, body="ok")
    link = "https://dam.example.com/847116840"
    event = an_expiring_licence(reason="<!channel> & more")
    assert isinstance(await run(notify, event, HOOK, link=link), Accepted)
    (message,) = vendor.bodies
    assert message["text"] == "license.expiring: license/lic_1, 14 days left"
    header, section, actions = message["blocks"]
    assert header["text"] == {
        "type": "plain_text",
        "text": ":warning: license.expiring: license/lic_1, 14 days left",
    }
    fields = [field["text"] for field in section["fields"]]
    assert "*Asset*\n847116840" in fields
    assert "*Ends*\n2026-12-31T23:59:59Z" in fields
    assert "*Reason*\n&lt;!channel&gt; &amp; more" in fields
    assert actions["elements"][0]["url"] == link


async def test_what_is_too_long_for_slack_is_cut(run, vendor):
    vendor.answers("POST", HOOK, body="ok")
    await run(notify, an_expiring_licence("license." + "x" * 300, reason="r" * 3000), HOOK)
    header, section = vendor.bodies[0]["blocks"]
    assert len(header["text"]["text"]) == 150
    assert max(len(field["text"]) for field in section["fields"]) == 2000


async def test_a_200_that_does_not_say_ok_is_a_failure(run, vendor):
    vendor.answers("POST", HOOK, body="invalid_blocks")
    outcome = await run(notify, an_expiring_licence(), HOOK)
    assert outcome == Hopeless("Slack answers 200: invalid_blocks")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (400, "invalid_payload"),
        (403, "action_prohibited"),
        (404, "no_service"),
        (410, "channel_is_archived"),
    ],
)
async def test_what_slack_will_not_take_is_dead_at_once(run, vendor, status, text):
    vendor.answers("POST", HOOK, status, body=text)
    outcome = await run(notify, an_expiring_licence(), HOOK)
    assert outcome == Hopeless(f"Slack answers {status}: {text}")


@pytest.mark.parametrize(("status", "wait"), [(429, "30"), (500, None), (503, None)])
async def test_what_may_pass_is_retried(run, vendor, status, wait):
    headers = {"Retry-After": wait} if wait else {}
    vendor.answers("POST", HOOK, status, body="rollup_error", headers=headers)
    outcome = await run(notify, an_expiring_licence(), HOOK)
    assert isinstance(outcome, Refused)
    assert outcome.response.headers.get("retry-after") == wait
