"""The pages, in a real browser."""

import asyncio
import re
import sqlite3
from base64 import b64encode
from collections import Counter
from contextlib import closing

import aiohttp
import orjson
import pytest
import pytest_asyncio

from gateway.config.tokens import add_token
from gateway.core.access import Caller, Scope
from gateway.core.bulk import Action
from gateway.core.model import SECOND
from gateway.testing import Gateway
from gateway.web import shown
from gateway.web.dashboard import inbox
from tests.kit.browser import browsing, visiting
from tests.kit.build import ENCRYPTION_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROUTES = """\
version: 1
sources:
  getty:
    verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}
  mapped:
    verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}
    event: {type: "${body.kind}", subject: "${body.about}", data: "${body}"}
  open:
    verify: none
endpoints:
  cms:
    url: https://cms.example.com/hook
    sign: {secrets: [{env: CMS_SECRET}]}
    retry: {schedule: [5s, 1m]}
    owner: web-team
  pager:
    url: https://pager.example.com/
    sign: none
    retry: {schedule: []}
    breaker: off
routes:
  - {name: to-cms, match: {type: [{prefix: license.}]}, to: [cms], owner: rights-team}
  - {name: to-pager, match: {type: license.expired}, to: [pager]}
  - {name: watch, match: {type: license.expired}, mode: shadow, to: [pager]}
  - {name: keep, match: {type: known}, remember: {collection: license, key: "${event.data.id}"}}
  - {name: uses, match: {type: used}, to: [{endpoint: pager, each: "${event.data}", call: {path: "/${item}"}}]}
  - name: ask
    match: {type: asked}
    to: [{endpoint: pager, call: {json: "${callback}"}}]
    await: {key: "${event.data.id}", answers: {approve: license.approved}, within: 1d, else: license.rejected}
schedules:
  expiry: {match: {type: known}, key: "${event.data.id}", at: '${"2099-12-31"}', emit: {type: late}}
"""

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\u202egnp.exe\x07'
SHOWN = '"><img src=x onerror=alert(1)><script>alert(2)</script>{{7*7}}\\u202egnp.exe\\u0007'


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser():
    async with browsing() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    async with Gateway(file) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def site(browser, gateway):
    async with visiting(browser, gateway.service.admin_url) as opened:
        yield opened


async def expired(gateway, subject: str = "license/1", **data) -> str:
    event = {"type": "license.expired", "subject": subject, "data": data}
    return (await gateway.send("getty", event))["id"]


async def a_busy_day(gateway) -> str:
    """Something of everything; the id of an event with a dead letter."""
    gateway.endpoint("pager").reply(500, body=b"<b>out of order</b>")
    name = await expired(gateway, days_left=3)
    await expired(gateway)
    await gateway.send("getty", {"type": "nobody.cares", "data": {}})
    await gateway.send("mapped", b'{"kind": 7}')
    await gateway.post("getty", b"{}", {})
    await gateway.settled()
    await gateway.service._refusals.loop._step()
    gateway.service.telemetry.emit("nothing")
    return name


async def pages_of(gateway, event: str) -> list[str]:
    inbox = await gateway.service._store.inbox({})
    return [
        "/", "/events", f"/events/{event}", "/events?type=none", "/deliveries", "/deliveries?state=dead",
        "/endpoints", "/endpoints/pager", "/endpoints/cms", "/dead", "/dead/redeliver?endpoint=pager",
        "/events/replay?unmatched=true", "/events/replay?type=none",
        "/inbox", *(f"/inbox/{each['id']}" for each in inbox), "/routes", "/audit", "/login", "/nowhere",
        "/planned", "/planned?key=none", "/register", "/register/license", "/register/license?key=none",
        "/events?since=yesterday",
    ]  # fmt: skip


