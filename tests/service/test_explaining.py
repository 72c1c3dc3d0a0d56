"""Explanations: what would become of an event, held to what does become of it."""

import json
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from gateway.config.settings import Settings
from gateway.core.errors import NotFound
from gateway.core.grammar import compile_pattern
from gateway.core.model import Event, EventId
from gateway.core.routes import EndpointConfig, Route, Source, Target, indexed
from gateway.core.verifying import Inbound, NoVerifier, Sending
from gateway.explaining import explained, explained_again, rebuilt
from gateway.flows.reading import read
from gateway.loading import check
from gateway.testing import Gateway
from tests.kit.build import NOW, an_arrival, an_event

SOURCES = """\
version: 1
lists: {EU: [AT, DE]}
sources:
  getty: {verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}}
  open: {verify: none}
  strict: {verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}, on_unreadable: reject, validate: inbox}
  held: {verify: {preset: standard-webhooks, secrets: [{env: GETTY_SECRET}]}, validate: reject}
  dam:
    verify: {preset: standard-webhooks, secrets: [{env: DAM_SECRET}]}
    event:
      - {when: has(body.kind) && body.kind == "ping", ignore: true}
      - when: has(body.assets)
        each: ${body.assets}
        id: ${headers["x-id"]}/${item.id}
        type: asset.updated
      - {when: has(body.kind) && body.kind == "one", type: asset.deleted, data: {n: "${body.n}"}}
endpoints:
  cms:
    url: https://cms.example.com/api?tenant=1
    sign: {secrets: [{env: CMS_SECRET}]}
    auth: {bearer: {env: CMS_TOKEN}}
  pager: {url: "https://pager.example.com/", sign: none, auth: {header: {name: X-Key, value: {env: PAGER_KEY}}}}
  raw: {url: "https://raw.example.com/", sign: none, body: raw}
  own: {url: "https://own.example.com/", sign: none, body: {days: "${event.data.days_left}"}}
  reviews:
    url: https://reviews.example.com/
    handler: handlers.reviews:open_review
    auth: {basic: {user: me, password: {env: REVIEWS_PASSWORD}}}
    secrets: {key: {env: REVIEWS_KEY}}
"""
SECRETS = {
    "GETTY_SECRET": "whsec_" + "b" * 43 + "=",
    "DAM_SECRET": "whsec_" + "c" * 43 + "=",
    "CMS_SECRET": "whsec_" + "d" * 43 + "=",
    "CMS_TOKEN": "token-of-cms",
    "PAGER_KEY": "key-of-pager",
    "REVIEWS_PASSWORD": "password-of-reviews",
    "REVIEWS_KEY": "key-of-reviews",
}
HANDLER = """\
async def open_review(event, endpoint, project="none", who=""):
    return await endpoint.post("/new", json={"project": project, "who": who})
"""
EVENT = {
    "specversion": "1.0",
    "id": "a-1",
    "source": "/contracts",
    "type": "license.expiring",
    "subject": "license/1",
    "data": {
        "days_left": 9,
        "license": {"id": "lic_1", "territories": ["DE", "US"], "channels": ["web"]},
        "placements": [
            {"ref": "a/b", "system": "wordpress"},
            {"ref": "2", "system": "drupal"},
            {"ref": "3 ü", "system": "wordpress"},
        ],
    },
}


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a routes file with these routes; its path."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "handlers").mkdir()
    (tmp_path / "handlers" / "reviews.py").write_text(HANDLER)

    def write(*routes: str):
        path = tmp_path / "routes.yaml"
        path.write_text(
            SOURCES + "routes:" + ("".join(f"\n  - {each}" for each in routes) or " []")
        )
        return path

    return write


@pytest.fixture
def load(write):
    """The routes of a file with these routes."""

    def load(*routes: str):
        path = write(*routes)
        settings = Settings(routes=path, database=path.with_name("gateway.db"))
        checked = check(settings, SECRETS, keep=False)
        assert [str(p) for p in checked.loaded.errors] == []
        return checked.routes

    return load


