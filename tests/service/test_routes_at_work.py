"""What routes say beyond match and endpoint, in a whole gateway against a scripted server."""

import textwrap

import pytest

from gateway.testing import Gateway

HEAD = """\
version: 1
sources:
  getty: {verify: none}
  dam:
    verify: none
    event:
      - when: body.kind == "ping"
        ignore: true
      - when: body.kind == "assets"
        each: ${body.assets}
        id: asset-${item.id}
        type: asset.updated
        subject: asset/${item.id}
      - when: body.kind == "note"
        type: note.added
endpoints:
  cms: {url: "https://cms.example.com/api", sign: none, groups: [publishers]}
  print: {url: "https://print.example.com/", sign: none, groups: [publishers]}
  pager: {url: "https://pager.example.com/", sign: none}
"""
LICENCE = {
    "type": "license.expiring",
    "subject": "license/lic-1",
    "data": {
        "days_left": 3,
        "license": {"id": "lic-1", "channels": ["web"]},
        "placements": [{"system": "wp", "ref": "a/b"}, {"system": "dru", "ref": "7"}],
    },
}


@pytest.fixture
def run(tmp_path):
    """A gateway by the head of a file above and the routes given."""

    def run(routes: str, head: str = HEAD) -> Gateway:
        path = tmp_path / "routes.yaml"
        path.write_text(head + "routes:\n" + textwrap.indent(textwrap.dedent(routes), "  "))
        return Gateway(path)

    return run


async def sent(gateway: Gateway, **endpoints: int) -> None:
    """Wait until all has been sent; each endpoint got so many calls."""
    await gateway.settled()
    got = {name: len(gateway.endpoint(name).received) for name in ("cms", "print", "pager")}
    assert got == {"cms": 0, "print": 0, "pager": 0, **endpoints}


async def inbox(gateway: Gateway) -> list[str]:
    return [entry["detail"] for entry in await gateway.service._store.inbox({})]


# -- when, on_error ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "count"), [("web", 1), ("print", 0)])
async def test_when_decides_where_match_holds(run, channel, count):
    async with run("""\
        - name: web
          match: {type: license.expiring}
          when: event.data.license.channels.exists(c, c == "web")
          to: [cms]
        """) as gateway:
        data = {"license": {"channels": [channel]}}
        await gateway.send("getty", {**LICENCE, "data": data})
        await sent(gateway, cms=count)
        assert await inbox(gateway) == []


FAILING = """\
- name: broken
  match: {{type: license.expiring}}
  when: event.data.nothing > 3
  {on_error}
  to: [cms]
- {{name: sound, match: {{type: license.expiring}}, to: [pager]}}
"""


@pytest.mark.parametrize(
    ("on_error", "cms", "entries"),
    [("", 0, 1), ("on_error: inbox", 0, 1), ("on_error: match", 1, 0), ("on_error: skip", 0, 0)],
)
async def test_a_when_that_fails_does_what_on_error_says(run, on_error, cms, entries):
    async with run(FAILING.format(on_error=on_error)) as gateway:
        await gateway.send("getty", LICENCE)
        await sent(gateway, cms=cms, pager=1)
        found = await inbox(gateway)
        assert len(found) == entries
        assert all("route broken, when: `event.data.nothing > 3`" in detail for detail in found)
        counts = gateway.service._metrics.routes()
        assert (counts["broken"]["failed"], "failed" in counts["sound"]) == (1, False)


async def test_a_when_that_is_no_truth_value_fails(run):
    async with run("- {name: a, match: {}, when: event.data.days_left, to: [cms]}\n") as gateway:
        await gateway.send("getty", LICENCE)
        await sent(gateway)
        assert "neither true nor false" in (await inbox(gateway))[0]


# -- once, mode --------------------------------------------------------------------------------------


async def test_a_route_fires_once_for_each_value_over_restarts_of_its_sender(run):
    async with run("""\
        - name: once
          match: {type: license.expiring}
          once: ${event.data.license.id}
          to: [cms]
        """) as gateway:
        for _ in range(2):
            answer = await gateway.send("getty", LICENCE)
        other = {**LICENCE["data"], "license": {"id": "lic-2", "channels": []}}
        await gateway.send("getty", {**LICENCE, "data": other})
        await sent(gateway, cms=2)
        (withheld,) = await gateway.service._store.withheld(answer["id"])
        assert (withheld["route"], withheld["reason"]) == ("once", "once")
        assert gateway.service._metrics.routes()["once"] == {"matched": 3, "once": 1}