LOOKS = [
    {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    {"color_scheme": "dark", "viewport": {"width": 360, "height": 740}},
]


@pytest.mark.parametrize("look", LOOKS, ids=["light", "dark, on a phone"])
async def test_every_page_can_be_read_and_used_by_everyone(browser, gateway, look):
    event = await a_busy_day(gateway)
    await gateway.send("getty", {"type": "known", "data": {"id": HOSTILE}})
    async with visiting(browser, gateway.service.admin_url, **look) as site:
        for path in await pages_of(gateway, event):
            await site.open(path)
            assert await site.faults() == [], path


async def test_empty_pages_say_what_to_do_and_can_be_read_by_everyone_too(site):
    for path, said in {
        "/": "Nothing. Every endpoint takes deliveries",
        "/events": "gateway send",
        "/deliveries": "events that a route takes make some",
        "/dead": "There are none",
        "/inbox": "The inbox is empty",
        "/planned": "Nothing is planned",
        "/register": "Nothing is known yet",
        "/audit": "Nobody has changed anything yet",
    }.items():
        assert await site.open(path) == 200
        assert said in await site.text(), path
        assert await site.faults() == [], path


async def test_without_scripts_pages_show_the_same_and_buttons_work(browser, gateway):
    event = await a_busy_day(gateway)
    async with visiting(browser, gateway.service.admin_url, java_script_enabled=False) as site:
        for path in await pages_of(gateway, event):
            await site.open(path)
            assert await site.page.locator("h1").count() == 1, path
        await site.open("/endpoints/pager")
        await site.page.get_by_label("Why").fill("they move house")
        await site.page.get_by_role("button", name="Pause").click()
        assert "paused since 0s ago: they move house" in await site.text()


async def test_the_overview_tells_first_what_needs_attention_then_how_the_hour_was(gateway, site):
    await a_busy_day(gateway)
    await site.open("/")
    assert await site.page.locator(".troubles li").all_inner_texts() == [
        "pager has 1 dead letter: see gateway dead Look",
        "the inbox got 1 request in the last 24 hours: see gateway inbox Look",
    ]
    tiles = await site.page.locator(".tiles div").all_inner_texts()
    assert [each.replace("\n", " ") for each in tiles[:3]] == [
        "Events 3",
        "Delivered 3",
        "Success 75 %",
    ]
    assert await site.page.locator(".chart rect.c-bad").count() == 1
    row = site.page.get_by_role("row", name="pager")
    assert "50 %" in await row.inner_text()
    await site.page.get_by_role("link", name="Look at: pager has").click()
    assert "/dead?endpoint=pager" in site.page.url


async def test_an_event_shows_its_way_and_a_dead_delivery_is_sent_again(gateway, site):
    event = await a_busy_day(gateway)
    await site.open(f"/events/{event}")
    text = await site.text()
    assert "As routes.yaml is now, its source is verified: standard-webhooks." in text
    assert "watch is a shadow" in text
    assert '"days_left": 3' in text
    dead = site.page.locator("li", has=site.page.get_by_text("http-500 (after 1 attempt)"))
    await dead.get_by_text("Show", exact=True).click()
    assert await dead.locator("pre").first.inner_text() == "<b>out of order</b>"
    await dead.get_by_role("button", name="Redeliver").click()
    await site.page.get_by_text("is back on schedule").wait_for()
    await gateway.settled()
    await site.open(f"/events/{event}")
    assert await site.page.locator(".way .state.good").count() == 2
    await site.open("/audit")
    assert "redeliver" in await site.text()


async def test_what_was_begun_is_done_again_only_where_the_box_is_ticked(gateway, site):
    event = await a_busy_day(gateway)
    await site.open(f"/events/{event}")
    assert await site.page.get_by_role("checkbox").count() == 0
    (dead,) = await gateway.service._store.deliveries({"state": "dead"})
    act = (event, int(dead["id"].rpartition("_")[2]), "act", "pager", gateway.clock.now())
    with closing(sqlite3.connect(gateway.service.settings.database)) as database, database:
        database.execute("INSERT INTO acts VALUES (?, ?, ?, ?, ?)", act)
    for ticked in (False, True):
        gateway.endpoint("pager").reply(500)
        await site.open(f"/events/{event}")
        assert await site.faults() == []
        await site.page.get_by_role("checkbox", name="Do again what was begun").set_checked(ticked)
        await site.page.get_by_role("button", name="Redeliver").click()
        await site.page.get_by_text("is back on schedule").wait_for()
        await gateway.settled()
        with closing(sqlite3.connect(gateway.service.settings.database)) as database:
            ((left,),) = database.execute("SELECT count(*) FROM acts")
        assert left == (0 if ticked else 1)
    await site.open("/audit")
    assert "act_again" in await site.text()


async def test_an_event_with_very_many_deliveries_says_that_there_are_more_and_where(
    gateway, site, seen, monkeypatch
):
    monkeypatch.setattr(shown, "MOST", 4)
    event = await expired(gateway)
    await gateway.settled()
    api = f"{gateway.service.admin_url}/api/v1"
    for more in (False, True):
        attempts = asyncio.ensure_future(seen(gateway, "attempt.recorded", 2))
        await gateway.service._operate.replay(event)
        await attempts
        async with aiohttp.request("GET", f"{api}/events/{event}") as answer:
            told = await answer.json()
        assert (len(told["deliveries"]), told["deliveries_next"] is not None) == (4, more)
        assert [len(each["attempts"]) for each in told["deliveries"]] == [1] * 4
        await site.open(f"/events/{event}")
        assert await site.page.get_by_role("link", name="all of them").count() == more
    query = {"event": event, "cursor": told["deliveries_next"]}
    async with aiohttp.request("GET", f"{api}/deliveries", params=query) as answer:
        older = [each["id"] for each in (await answer.json())["items"]]
    assert len(older) == 2
    assert not {each["id"] for each in told["deliveries"]} & set(older)
    await site.page.get_by_role("link", name="all of them").click()
    assert await site.page.locator("tbody tr").count() == 6


async def test_an_event_is_replayed_and_its_body_downloaded_as_it_came(gateway, site):
    event = await expired(gateway, days_left=3)
    await site.open(f"/events/{event}")
    await site.page.get_by_role("button", name="Replay").click()
    assert "Replayed: 2 new deliveries." in await site.text()
    async with site.page.expect_download() as download:
        await site.page.get_by_role("link", name="Download the body").click()
    path = await (await download.value).path()
    assert orjson.loads(path.read_bytes())["data"] == {"days_left": 3}


async def test_an_endpoint_is_paused_its_work_cancelled_and_it_is_resumed(gateway, site):
    await site.open("/endpoints/cms")
    await site.page.get_by_label("Why").fill("CMS upgrade")
    await site.page.get_by_role("button", name="Pause").click()
    assert "cms is paused: its deliveries wait." in await site.text()
    event = await expired(gateway)
    await site.open(f"/events/{event}")
    await site.page.get_by_role("button", name="Cancel").click()
    assert "cancelled by an operator" in await site.text()
    await expired(gateway)
    await site.open("/endpoints")
    await site.page.get_by_role("link", name="cms").click()
    await site.page.get_by_role("button", name="Resume").click()
    assert "cms is open. 1 delivery waits for it." in await site.text()
    await gateway.settled()
    assert len(await gateway.endpoint("cms").calls(1)) == 1


async def test_who_switches_an_endpoint_that_another_has_switched_meanwhile_is_told_so(
    gateway, site
):
    await site.open("/endpoints/cms")
    ann = Caller("ann", frozenset(Scope))
    await gateway.service._operate.pause("cms", ann, "they move house")
    await site.page.get_by_role("button", name="Pause").click()
    assert "the endpoint cms is paused (they move house), by ann" in await site.text()
    await site.open("/endpoints/cms")
    await gateway.service._operate.resume("cms", ann)
    await site.page.get_by_role("button", name="Resume").click()
    assert "the endpoint cms is open, by ann" in await site.text()


async def test_an_endpoint_that_is_switched_elsewhere_has_the_other_button(browser, gateway):
    async with visiting(browser, gateway.service.admin_url) as site:
        await site.page.clock.install()
        await site.open("/endpoints/cms")
        await gateway.service._operate.pause("cms", reason="they move house")
        await site.page.clock.fast_forward(3100)
        await site.page.get_by_role("button", name="Resume").click()
        assert "cms is open." in await site.text()


async def test_dead_letters_are_sent_again_in_bulk_after_a_look_at_what_that_comes_to(
    gateway, site, seen
):
    for _ in range(3):
        gateway.endpoint("pager").reply(500)
    events = [await expired(gateway) for _ in range(3)]
    await gateway.settled()
    await site.open("/dead")
    await site.page.get_by_role("link", name="Redeliver http-500 at pager").click()
    assert "Nothing has been done yet" in await site.text()
    await site.page.get_by_label("At most so many a second").fill("100")
    sent = asyncio.ensure_future(seen(gateway, "attempt.recorded", 3))
    await site.page.get_by_role("button", name="Redeliver 3").click()
    assert "ended" in await site.text()
    gateway.clock.advance(1)
    await sent
    states = {
        d["state"] for e in events for d in await gateway.service._store.deliveries({"event": e})
    }
    assert states == {"delivered"}


async def test_events_are_replayed_in_bulk_after_a_look_at_what_that_comes_to(gateway, site, seen):
    for n in range(3):
        await expired(gateway, subject=f"license/{n % 2}")
    await gateway.settled()
    await site.open("/events?subject=license%2F0")
    await site.page.get_by_role("link", name="Replay all of these").click()
    text = await site.text()
    assert "Nothing has been done yet" in text
    assert "2 deliveries to cms by to-cms, 2 deliveries to pager by to-pager" in text
    assert await site.faults() == []
    gateway.clock.advance(60)
    await expired(gateway, subject="license/0")  # came after the look
    await gateway.settled()
    attempts = asyncio.ensure_future(seen(gateway, "attempt.recorded", 4))
    await site.page.get_by_role("button", name="Replay 2").click()
    assert "4 new deliveries" in await site.text()
    gateway.clock.advance(1)
    await attempts
    made = Counter(each["event_id"] for each in await gateway.service._store.deliveries({}))
    assert [made[name] for name in sorted(made)] == [4, 2, 4, 2]


@pytest.mark.parametrize(
    ("search", "count"), [("type=license.expired", 1), ("unmatched=true", 0), ("text=evt", 0)]
)
async def test_only_what_is_seen_is_offered_to_be_replayed(gateway, site, search, count):
    await expired(gateway)
    await site.open(f"/events?{search}")
    assert await site.page.get_by_role("link", name="Replay all of these").count() == count


async def test_what_dies_after_a_look_at_dead_letters_is_not_sent_again_with_them(gateway, site):
    for _ in range(2):
        gateway.endpoint("pager").reply(500)
    await expired(gateway, subject="license/seen")
    await gateway.settled()
    await site.open("/dead/redeliver?endpoint=pager")
    gateway.clock.advance(60)
    unseen = await expired(gateway, subject="license/unseen")
    await gateway.settled()
    await site.page.get_by_role("button", name="Redeliver 1").click()
    await site.page.get_by_text("They go back on schedule.").wait_for()
    (left,) = await gateway.service._store.deliveries({"state": "dead"})
    assert left["event_id"] == unseen


async def test_a_group_of_dead_letters_is_of_what_was_sought(gateway, site):
    for _ in range(2):
        gateway.endpoint("pager").reply(500)
    for subject in ("license/1", "license/2"):
        await expired(gateway, subject=subject)
    await gateway.settled()
    address = "/dead?subject=license%2F1&route=to-pager&type=license.expired&since=2020-01-01T00:00"
    await site.open(address)
    await site.page.get_by_role("link", name="http-500", exact=True).click()
    assert "1 dead letter." in await site.text()
    await site.page.get_by_role("link", name="All of them, one by one").click()
    assert await site.page.locator("tbody tr").count() == 1
    await site.open(address)
    await site.page.get_by_role("link", name="Redeliver http-500 at pager").click()
    assert await site.page.get_by_role("button", name="Redeliver 1").count() == 1


async def test_those_without_a_reason_lead_to_no_button_for_those_of_every_reason(gateway, site):
    for _ in range(2):
        gateway.endpoint("pager").reply(500)
    for _ in range(2):
        event = await expired(gateway)
    await gateway.settled()
    with closing(sqlite3.connect(gateway.service.settings.database)) as database, database:
        database.execute(
            "UPDATE deliveries SET reason = '' WHERE state = 'dead' AND event_id = ?", (event,)
        )
    await site.open("/dead")
    assert "(no reason)" in await site.text()
    assert await site.page.get_by_text("Redeliver…").count() == 1
    assert await site.faults() == []


async def test_what_came_in_unreadable_is_read_again_once_routes_are_mended(
    gateway, site, tmp_path
):
    await gateway.send("mapped", b'{"type": "license.expired", "about": "asset/1"}')
    await site.open("/inbox")
    await site.page.get_by_role("link", name="inb_").click()
    await site.page.get_by_role("button", name="Read it again").click()
    assert "it still cannot be read" in await site.text()
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES.replace("${body.kind}", "${body.type}"))
    await gateway.service.reload_routes()
    await site.open("/inbox?source=mapped")
    await site.page.get_by_role("button", name="Read the unreadable ones again").click()
    assert "Read: 1 entry." in await site.text()
    (event,) = await gateway.service._store.events({})
    assert (event["type"], event["subject"], event["deliveries"]) == (
        "license.expired",
        "asset/1",
        2,
    )
    assert re.search(r"inb_\w+\s+read again\s+mapped", await site.text())
    await site.page.get_by_role("link", name="inb_").click()
    assert "It is an event now" in await site.text()
    await site.page.get_by_role("link", name="evt_").first.click()
    assert "license.expired" in await site.page.inner_text("h1")