def explanation(routes, event=EVENT, source="getty", headers=None, **how):
    """Of the one event in a request."""
    body = event if isinstance(event, bytes) else orjson.dumps(event)
    (only,) = explained(routes, source, body, headers or {}, NOW, **how)["events"]
    return only


def the_route(routes, event=EVENT, **more):
    (only,) = explanation(routes, event, **more)["routes"]
    return only


# -- which match, and why others do not ------------------------------------------------------------------


def test_a_near_miss_names_the_field_the_operator_and_the_value(load):
    route = the_route(
        load("{name: r, match: {type: license.expiring, data: {days_left: {lt: 3}}}, to: [cms]}")
    )
    assert (route["matches"], route["fires"], route["parts"]) == (False, False, 2)
    assert route["misses"] == [{"field": "data.days_left", "wanted": "{lt: 3}", "seen": "9"}]


def test_a_field_that_is_not_there_is_seen_as_nothing(load):
    route = the_route(load("{name: r, match: {data: {fee: {exists: true}}}, to: [cms]}"))
    assert route["misses"] == [{"field": "data.fee", "wanted": "{exists: true}", "seen": "nothing"}]


def test_parts_that_hold_in_different_elements_are_a_miss_in_the_nearest_of_them(load):
    match = "{data: {placements: {ref: '2', system: wordpress}}}"
    route = the_route(load(f"{{name: r, match: {match}, to: [cms]}}"))
    assert route["matches"] is False
    assert len(route["misses"]) == 1
    assert route["misses"][0]["field"] in ("data.placements.ref", "data.placements.system")


def test_what_a_not_refuses_is_a_miss(load):
    match = "{type: license.expiring, $not: {data: {license: {channels: web}}}}"
    (miss,) = the_route(load(f"{{name: r, match: {match}, to: [cms]}}"))["misses"]
    assert miss["field"] == "$not"
    assert miss["wanted"] == 'not {data: {license: {channels: "web"}}}'


def test_the_nearest_rule_of_a_choice_is_told(load):
    match = "{$or: [{type: x, subject: y}, {type: license.expiring, subject: y}]}"
    route = the_route(load(f"{{name: r, match: {match}, to: [cms]}}"))
    assert (route["parts"], [miss["field"] for miss in route["misses"]]) == (2, ["subject"])


def test_matching_routes_come_first_then_the_nearest_and_the_rest_is_counted(load):
    far = [f"{{name: far-{i}, match: {{type: x, subject: y, id: z}}, to: [cms]}}" for i in range(7)]
    near = "{name: near, match: {type: license.expiring, subject: y, id: a-1}, to: [cms]}"
    half = "{name: half, match: {subject: y}, to: [cms]}"
    hit = "{name: hit, match: {type: license.expiring}, to: [cms]}"
    told = explanation(load(*far, half, near, hit), nearest=3)
    assert [route["name"] for route in told["routes"]] == ["hit", "near", "half", "far-0"]
    assert told["left_out"] == 6
    everything = explanation(load(*far, half, near, hit), nearest=None)
    assert (len(everything["routes"]), everything["left_out"]) == (10, 0)


def test_a_route_tells_its_name_its_owner_and_its_mode(load):
    routes = load(
        "{name: a, owner: rights, match: {}, to: [cms]}",
        "{name: b, mode: shadow, on_error: skip, match: {}, to: [{endpoint: pager, name: p}]}",
    )
    a, b = explanation(routes)["routes"]
    assert (a["name"], a["owner"], a["mode"], a["on_error"]) == ("a", "rights", "live", "inbox")
    assert (b["owner"], b["mode"], b["on_error"]) == (None, "shadow", "skip")
    assert b["to"] == [{"endpoint": "pager", "name": "p"}]


