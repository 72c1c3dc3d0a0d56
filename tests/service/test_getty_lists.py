"""Getty's lists of downloads and of products, looked at now and then."""

from gateway.clock import SystemClock
from gateway.core.model import SECOND, rfc3339
from tests.kit.getty import a_product, edge_error
from tests.kit.polled import events_of, polled, polled_times

DAY = 86_400
ROUTES = """
version: 1
sources:
  getty:
    poll: {{preset: PRESET, url: "{url}", token_url: "{url}/oauth2/token", rate: 1000/s}}
endpoints: {{cms: {{url: "http://127.0.0.1:9/cms", sign: none}}}}
routes: [{{name: all, match: {{}}, to: [cms]}}]
"""
DOWNLOADS = ROUTES.replace("PRESET", "getty-downloads")
COMPANY = ROUTES.replace("PRESET", "getty-downloads, company: true")
PRODUCTS = ROUTES.replace("PRESET", "getty-products")


def moment(days: float, now: int | None = None) -> str:
    """So many days from now, as Getty writes it."""
    now = SystemClock().now() if now is None else now
    return rfc3339(now + round(days * DAY) * SECOND)[:19] + "Z"


async def test_each_download_is_a_licence(getty, serve):
    at = moment(-1)
    getty.take_download("847116840", a_product(), at, "spring campaign")
    service = await serve(DOWNLOADS)
    await polled(service, "events")
    (event,) = await events_of(service)
    assert (event["type"], event["time"]) == ("license.acquired", at)
    licence = event["data"]["license"]
    assert event["id"] == licence["id"]
    assert event["subject"] == f"license/{licence['id']}"
    assert licence["id"].startswith(f"gdl-847116840-{at}-")
    told = {
        name: licence[name] for name in ("asset_id", "product_type", "product_id", "agreement_name")
    }
    assert told == {
        "asset_id": "847116840",
        "product_type": "premiumaccess",
        "product_id": 12345,
        "agreement_name": "Acme 2026",
    }
    assert (licence["starts_at"], licence["expires_at"]) == (at, None)
    assert event["data"]["download"]["notes"] == "spring campaign"


async def test_what_the_gateway_itself_licensed_is_the_same_licence(getty, serve):
    getty.take_download("847116840", a_product(), moment(-1), "spring campaign gw:req%201")
    service = await serve(DOWNLOADS)
    await polled(service, "events")
    (event,) = await events_of(service)
    assert event["data"]["license"]["id"] == "lic_847116840_req%201"
    assert event["subject"] == "license/lic_847116840_req%201"
    assert event["id"].startswith("gdl-")


async def test_licences_of_one_second_are_told_apart_by_what_they_were_taken_for(getty, serve):
    for request in ("req_1", "req_2"):
        getty.take_download("847116840", a_product(), moment(-1), f"gw:{request}")
    service = await serve(DOWNLOADS)
    await polled(service, "events")
    licences = {event["data"]["license"]["id"] for event in await events_of(service)}
    assert licences == {"lic_847116840_req_1", "lic_847116840_req_2"}


async def test_what_is_listed_again_is_a_duplicate_and_what_is_new_is_not(getty, serve):
    getty.take_download("1", a_product(), moment(-1))
    service = await serve(DOWNLOADS)
    await polled(service, "events")
    service.clock.advance(900)
    await polled(service, "empty")
    getty.take_download("1", a_product(), moment(0, service.clock.now()))
    service.clock.advance(900)
    assert (await polled(service, "events", 2))["came"] == 1
    assert len(await events_of(service)) == 2
    assert await service._store.inbox({"limit": 10}) == []


async def test_all_pages_are_read_before_it_is_written_down_that_they_were(getty, serve):
    for number in range(250):
        getty.take_download(str(number), a_product(), moment(-2))
    service = await serve(DOWNLOADS)
    await polled(service, "events", 3)
    assert [each["page"] for each in getty.queries] == ["1", "2", "3"]
    assert len(await events_of(service)) == 250
    read_up_to = await service._store.position_of("getty")
    assert read_up_to == rfc3339(service.clock.now())
    service.clock.advance(10 * DAY)
    await polled(service, "empty")
    assert getty.queries[3]["date_from"] == moment(-11, service.clock.now())[:10]