async def test_what_cannot_be_read_again_keeps_nobody_from_what_is_older(
    gateway, site, tmp_path, monkeypatch
):
    monkeypatch.setattr(inbox, "AT_A_TIME", 3)
    for n in range(5):  # the newest two lack what the mended file asks for, too
        gateway.clock.advance(1)
        body = {"type": f"a.{n}", **({"about": "a"} if n < 3 else {})}
        await gateway.send("mapped", orjson.dumps(body))
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES.replace("${body.kind}", "${body.type}"))
    await gateway.service.reload_routes()
    await site.open("/inbox?source=mapped")
    await site.page.get_by_role("button", name="Read the unreadable ones again").click()
    text = await site.text()
    assert "Read: 1 entry. 2 entries could not be. inb_" in text
    assert "Older ones: 2; press again" in text
    await site.page.get_by_role("button", name="Go on with the older ones").click()
    assert "Read: 2 entries." in await site.text()
    assert await site.page.get_by_role("button", name="Go on").count() == 0
    found = await gateway.service._store.events({})
    assert sorted(each["type"] for each in found) == ["a.0", "a.1", "a.2"]


async def test_an_entry_whose_bytes_have_changed_keeps_nobody_from_the_others(browser, tmp_path):
    file, key = tmp_path / "routes.yaml", tmp_path / "key"
    file.write_text(ROUTES)
    key.write_bytes(b64encode(ENCRYPTION_KEY))
    async with (
        Gateway(file, encryption_key=[key]) as encrypted,
        visiting(browser, encrypted.service.admin_url) as site,
    ):
        for n in range(2):
            encrypted.clock.advance(1)
            await encrypted.send("mapped", b'{"type": "a.%d", "about": "a"}' % n)
        with closing(sqlite3.connect(encrypted.service.settings.database)) as database, database:
            database.execute(
                "UPDATE inbox SET body = zeroblob(60) WHERE id = (SELECT max(id) FROM inbox)"
            )
        file.write_text(ROUTES.replace("${body.kind}", "${body.type}"))
        await encrypted.service.reload_routes()
        await site.open("/inbox")
        await site.page.get_by_role("button", name="Read the unreadable ones again").click()
        assert "Read: 1 entry. 1 entry could not be. inb_" in await site.text()
        assert "has changed" in await site.text()