def test_an_index_that_says_otherwise_than_the_pattern_is_believed():
    """Production goes by the index alone."""
    route = Route(name="r", pattern=compile_pattern({"type": "x"}), to=(Target(endpoint="cms"),))
    other = Route(name="r", pattern=compile_pattern({"type": "y"}), to=(Target(endpoint="cms"),))
    sources = {"getty": Source(name="getty", verifier=NoVerifier())}
    endpoints = {"cms": EndpointConfig(name="cms", url="http://127.0.0.1:9/")}
    routes = indexed(sources=sources, endpoints=endpoints, routes=[route])
    object.__setattr__(routes, "routes", (other,))
    assert the_route(routes, {"type": "x", "data": {}})["matches"] is True


def test_an_event_that_is_too_wide_matches_nothing_and_says_so(load):
    match = "{data: {placements: {anything-but: x}}}"
    wide = {**EVENT, "data": {"placements": [0] * 100_001}}
    told = explanation(load(f"{{name: r, match: {match}, to: [cms]}}"), wide)
    assert (told["routes"], told["left_out"], told["requests"]) == ([], 1, [])
    assert "more" in told["failures"][0]


# -- what expressions said ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("bound", "value"), [(3, True), (30, False)])
def test_a_when_is_shown_as_written_with_what_it_said(load, bound, value):
    when = f"event.data.days_left > {bound}"
    route = the_route(load(f"{{name: r, match: {{}}, when: {when}, to: [cms]}}"))
    assert route["when"] == {"expression": when, "value": value}
    assert (route["matches"], route["fires"]) == (True, value)


def test_a_when_is_not_asked_where_the_pattern_does_not_match(load):
    route = the_route(load("{name: r, match: {type: x}, when: event.data.nope, to: [cms]}"))
    assert "when" not in route


@pytest.mark.parametrize(
    ("on_error", "fires"), [("inbox", False), ("match", True), ("skip", False)]
)
def test_a_when_that_fails_is_what_on_error_makes_of_it(load, on_error, fires):
    routes = load(
        f"{{name: r, on_error: {on_error}, match: {{}}, when: event.data.nope > 3, to: [cms]}}"
    )
    told = explanation(routes)
    (route,) = told["routes"]
    assert '"nope"' in route["when"]["error"]
    (failure,) = route["failures"]
    assert failure["then"] == on_error
    assert '"nope"' in failure["detail"]
    assert (route["fires"], len(told["requests"])) == (fires, int(fires))


def test_a_when_that_is_neither_true_nor_false_has_failed(load):
    route = the_route(load("{name: r, match: {}, when: event.data.days_left, to: [cms]}"))
    assert route["when"]["error"] == "it is a number, neither true nor false"


def test_a_once_tells_its_value(load):
    once = "${event.data.license.id}/${event.data.days_left}"
    route = the_route(load(f'{{name: r, match: {{}}, once: "{once}", to: [cms]}}'))
    assert route["once"] == {"expression": once, "value": "lic_1/9"}


def test_a_once_that_fails_keeps_the_route_from_firing(load):
    route = the_route(
        load("{name: r, match: {}, once: '${event.data.license.territories}', to: [cms]}")
    )
    assert route["once"]["error"] == "it is a list, neither text nor a number"
    assert (route["fires"], route["failures"][0]["then"]) == (False, "inbox")


def test_a_target_tells_its_items_and_for_how_many_its_when_is_true(load):
    routes = load(
        "{name: r, match: {}, to: [{endpoint: cms, each: '${event.data.placements}',"
        " when: 'item.system == \"wordpress\"', call: {path: '/${item.ref}'}}]}"
    )
    told = explanation(routes)
    (target,) = told["routes"][0]["to"]
    assert target["each"] == {"expression": "${event.data.placements}", "items": 3}
    assert target["when"] == {
        "expression": 'item.system == "wordpress"', "true": 2, "false": 1, "errors": [],
    }  # fmt: skip
    assert len(told["requests"]) == 2


