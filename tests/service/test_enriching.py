"""Changes with what Getty says of the images, and against what the register knew of them."""

import orjson

from tests.kit.getty import an_image, edge_error, restricted, too_many
from tests.kit.polled import events_of, polled

ROUTES = """
version: 1
sources:
  getty:
    poll:
      preset: getty-asset-changes
      url: "{url}"
      token_url: "{url}/oauth2/token"
      rate: 1000/s
      enrich: {{POLICYcollection: asset}}
endpoints: {{cms: {{url: "http://127.0.0.1:9/cms", sign: none}}}}
routes:
  - {{name: all, match: {{}}, to: [cms]}}
  - name: keep-assets
    match: {{type: asset.updated, data: {{enriched: true}}}}
    remember: {{collection: asset, key: "${{event.data.asset.id}}", value: "${{event.data.asset}}"}}
  - name: forget-assets
    match: {{type: asset.withdrawn}}
    remember: {{collection: asset, key: "${{event.data.asset_id}}", forget: true}}
"""
REQUIRED = ROUTES.replace("POLICY", "")
OPTIONAL = ROUTES.replace("POLICY", "policy: optional, ")
LATER = "2026-11-21T10:00:00Z"


async def changed(getty, service, asset: str, at: str, count: int) -> None:
    """Have an asset change, and wait until it was told."""
    getty.change(asset, at=at)
    service.clock.advance(60)
    await polled(service, "empty", count)


def of_type(events, kind: str) -> list[dict]:
    return [each for each in events if each["type"] == kind]


async def test_an_event_has_what_getty_says_of_the_image(getty, serve):
    getty.images["847116840"] = an_image()
    getty.change("847116840")
    getty.change("9", asset_type="Film")
    service = await serve(REQUIRED)
    await polled(service, "empty")
    image, film = await events_of(service)
    asset = image["data"]["asset"]
    assert (asset["id"], asset["title"]) == ("847116840", an_image()["title"])
    assert asset["preview_uri"] == "https://media.example.com/p"
    assert asset["detail_uri"] == "https://www.example.com/detail"
    assert asset["people"] == []  # was asked for, and is not there
    assert (image["data"]["enriched"], film["data"]["enriched"]) == (True, False)
    (query,) = getty.queries
    assert query["ids"] == "847116840"
    assert "allowed_use" in query["fields"].split(",")


async def test_images_are_asked_about_a_hundred_at_a_time(getty, serve):
    for number in range(250):
        getty.images[str(number)] = an_image()
        getty.change(str(number))
    service = await serve(REQUIRED)
    await polled(service, "empty")
    assert [len(each["ids"].split(",")) for each in getty.queries] == [100, 100, 50]
    assert getty.asked["GET /v3/images"] == 3


async def test_images_may_have_more_keywords_together_than_a_body_may_hold(getty, serve):
    keyword = {
        "text": "Dog",
        "type": "Animals",
        "relevance": 100,
        "entity_uris": [],
        "entity_types": [],
    }
    keywords = [{"keyword_id": str(number), **keyword} for number in range(60)]
    for number in range(500):
        getty.images[str(number)] = an_image(keywords=keywords)
        getty.change(str(number))
    service = await serve(REQUIRED)
    assert (await polled(service, "events"))["came"] == 500
    assert len(getty.acknowledged) == 1


async def test_what_was_kept_of_a_set_is_not_asked_about_again(getty, serve):
    for number in range(150):
        getty.images[str(number)] = an_image()
        getty.change(str(number))
    getty.unanswered = {"120"}
    service = await serve(REQUIRED)
    await polled(service, "failed")
    assert len(await events_of(service)) == 100
    assert getty.acknowledged == []
    getty.unanswered = set()
    service.clock.advance(2)
    assert (await polled(service, "events"))["came"] == 50
    assert [each["ids"].partition(",")[0] for each in getty.queries] == ["0", "100", "100"]
    assert len(getty.acknowledged) == 1


async def test_an_image_that_is_not_there_any_more_is_withdrawn(getty, serve):
    getty.change("1")
    getty.change("2", "Delete")
    service = await serve(REQUIRED)
    await polled(service, "empty")
    gone, deleted = await events_of(service)
    assert (gone["type"], gone["data"]["reason"]) == ("asset.withdrawn", "not_found")
    assert deleted["data"]["reason"] == "deleted_by_provider"
    assert [each["ids"] for each in getty.queries] == ["1"]