async def test_a_pasted_event_is_explained(site):
    await site.open("/routes")
    pasted = {"specversion": "1.0", "id": "1", "source": "x", "type": "license.renewed", "data": {}}
    await site.page.get_by_label("What it would post").fill(orjson.dumps(pasted).decode())
    await site.page.get_by_role("button", name="Explain").click()
    text = await site.text()
    assert re.search(r"to-cms\s+fires", text)
    await site.page.get_by_text("5 routes that do not match").click()
    assert '"license.expired"' in await site.text()
    await site.page.get_by_label("What it would post").fill("{nonsense")
    await site.page.get_by_role("button", name="Explain").click()
    assert "It would be put into the inbox" in await site.text()
    assert await site.faults() == []


async def test_events_are_sought_and_leafed_through(gateway, site):
    names = [await expired(gateway, subject=f"asset/{i}") for i in range(55)]
    await site.open("/events")
    assert await site.page.locator("tbody tr").count() == 50
    await site.page.get_by_role("link", name="Older").click()
    assert await site.page.locator("tbody tr").count() == 5
    await site.page.get_by_role("link", name="Newest").click()
    await site.page.get_by_label("Subject").fill("asset/7")
    await site.page.get_by_role("button", name="Search").click()
    assert await site.page.locator("tbody th").all_inner_texts() == [names[7]]
    await site.page.get_by_label("Until (UTC)").fill("2020-01-01T00:00")
    await site.page.get_by_role("button", name="Search").click()
    assert "No event fits" in await site.text()