def test_an_each_that_is_no_list_says_so(load):
    routes = load(
        "{name: r, match: {}, to: [{endpoint: cms, each: '${event.data.days_left}',"
        " call: {path: '/${item.ref}'}}, pager]}"
    )
    told = explanation(routes)
    (route,) = told["routes"]
    assert route["to"][0]["each"]["error"] == "it is a number, not a list"
    assert route["failures"][0]["then"] == "inbox"
    assert [request["endpoint"] for request in told["requests"]] == ["pager"]


def test_a_shadow_shows_what_it_would_send(load):
    told = explanation(
        load(
            "{name: quiet, mode: shadow, match: {}, to: [cms]}",
            "{name: off, mode: shadow, when: event.data.days_left > 100, match: {}, to: [cms]}",
            "{name: loud, match: {}, to: [pager]}",
        )
    )
    assert [route["fires"] for route in told["routes"]] == [True, False, True]
    sent = [(r["route"], r["endpoint"], r["mode"]) for r in told["requests"]]
    assert sent == [("loud", "pager", "live"), ("quiet", "cms", "shadow")]


# -- from a request to events ------------------------------------------------------------------------------


def test_an_ignored_request_makes_no_event(load):
    result = explained(load(), "dam", b'{"kind": "ping"}', {}, NOW)
    assert result == {"source": "dam", "outcome": "ignored", "events": []}


def test_each_item_is_an_event_that_is_explained(load):
    routes = load("{name: r, match: {data: {id: '2'}}, to: [cms]}")
    body = orjson.dumps({"assets": [{"id": "1"}, {"id": "2"}]})
    result = explained(routes, "dam", body, {"x-id": "d"}, NOW)
    assert [each["event"]["id"] for each in result["events"]] == ["d/1", "d/2"]
    assert [each["routes"][0]["fires"] for each in result["events"]] == [False, True]


def test_each_event_of_a_batch_is_explained(load):
    body = orjson.dumps([EVENT, {**EVENT, "type": "x"}])
    result = explained(load("{name: r, match: {type: x}, to: [cms]}"), "getty", body, {}, NOW)
    assert [each["routes"][0]["fires"] for each in result["events"]] == [False, True]


def test_events_without_an_id_have_ids_of_their_own(load):
    body = orjson.dumps({"kind": "one", "n": 1})
    first = explained(load(), "dam", body, {}, NOW)["events"][0]["event"]
    assert first["id"].startswith("evt_")
    routes = load("{name: r, match: {}, to: [cms]}")
    several = orjson.dumps([{k: v for k, v in EVENT.items() if k != "time"}] * 2)
    told = explained(routes, "getty", several, {}, NOW)["events"]
    ids = {each["requests"][0]["headers"]["webhook-id"] for each in told}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("source", "body", "headers", "outcome", "code", "cure"),
    [
        ("getty", b'{"n": 1}', {}, "inbox", "event-unmapped", "give the source an `event:`"),
        ("getty", b"no json", {}, "inbox", "invalid-json", "send UTF-8 JSON"),
        ("dam", b'{"kind": "x"}', {}, "inbox", "event-unmapped", "add a case for it"),
        ("dam", b'{"assets": [{}]}', {}, "inbox", "expression-failed", "mend this source's"),
        ("open", b'{"n": 1}', {}, "refused", "event-unmapped", "give the source an `event:`"),
        ("strict", b'{"n": 1}', {}, "refused", "event-unmapped", "give the source an `event:`"),
        ("strict", b'{"type": "license.revoked", "data": {}}', {}, "inbox", "data-invalid", "send what"),
        ("held", b'{"type": "license.revoked", "data": {}}', {}, "refused", "data-invalid", "send what"),
        ("held", b'{"n": 1}', {}, "inbox", "event-unmapped", "give the source an `event:`"),
        ("getty", b"", {}, "refused", "empty-body", "send the event"),
        ("getty", b"x", {"content-type": "text/plain"}, "refused", "media-type-unsupported", "send"),
    ],
)  # fmt: skip
async def test_what_makes_no_event_ends_where_production_puts_it(
    write, source, body, headers, outcome, code, cure
):
    async with Gateway(write()) as gateway:
        routes = gateway.service.routes
        result = explained(routes, source, body, headers, NOW)
        signed = routes.sources[source].verifier.sign(
            Sending(body, gateway.clock.now(), request_id="m")
        )
        answer = await gateway.post(
            source, body, {"content-type": "application/json", **headers, **signed}
        )
    assert (result["outcome"], result["events"]) == (outcome, [])
    assert result["problem"]["code"] == code
    assert result["problem"]["cure"].startswith(cure)
    if outcome == "inbox":
        assert (answer["status"], answer["id"][:4]) == (202, "inb_")
    else:
        assert (answer["status"] >= 400, answer["code"]) == (True, code)