async def test_a_shadow_sends_nothing_and_says_what_it_would_have_sent(run):
    async with run("""\
        - name: try-out
          mode: shadow
          match: {}
          to: [pager, {endpoint: cms, each: "${event.data.placements}", call: {path: "/${item.ref}"}}]
        """) as gateway:
        answer = await gateway.send("getty", LICENCE)
        await sent(gateway)
        (withheld,) = await gateway.service._store.withheld(answer["id"])
        assert withheld["detail"] == "would have gone to pager, 2 to cms"
        assert (await gateway.service._store.stats())["unmatched"] == 0


ONCE_EACH = """\
- name: unpublish
  match: {type: license.expiring}
  once: ${event.data.license.id}
  to:
    - endpoint: cms
      each: ${event.data.placements}
      when: item.system == "wp"
      call: {path: "/${item.ref}"}
"""


@pytest.mark.parametrize("placements", [[], [{"system": "print"}], None])
async def test_what_sent_nothing_has_not_fired(run, placements):
    async with run(ONCE_EACH) as gateway:
        data = {"license": {"id": "lic-1"}, "placements": placements}
        if placements is None:
            del data["placements"]  # its `each` fails
        first = await gateway.send("getty", {"type": "license.expiring", "data": data})
        await gateway.send("getty", LICENCE)
        await sent(gateway, cms=1)
        withheld = await gateway.service._store.withheld(first["id"])
        reasons = [each["reason"] for each in withheld]
        assert reasons == ([] if placements is None else ["nothing"])
        assert len(await inbox(gateway)) == (placements is None)
        assert (await gateway.service._store.stats())["unmatched"] == 0


# -- targets -----------------------------------------------------------------------------------------


async def test_a_target_calls_for_each_item_what_it_spells_out(run):
    async with run("""\
        - name: pause
          match: {type: license.expiring}
          to:
            - name: pages
              endpoint: cms
              each: ${event.data.placements}
              when: item.system == "wp"
              call:
                method: PATCH
                path: /posts/${item.ref}
                query: {lang: [de, en], days: "${event.data.days_left}", none: null}
                headers: {X-Licence: "${event.data.license.id}"}
                json: {status: draft, ref: "${item.ref}"}
        """) as gateway:
        answer = await gateway.send("getty", LICENCE)
        await sent(gateway, cms=1)
        (call,) = gateway.endpoint("cms").received
        assert (call.method, call.json()) == ("PATCH", {"status": "draft", "ref": "a/b"})
        assert call.query["days"] == "3"
        assert call.headers["x-licence"] == "lic-1"
        assert call.headers["content-type"] == "application/json"
        assert call.headers["idempotency-key"] == call.headers["webhook-id"]
        (attempt,) = await gateway.service._store.attempts(answer["id"], 0)
        (made,) = attempt["calls"]
        assert (made["method"], made["status"]) == ("PATCH", 200)
        assert "/posts/a%2Fb?lang=de&lang=en&days=3" in made["url"]
        (delivery,) = await gateway.service._store.deliveries({"event": answer["id"]})
        assert (delivery["target"], delivery["id"]) == ("pages", call.headers["webhook-id"])


async def test_a_call_is_the_same_on_each_attempt(run):
    async with run("""\
        - {name: a, match: {}, to: [{endpoint: cms, call: {path: "/x", json: {n: "${event.data.days_left}"}}}]}
        """) as gateway:
        gateway.endpoint("cms").reply(503).reply(410).reply(200)  # 410: an ordinary failure
        await gateway.send("getty", LICENCE)
        await sent(gateway, cms=3)
        calls = gateway.endpoint("cms").received
        assert {(c.method, c.path, c.body) for c in calls} == {("POST", "/x", b'{"n":3}')}
        assert len({c.headers["webhook-id"] for c in calls}) == 1


@pytest.mark.parametrize("ref", ["..", "", "../../admin"])
async def test_what_comes_from_an_event_leads_to_no_other_path(run, ref):
    async with run("""\
        - {name: a, match: {}, to: [{endpoint: cms, call: {path: "/posts/${event.data.ref}"}}, pager]}
        """) as gateway:
        await gateway.send("getty", {"type": "x", "data": {"ref": ref}})
        if ref.startswith("../.."):  # one segment, encoded
            await sent(gateway, cms=1, pager=1)
        else:
            await sent(gateway, pager=1)
            assert "path" in (await inbox(gateway))[0]


async def test_a_group_is_every_endpoint_in_it(run):
    async with run("- {name: terms, match: {}, to: [{group: publishers}]}\n") as gateway:
        await gateway.send("getty", LICENCE)
        await sent(gateway, cms=1, print=1)