async def test_a_page_stays_up_to_date_but_not_under_the_hands_of_its_reader(browser, gateway):
    async with visiting(browser, gateway.service.admin_url) as site:
        await site.page.clock.install()
        await site.open("/events")
        await expired(gateway, subject="license/new")
        await site.page.clock.fast_forward(3100)
        await site.page.get_by_text("license/new").wait_for()
        await site.page.locator("tbody th a").focus()
        await expired(gateway, subject="license/newer")
        async with site.page.expect_response(re.compile("/events")):
            await site.page.clock.fast_forward(3100)
        await site.refreshed(2)
        assert "license/newer" not in await site.text()


@pytest.mark.parametrize("answer", [None, 500])
async def test_a_page_that_cannot_be_brought_up_to_date_says_so_until_it_can(
    browser, gateway, answer
):
    async with visiting(browser, gateway.service.admin_url) as site:
        await site.page.clock.install(time="2026-12-01T09:30:00Z")
        await site.open("/events")
        await site.page.route(
            "**/events",
            lambda route: route.fulfill(status=answer) if answer else route.abort(),
        )
        await site.page.clock.fast_forward(3100)
        await site.page.get_by_text("not up to date since 09:30 UTC").wait_for()
        dim = "getComputedStyle(document.getElementById('live-events')).opacity"
        assert float(await site.page.evaluate(dim)) < 1
        await site.page.unroute("**/events")
        await site.page.clock.fast_forward(3100)
        await site.refreshed(1)
        assert "not up to date" not in await site.text()
        assert float(await site.page.evaluate(dim)) == 1
        site.wrong.clear()