def test_an_unknown_source_names_the_known(load):
    with pytest.raises(NotFound, match="known: getty, open, strict, held, dam"):
        explained(load(), "nope", b"{}", {}, NOW)


def test_the_first_source_is_meant_where_none_is_named(load):
    assert explained(load(), None, orjson.dumps(EVENT), {}, NOW)["source"] == "getty"


# -- requests ----------------------------------------------------------------------------------------------

OF_THE_ATTEMPT = {"webhook-id", "webhook-timestamp", "webhook-signature", "idempotency-key"}

EACH = (
    "{name: each, match: {}, to: [{endpoint: cms, name: pause, each: '${event.data.placements}',"
    " when: 'item.system == \"wordpress\"', call: {method: PUT, path: '/posts/${item.ref}',"
    " query: {force: true, tag: a b}, headers: {X-Who: '${event.subject}'},"
    " json: {status: draft, days: '${event.data.days_left}'}}}]}"
)


@pytest.mark.parametrize(
    ("endpoint", "route", "count"),
    [
        ("cms", "{name: r, match: {}, to: [cms]}", 1),
        ("pager", "{name: r, match: {}, to: [pager]}", 1),
        ("raw", "{name: r, match: {}, to: [raw]}", 1),
        ("own", "{name: r, match: {}, to: [own]}", 1),
        ("cms", EACH, 2),
        ("cms", "{name: r, match: {}, to: [{endpoint: cms, call: {method: DELETE, path: /x}}]}", 1),
    ],
)
async def test_a_request_is_the_one_that_is_sent(write, endpoint, route, count):
    async with Gateway(write(route)) as gateway:
        body = orjson.dumps({**EVENT, "time": "2026-11-20T09:14:03Z"})
        told = explained(gateway.service.routes, "getty", body, {}, gateway.clock.now())
        await gateway.send("getty", body)
        received = await gateway.endpoint(endpoint).calls(count)
    requests = told["events"][0]["requests"]
    assert len(requests) == len(received) == count
    shown = {request["url"]: request for request in requests}
    for call in received:
        (url,) = [u for u in shown if urlsplit(u).path == f"/{endpoint}{_quoted(call.path)}"]
        request = shown[url]
        assert request["method"] == call.method
        assert dict(parse_qsl(urlsplit(url).query)) == call.query
        assert request["body"].encode() == call.body
        for name, value in request["headers"].items():
            assert name in call.headers
            assert value in ("(hidden)", call.headers[name]) or name in OF_THE_ATTEMPT


def _quoted(path: str) -> str:
    """The server's framework decodes what was sent encoded."""
    return {"/posts/a/b": "/posts/a%2Fb", "/posts/3 ü": "/posts/3%20%C3%BC"}.get(path, path)