async def test_a_page_that_fails_is_asked_for_again_and_nothing_is_written_down_before(
    getty, serve
):
    for number in range(150):
        getty.take_download(str(number), a_product(), moment(-2))
    service = await serve(DOWNLOADS)
    getty.failing_at["/v3/downloads"] = [edge_error(503, "Unavailable")]
    await polled(service, "failed")
    assert await service._store.position_of("getty") is None
    service.clock.advance(2)
    await polled(service, "events", 2)
    assert len(await events_of(service)) == 150


async def test_those_of_everyone_are_listed_where_it_is_asked_for(getty, serve):
    getty.take_download("1", a_product(), moment(-1), by="somebody")
    service = await serve(COMPANY)
    await polled(service, "events")
    (event,) = await events_of(service)
    assert event["data"]["download"]["downloaded_by"] == "somebody"


async def test_a_download_of_no_known_form_goes_to_the_inbox_once(getty, serve):
    getty.take_download("1", a_product(), moment(-1))
    getty.take_download("", a_product(), moment(-1))
    service = await serve(DOWNLOADS)
    await polled(service, "events")
    service.clock.advance(900)
    await polled(service, "empty")
    assert len(await service._store.inbox({"limit": 10})) == 1


async def test_each_threshold_before_the_end_of_an_agreement_is_told_once(getty, serve):
    getty.products = [a_product(expiration_utc_date=moment(89.5), download_limit=None)]
    service = await serve(PRODUCTS)
    await polled(service, "events")
    for days in range(2, 91):  # longer than duplicates are known
        service.clock.advance(DAY)
        await polled_times(service, days)
    told = [each["data"] for each in await events_of(service)]
    assert [each["threshold_days"] for each in told] == [90, 30, 14, 7, 1]
    assert [each["days_left"] for each in told] == [89, 29, 13, 6, 0]
    assert told[0]["product"]["agreement_name"] == "Acme 2026"


async def test_a_threshold_that_was_told_is_told_of_the_next_term_too(getty, serve):
    getty.products = [a_product(expiration_utc_date=moment(5), download_limit=None)]
    service = await serve(PRODUCTS)
    await polled(service, "events")
    getty.products = [a_product(expiration_utc_date=moment(6), download_limit=None)]
    service.clock.advance(3600)
    await polled(service, "events", 2)
    assert [e["data"]["threshold_days"] for e in await events_of(service)] == [7, 7]


async def test_that_little_is_left_is_told_once_until_it_is_counted_anew(getty, serve):
    low = {"expiration_utc_date": moment(300), "download_limit": 500}
    reset = moment(10)
    getty.products = [a_product(**low, downloads_remaining=50, download_limit_reset_utc_date=reset)]
    service = await serve(PRODUCTS)
    await polled(service, "empty")  # a tenth is not less than a tenth
    getty.products = [a_product(**low, downloads_remaining=49, download_limit_reset_utc_date=reset)]
    service.clock.advance(3600)
    await polled(service, "events")
    getty.products = [a_product(**low, downloads_remaining=3, download_limit_reset_utc_date=reset)]
    service.clock.advance(3600)
    await polled(service, "empty", 2)
    again = moment(40)
    getty.products = [a_product(**low, downloads_remaining=2, download_limit_reset_utc_date=again)]
    service.clock.advance(3600)
    await polled(service, "events", 2)
    first, second = (each["data"] for each in await events_of(service))
    assert (first["downloads_remaining"], first["download_limit"]) == (49, 500)
    assert (first["reset_at"][:19], second["reset_at"][:19]) == (reset[:19], again[:19])


async def test_of_products_that_are_over_nothing_is_told(getty, serve):
    getty.products = [
        a_product(expiration_utc_date=moment(-1), downloads_remaining=0),
        a_product(expiration_utc_date=moment(1), downloads_remaining=0, status="inactive"),
    ]
    service = await serve(PRODUCTS)
    await polled(service, "empty")
    assert await events_of(service) == []