async def test_a_page_of_an_error_does_not_ask_for_it_again(browser, gateway):
    async with visiting(browser, gateway.service.admin_url) as site:
        await site.page.clock.install()
        await site.open("/nowhere/at/all")
        assert await site.page.locator("[data-live]").count() == 0


async def test_parts_of_a_page_that_there_was_nothing_for_appear_by_themselves(browser, gateway):
    gateway.endpoint("pager").reply(500)
    async with visiting(browser, gateway.service.admin_url) as site:
        await site.page.clock.install()
        await site.open("/dead")
        await expired(gateway)
        await gateway.settled()
        await site.page.clock.fast_forward(3100)
        await site.page.get_by_text("The latest", exact=True).wait_for()
        assert await site.faults() == []


async def test_a_gateway_that_was_started_paused_begins_to_deliver_at_a_button(browser, tmp_path):
    file = tmp_path / "routes.yaml"
    file.write_text(ROUTES)
    async with (
        Gateway(file, paused=True) as paused,
        visiting(browser, paused.service.admin_url) as site,
    ):
        await expired(paused)
        await site.open("/")
        await site.page.get_by_role("button", name="Begin to deliver").click()
        assert "Deliveries begin." in await site.text()
        assert len(await paused.endpoint("cms").calls(1)) == 1


async def test_an_endpoint_whose_breaker_is_open_is_tried_at_once(gateway, site, seen):
    for _ in range(10):
        gateway.endpoint("cms").reply(500)
    attempts = asyncio.ensure_future(seen(gateway, "attempt.recorded", 20))  # half of the pager
    for _ in range(10):
        await expired(gateway)
    await attempts
    await site.open("/endpoints/cms")
    await site.page.get_by_role("button", name="Try at once").click()
    assert "cms is open. 10 deliveries wait for it." in await site.text()
    assert gateway.service._operate.endpoint("cms")["breaker"] == "closed"