async def test_a_handler_gets_the_arguments_that_are_shown(write):
    route = (
        "{name: r, match: {}, to: [{endpoint: reviews, with: {project: RIGHTS,"
        " who: '${event.subject}'}}]}"
    )
    async with Gateway(write(route)) as gateway:
        told = explained(gateway.service.routes, "getty", orjson.dumps(EVENT), {}, NOW)
        await gateway.send("getty", orjson.dumps(EVENT))
        (call,) = await gateway.endpoint("reviews").calls(1)
        url = gateway.service.routes.endpoints["reviews"].url
    (request,) = told["events"][0]["requests"]
    assert request["handler"] == "handlers.reviews:open_review"
    assert request["url"] == url
    assert request["with"] == call.json() == {"project": "RIGHTS", "who": "license/1"}


def test_a_call_to_an_endpoint_with_a_handler_is_sent_without_it(load):
    route = "{name: r, match: {}, to: [{endpoint: reviews, call: {path: /x}}]}"
    (request,) = explanation(load(route))["requests"]
    assert request["url"] == "https://reviews.example.com/x"


def test_a_token_and_signatures_of_other_forms_are_told_and_not_shown(write):
    cms = "    sign: {secrets: [{env: CMS_SECRET}]}\n    auth: {bearer: {env: CMS_TOKEN}}\n"
    other = (
        "    sign: {preset: github, secrets: [{env: CMS_SECRET}]}\n    auth: {oauth2: "
        '{token_url: "https://login.example.com/", client_id: x, client_secret: {env: CMS_TOKEN}}}\n'
    )
    file = write("{name: a, match: {}, to: [cms]}")
    file.write_text(file.read_text().replace(cms, other))
    settings = Settings(routes=file, database=file.parent / "gateway.db")
    (request,) = explanation(check(settings, SECRETS, keep=False).routes)["requests"]
    assert request["headers"]["x-hub-signature-256"] == "(hidden)"
    assert request["headers"]["authorization"] == "(hidden)"
    assert "webhook-signature" not in request["headers"]


def test_no_secret_is_shown(load):
    told = explanation(
        load(
            "{name: a, match: {}, to: [cms, pager, raw, own, reviews]}",
            EACH,
            "{name: s, mode: shadow, match: {}, to: [cms, reviews]}",
            "{name: c, match: {}, to: [{endpoint: reviews, call: {path: /x}}]}",
        )
    )
    text = json.dumps(told)
    assert [value for value in SECRETS.values() if value in text] == []
    assert "bWU6cGFzc3dvcmQ" not in text  # me:password…, as basic authentication writes it
    assert "v1," not in text
    headers = [request["headers"] for request in told["requests"] if "headers" in request]
    hidden = {name for each in headers for name, value in each.items() if value == "(hidden)"}
    assert hidden == {"authorization", "x-key", "webhook-signature"}


# -- a recorded event --------------------------------------------------------------------------------------


def the_facts(event) -> dict:
    return {name: getattr(event, name) for name in Event.__slots__ if not name.startswith("_")} | {
        "data": event.data
    }


STRUCTURED = "application/cloudevents+json"
BINARY = {"ce-specversion": "1.0", "ce-id": "b", "ce-source": "/x", "ce-type": "x.y"}