async def test_terms_that_are_tighter_are_told(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    service = await serve(REQUIRED)
    await polled(service, "empty")
    terms = restricted("NO USE IN FRANCE", "No internet use.")
    getty.images["1"] = an_image(allowed_use=terms, title="a bulldog")
    await changed(getty, service, "1", LATER, 2)
    events = (await events_of(service))[1:]
    assert [each["type"] for each in events] == [
        "asset.updated",
        "terms.changed",
        "usage.restricted",
    ]
    updated, changes, usage = (each["data"] for each in events)
    assert updated["changed_fields"] == ["allowed_use", "title"]
    assert updated["previous"]["title"] == an_image()["title"]
    assert changes["severity"] == "tightened"
    assert changes["changes"] == [
        {
            "field": "allowed_use.usage_restrictions",
            "old": [],
            "new": ["NO USE IN FRANCE", "No internet use."],
        }
    ]
    assert changes["before"]["allowed_use"]["usage_restrictions"] == []
    assert usage == {
        "asset_id": "1",
        "restrictions": ["NO USE IN FRANCE", "No internet use."],
        "territories_blocked": ["FR"],
        "channels_blocked": ["web"],
        "effective_at": LATER,
    }


async def test_what_is_no_term_makes_no_terms_changed(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    service = await serve(REQUIRED)
    await polled(service, "empty")
    getty.images["1"] = an_image(caption="another")
    await changed(getty, service, "1", LATER, 2)
    events = await events_of(service)
    assert [each["type"] for each in events] == ["asset.updated"] * 2
    assert events[1]["data"]["changed_fields"] == ["caption"]


async def test_an_older_change_that_comes_late_changes_nothing(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1", at=LATER)
    service = await serve(REQUIRED)
    await polled(service, "empty")
    getty.images["1"] = an_image(license_model="rightsmanaged")
    await changed(getty, service, "1", "2026-11-20T00:00:00Z", 2)
    assert of_type(await events_of(service), "terms.changed") == []
    await changed(getty, service, "1", "2026-11-22T00:00:00Z", 3)  # it is told with the next
    (told,) = of_type(await events_of(service), "terms.changed")
    assert told["data"]["severity"] == "tightened"


async def test_a_change_set_that_comes_again_tells_its_terms_once(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    service = await serve(REQUIRED)
    await polled(service, "empty")
    getty.images["1"] = an_image(allowed_use=restricted("NO USE IN FRANCE"))
    getty.change("1", at=LATER)
    getty.may_acknowledge.clear()
    service.clock.advance(60)
    await getty.until(lambda: getty.asked["GET /v3/images"] == 2)
    await getty.until(lambda: sum(n for w, n in getty.asked.items() if w.startswith("DELETE")) == 2)
    await (
        service._pollers.close()
    )  # as a crash would, after it was kept and before it was acknowledged
    getty.may_acknowledge.set()
    service._pollers.loop.wake()
    await polled(service, "empty", 2)
    events = await events_of(service)
    assert [each["type"] for each in events[1:]] == [
        "asset.updated",
        "terms.changed",
        "usage.restricted",
    ]
    assert getty.redelivered == 1
    assert getty.asked["GET /v3/images"] == 3
    assert await service._store.inbox({"limit": 10}) == []  # it says less now, and that is no news


async def test_what_was_kept_is_only_acknowledged_again(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    service = await serve(REQUIRED)
    await polled(service, "empty")
    getty.change("1", at=LATER)
    name = next(path for path in getty.asked if path.startswith("DELETE"))
    number = int(name.rpartition("/")[2]) + 1
    getty.failing_at = {f"/v3/asset-changes/change-sets/{number}": [edge_error(503, "Unavailable")]}
    service.clock.advance(60)
    await polled(service, "failed")
    service.clock.advance(2)
    await polled(service, "empty", 2)
    assert getty.asked["GET /v3/images"] == 2
    assert len(await events_of(service)) == 2


async def test_changes_wait_until_something_is_said_of_their_assets(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    getty.failing_at["/v3/images"] = [too_many()]
    service = await serve(REQUIRED)
    await polled(service, "throttled")
    assert await events_of(service) == []
    assert getty.acknowledged == []
    service.clock.advance(2)
    await polled(service, "empty")
    (event,) = await events_of(service)
    assert event["data"]["enriched"] is True
    assert len(getty.acknowledged) == 1


async def test_or_they_go_without(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    getty.failing_at["/v3/images"] = [too_many()]
    service = await serve(OPTIONAL)
    await polled(service, "empty")
    (event,) = await events_of(service)
    assert event["data"]["enriched"] is False
    assert event["data"]["asset"] == {"id": "1", "asset_type": "image"}
    assert len(getty.acknowledged) == 1
    (told,) = [fields for name, fields in service.reports if name == "poll.unenriched"]
    assert "429" in told["reason"]


async def test_the_change_after_one_without_details_is_compared_with_the_last_that_had_some(
    getty, serve
):
    getty.images["1"] = an_image()
    getty.change("1")
    service = await serve(OPTIONAL)
    await polled(service, "empty")
    getty.images["1"] = an_image(call_for_image=True)
    getty.failing_at["/v3/images"] = [too_many()]
    await changed(getty, service, "1", LATER, 2)
    await changed(getty, service, "1", "2026-11-22T10:00:00Z", 3)
    (told,) = of_type(await events_of(service), "terms.changed")
    assert orjson.dumps(told["data"]["changes"]) == orjson.dumps(
        [{"field": "call_for_image", "old": False, "new": True}]
    )


async def test_an_image_of_which_nothing_is_said_keeps_its_change_waiting(getty, serve):
    getty.images["1"] = an_image()
    getty.change("1")
    getty.unanswered = {"1"}
    service = await serve(REQUIRED)
    failed = await polled(service, "failed")
    assert "nothing of 1 of 1 images, such as 1" in failed["reason"]
    assert getty.acknowledged == []