async def test_an_operation_that_was_left_goes_on_at_a_button(gateway, site):
    for _ in range(3):
        gateway.endpoint("pager").reply(500)
    events = [await expired(gateway) for _ in range(3)]
    await gateway.settled()
    bulk, sought = gateway.service._bulk, {"state": "dead"}
    progress = await bulk.go_on(Action.REDELIVER, "op_00000000", sought, (1, 10 * SECOND))
    assert (progress.operation.done, progress.operation.finished_at) == (1, None)
    gateway.clock.advance(60)
    await site.open("/dead")
    await site.page.get_by_role("link", name="op_00000000").click()
    assert "has been left" in await site.text()
    await site.page.get_by_role("button", name="Go on with it").click()
    assert "It goes on." in await site.text()
    assert (await bulk.operation("op_00000000")).done > 1
    assert len(events) == 3


async def test_one_logs_in_is_led_on_and_logs_out(browser, tmp_path):
    file, tokens = tmp_path / "routes.yaml", tmp_path / "tokens"
    file.write_text(ROUTES)
    token = add_token(tokens, "ann", frozenset({Scope.READ}))
    async with (
        Gateway(file, admin_token_file=tokens) as guarded,
        visiting(browser, guarded.service.admin_url) as site,
    ):
        await site.open("/events?type=license.expired")
        assert await site.faults() == []
        await site.page.get_by_label("Token").fill("wrong")
        await site.page.get_by_role("button", name="Log in").click()
        await site.page.get_by_text("Nobody has that token").wait_for()
        await site.page.get_by_label("Token").fill(token)
        await site.page.get_by_role("button", name="Log in").click()
        await site.page.wait_for_url("**/events?type=license.expired")
        assert "ann" in await site.page.inner_text("header")
        await site.page.get_by_role("button", name="Log out").click()
        await site.page.wait_for_url("**/login")
        await site.open("/")
        assert site.page.url.endswith("/login")


async def test_a_keyboard_is_enough(gateway, site):
    names = [await expired(gateway) for _ in range(2)]
    await site.open("/events")
    await site.page.keyboard.press("Tab")
    assert await site.page.evaluate("document.activeElement.textContent") == "To the content"
    await site.page.keyboard.press("/")
    assert await site.page.evaluate("document.activeElement.name") == "text"
    await site.page.keyboard.press("Escape")
    for key in "jjk":
        await site.page.keyboard.press(key)
    async with site.page.expect_navigation():
        await site.page.keyboard.press("Enter")
    assert site.page.url.endswith(names[1])
    await site.page.keyboard.press("g")
    async with site.page.expect_navigation():
        await site.page.keyboard.press("d")
    assert site.page.url.endswith("/dead")


async def test_what_strangers_write_is_text_wherever_it_stands(gateway, site, seen):
    gateway.endpoint("pager").reply(500, body=HOSTILE.encode())
    event = await gateway.send(
        "getty",
        {
            "type": "license.expired",
            "subject": HOSTILE,
            "id": HOSTILE,
            "data": {HOSTILE: [HOSTILE]},
        },
    )
    await gateway.send("mapped", orjson.dumps({"kind": {"": HOSTILE}, "x": HOSTILE}))
    refused = asyncio.ensure_future(seen(gateway, "refusals.kept"))
    await gateway.post("getty", HOSTILE.encode(), {"user-agent": "<script>alert(3)</script>"})
    await refused
    await gateway.settled()
    await gateway.service._operate.pause("cms", reason=HOSTILE)
    found = {}
    for path in await pages_of(gateway, event["id"]):
        await site.open(path)
        found[path] = await site.page.inner_text("body")
        await site.page.evaluate(
            "document.querySelectorAll('details').forEach((d) => d.open = true)"
        )
        found[path] = await site.page.inner_text("body")
        assert await site.page.locator("img").count() == 0, path
    for path in ("/events", "/endpoints/cms", f"/events/{event['id']}"):
        assert SHOWN in found[path], path
    assert any(
        "<script>alert(3)</script>" in text for path, text in found.items() if "/inbox/" in path
    )
    for path in (
        "/events?subject=",
        "/deliveries?key=",
        "/dead?reason=",
        "/inbox?code=",
        "/audit?who=",
    ):
        await site.page.goto(site.url + path + '"><script>alert(4)</script>')
        assert await site.page.locator("script:not([src])").count() == 0