@pytest.mark.parametrize(
    ("source", "body", "headers"),
    [
        ("getty", b'{"specversion": "1.0", "id": "1", "source": "/x", "type": "a",  "data": {"n": 1.50}}',
         {"content-type": STRUCTURED}),
        ("getty", b'{"specversion":"1.0","id":"1","source":"/x","type":"a","data":null}',
         {"content-type": STRUCTURED}),
        ("getty", b'{"specversion":"1.0","id":"1","source":"/x","type":"a"}',
         {"content-type": STRUCTURED}),
        ("getty", b'{"specversion":"1.0","id":"1","source":"/x","type":"a","data_base64":"aGk="}',
         {"content-type": STRUCTURED}),
        ("getty", b'[{"specversion":"1.0","id":"1","source":"/x","type":"a","data": {"n": 1e1}}]',
         {"content-type": "application/cloudevents-batch+json"}),
        ("getty", b'{"n":  1.50}', {**BINARY, "content-type": "application/json"}),
        ("getty", b'{"type": "t", "data": {"n": 1.50}}', {**BINARY, "content-type": "application/json"}),
        ("getty", b"null", BINARY),
        ("getty", b"", BINARY),
        ("getty", b"5", {**BINARY, "content-type": "text/plain"}),
        ("getty", b'{"type": "t", "data": {"n":  1.50}}', {"content-type": "application/json"}),
        ("getty", b'{"type": "t", "n":  1.50}', {}),
        ("dam", b'{"kind": "one", "n": [1.50, "x"]}', {}),
        ("dam", b'{"assets": [{"id": 7, "type": "image", "data": 5}]}', {"x-id": "d"}),
    ],
)  # fmt: skip
async def test_a_recorded_event_is_rebuilt_as_it_was(load, store, source, body, headers):
    """Out of what the admin API shows of it."""
    raw = {name.encode(): value.encode() for name, value in headers.items()}
    request = Inbound("POST", raw, frozenset(), body, NOW)
    (event,) = read(load().sources[source], request, "m", lambda: EventId("evt_1")).events
    await store.append([an_arrival(event)])
    shown = json.loads(orjson.dumps(await store.shown_event(event.event_id)))
    assert the_facts(rebuilt(shown)) == the_facts(event)
    assert the_facts(await store.event(event.event_id)) == the_facts(event)


def test_a_recorded_event_is_explained_by_the_routes_of_today(load):
    event = an_event(data={"days_left": 9})
    result = explained_again(load("{name: r, match: {}, to: [cms]}"), event, NOW)
    (told,) = result["events"]
    assert (result["source"], told["id"], told["event"]) == ("getty", event.event_id, event.fields)
    assert told["requests"][0]["body"].encode() == event.envelope


def test_a_recorded_event_of_a_source_that_is_gone_is_explained(load):
    event = an_event(source="gone")
    result = explained_again(load("{name: r, match: {source: gone}, to: [cms]}"), event, NOW)
    assert result["events"][0]["routes"][0]["fires"] is True


def test_a_body_that_its_source_would_refuse_is_not_explained_as_routed(load):
    large = {**EVENT, "data": {"text": "x" * 1_100_000}}
    told = explained(load("{name: r, match: {}, to: [cms]}"), "getty", orjson.dumps(large), {}, 0)
    assert (told["outcome"], told["problem"]["code"]) == ("refused", "body-too-large")


def test_what_would_be_planned_is_told_in_the_order_in_which_it_comes(load):
    routes = load(
        "{name: ask, match: {type: a}, to: [cms], await: {key: '${event.id}', answers: {yes: b}, within: 2d,"
        " else: late, escalate: [{after: 1d, emit: soon}]}}"
    )
    body = b'{"specversion":"1.0","id":"1","source":"/t","type":"a","time":"2026-01-01T00:00:00Z"}'
    told = explained(routes, "open", body, {}, NOW)
    assert [each["type"] for each in told["events"][0]["planned"]] == ["soon", "late", "b"]


def test_what_an_event_would_have_the_gateway_make_is_told(load):
    routes = load(
        '{name: told, match: {type: license.acquired}, emit: {type: license.noted, data: {id: "${event.data.id}"}}}'
    )
    body = {
        "specversion": "1.0",
        "id": "1",
        "source": "/t",
        "type": "license.acquired",
        "data": {"id": "l1"},
    }
    told = explained(routes, "open", json.dumps(body).encode(), {}, NOW)
    (planned,) = told["events"][0]["planned"]
    assert (planned["by"], planned["type"], planned["data"]) == (
        "routes/told",
        "license.noted",
        {"id": "l1"},
    )