async def test_an_each_that_is_no_list_goes_to_the_inbox(run):
    async with run("""\
        - {name: a, match: {}, to: [{endpoint: cms, each: "${event.data.license}", call: {}}, pager]}
        """) as gateway:
        await gateway.send("getty", LICENCE)
        await sent(gateway, pager=1)
        assert "an object, not a list" in (await inbox(gateway))[0]


async def test_a_target_that_fails_is_named_with_its_item(run):
    async with run("""\
        - name: a
          match: {}
          to:
            - {name: two, endpoint: cms, each: "${event.data.placements}", call: {path: "/${item.url}"}}
        """) as gateway:
        await gateway.send("getty", LICENCE)
        await sent(gateway)
        assert sorted(detail.partition(": ")[0] for detail in await inbox(gateway)) == [
            "route a, target two, endpoint cms, item 0",
            "route a, target two, endpoint cms, item 1",
        ]


async def test_with_reaches_the_handler_as_keyword_arguments(run, tmp_path):
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "work.py").write_text(
        "async def open(event, endpoint, *, project, item=None):\n"
        "    return await endpoint.post('/t', json={'project': project, 'item': item})\n"
    )
    head = HEAD + "  tracker: {url: 'https://t.example.com/', handler: 'handlers.work:open'}\n"
    async with run(
        """\
        - name: review
          match: {}
          to:
            - endpoint: tracker
              each: ${event.data.placements}
              with: {project: RIGHTS, item: "${item.ref}"}
        """,
        head,
    ) as gateway:
        await gateway.send("getty", LICENCE)
        await gateway.settled()
        bodies = [call.json() for call in gateway.endpoint("tracker").received]
        assert sorted(bodies, key=lambda b: b["item"]) == [
            {"project": "RIGHTS", "item": "7"},
            {"project": "RIGHTS", "item": "a/b"},
        ]


# -- cases of a source -------------------------------------------------------------------------------

ALL = "- {name: all, match: {}, to: [pager]}\n"


async def test_a_ping_is_acknowledged_and_kept_nowhere(run):
    async with run(ALL) as gateway:
        answer = await gateway.send("dam", b'{"kind":"ping"}')
        assert answer == {"status": 202, "ignored": True}
        await sent(gateway)
        assert await gateway.service._store.events({}) == []


async def test_each_item_of_a_request_becomes_an_event_in_one_answer(run):
    async with run(ALL) as gateway:
        body = b'{"kind":"assets","assets":[{"id":1},{"id":2}]}'
        answer = await gateway.send("dam", body)
        assert [each["duplicate"] for each in answer["events"]] == [False, False]
        again = await gateway.send("dam", body)
        assert [each["duplicate"] for each in again["events"]] == [True, True]
        await sent(gateway, pager=2)
        events = [call.json() for call in gateway.endpoint("pager").received]
        assert sorted((e["id"], e["subject"], e["data"]["id"]) for e in events) == [
            ("asset-1", "asset/1", 1),
            ("asset-2", "asset/2", 2),
        ]


async def test_a_request_without_items_makes_no_event(run):
    async with run(ALL) as gateway:
        answer = await gateway.send("dam", b'{"kind":"assets","assets":[]}')
        assert answer == {"status": 202, "events": []}


async def test_a_case_without_each_takes_the_whole_body(run):
    async with run(ALL) as gateway:
        await gateway.send("dam", b'{"kind": "note", "n": 1.50}')
        await sent(gateway, pager=1)
        (call,) = gateway.endpoint("pager").received
        assert call.json()["type"] == "note.added"
        assert b'"data":{"kind": "note", "n": 1.50}' in call.body


async def test_what_no_case_is_about_is_refused_where_nothing_is_proven(run):
    async with run(ALL) as gateway:
        answer = await gateway.send("dam", b'{"kind":"other"}')
        assert (answer["status"], answer["code"]) == (400, "event-unmapped")
        assert "none of the cases" in answer["detail"]


async def test_an_each_has_its_measure(run):
    async with run("""\
        - {name: a, match: {}, to: [{endpoint: cms, each: "${event.data.items}", call: {}}, pager]}
        """) as gateway:
        await gateway.send("getty", {"type": "x", "data": {"items": [0] * 1_001}})
        await sent(gateway, pager=1)
        assert "1,001 items, more than 1,000" in (await inbox(gateway))[0]
        items = b",".join([b'{"id":0}'] * 10_001)
        answer = await gateway.send("dam", b'{"kind":"assets","assets":[' + items + b"]}")
        assert (answer["status"], "10,001 items" in answer["detail"]) == (400, True)