async def test_a_planned_event_can_be_cancelled_and_what_is_known_is_shown_as_text(gateway, site):
    await gateway.send("getty", {"type": "known", "data": {"id": HOSTILE}})
    await site.open("/register")
    await site.page.get_by_role("link", name="license").click()
    await site.page.get_by_text("Show").click()
    assert SHOWN in await site.text()
    await site.open("/planned")
    assert SHOWN in await site.text()
    await site.page.get_by_role("button", name=re.compile("^Cancel")).click()
    text = await site.text()
    assert "will not be made" in text
    assert "Nothing is planned" in text


async def test_a_question_is_answered_where_it_is_planned(gateway, site):
    gateway.endpoint("pager").reply(200)
    question = await gateway.send("getty", {"type": "asked", "data": {"id": "req_1"}})
    await gateway.send("getty", {"type": "asked", "data": {"id": "req_2"}})
    await site.open(f"/events/{question['id']}")
    assert "license.rejected in 24h, key req_1, by awaits/ask" in await site.text()
    await site.page.get_by_role("link", name="Answer, or cancel").click()
    assert "req_2" not in await site.text()
    await site.page.get_by_role("button", name="approve req_1").click()
    assert "It is answered: approve." in await site.text()
    await gateway.endpoint("cms").calls(1)
    await site.open(f"/events/{question['id']}")
    assert "Answer, or cancel" not in await site.text()
    (answer,) = await gateway.service._store.events({"type": "license.approved", "limit": 1})
    await site.open(f"/events/{answer['id']}")
    await site.page.get_by_role("link", name="test-").click()
    await site.page.get_by_role("link", name=question["id"]).wait_for()


async def test_each_delivery_has_the_request_of_its_own_item(gateway, site):
    event = (await gateway.send("getty", {"type": "used", "data": ["one", "two"]}))["id"]
    await gateway.settled()
    await gateway.service._operate.replay(event)
    await gateway.settled()
    await site.open(f"/events/{event}")
    shown = [await each.text_content() for each in await site.page.locator("[id^='r-dlv']").all()]
    assert [re.findall(r"/(one|two)\b", each)[0] for each in shown] == ["one", "two"] * 2


HIDDEN = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
"""A word of Persian: the joiner between its letters is seen by nobody, and belongs there."""


async def test_what_is_sought_with_characters_that_nobody_sees_is_what_is_redelivered(
    gateway, site
):
    gateway.endpoint("pager").reply(500).reply(500)
    await expired(gateway, subject=HIDDEN)
    await expired(gateway)
    await gateway.settled()
    await site.open(f"/dead/redeliver?subject={HIDDEN}")
    await site.page.get_by_role("button", name="Redeliver").click()
    await site.page.get_by_text("They go back on schedule").wait_for()
    await gateway.settled()
    (operation,) = await gateway.service._store.bulk.operations(5)
    assert operation.done == 1
    assert len(gateway.endpoint("pager").received) == 3
    await site.open(f"/events?subject={HIDDEN}")
    assert await site.page.get_by_label("Subject").input_value() == HIDDEN


async def test_a_pasted_event_of_several_lines_is_explained_again_with_its_headers(site):
    await site.open("/routes")
    pasted = '{\n  "type": "license.expired",\n  "data": {}\n}'
    await site.page.get_by_label("What it would post").fill(pasted)
    await site.page.get_by_label("With these headers").fill("X-Id: 7")
    button = site.page.get_by_role("button", name="Explain")
    told = site.page.locator("main [role=status]").last
    for _ in range(2):
        async with site.page.expect_navigation():
            await button.click()
        assert "to-pager" in await told.inner_text()
    assert await site.page.get_by_label("With these headers").input_value() == "X-Id: 7"
    await site.page.get_by_label("With these headers").fill("nonsense")
    async with site.page.expect_navigation():
        await button.click()
    assert "is no header" in await told.inner_text()


async def test_a_filter_that_is_not_among_the_choices_is_shown_and_kept(site):
    await site.open("/events?source=gone&since=2026-11-29T08:00:00Z")
    assert await site.page.get_by_label("Source").input_value() == "gone"
    assert await site.page.get_by_label("Since (UTC)").input_value() == "2026-11-29T08:00"
    assert await site.open("/events/replay?nothing=known") == 400
