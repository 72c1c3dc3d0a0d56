"""Getty: an image is licensed once for a request, whatever came of the calls before."""

import json

import pytest

from gateway.core.model import SECOND, Accepted, Hopeless, Postponed, Refused, Unreachable
from handlers.getty import license_image
from tests.kit.build import an_event

API = "https://api.gettyimages.com"
HISTORY = f"{API}/v3/images/847116840/downloadhistory"
DOWNLOAD = f"{API}/v3/downloads/images/847116840"
QUERY = {"auto_download": "false"}
URI = "https://delivery.gettyimages.com/xr/847116840.jpg?signed=yes"
MARK = "gw:req_8812"
ACT = f"847116840 {MARK}"
EDGE_429 = {"message": "Too Many Requests"}


def asked_for(request_id="req_8812", **data):
    data = {"asset_id": "847116840", **({"request_id": request_id} if request_id else {}), **data}
    return an_event(event_type="license.approved", data=data)


def made(notes=MARK, **more):
    return {"date_downloaded": "2026-11-02T10:01:22Z", "product_id": 12345, "product_type": "premiumaccess",
            "agreement_name": "Acme 2026", "download_details": {"download_notes": notes}, **more}  # fmt: skip


def history(vendor, *downloads, status=200):
    vendor.answers(
        "GET", HISTORY, status, json={"id": "847116840", "downloads": list(downloads)}, repeat=True
    )


@pytest.fixture
def license_it(run):
    def license_it(event=None, **arguments):
        return run(
            license_image, event or asked_for(), API, secrets={"api_key": "k-1"}, **arguments
        )

    return license_it


def told(outcome):
    assert isinstance(outcome, Accepted), outcome
    return outcome.response.json()


async def test_an_image_is_downloaded_with_the_mark_of_its_request(license_it, vendor, acts):
    history(vendor, made("gw:req_881"), made(f"x{MARK}"), made(None))
    query = {**QUERY, "product_id": "12345", "product_type": "premiumaccess"}
    vendor.answers("POST", DOWNLOAD, json={"uri": URI}, query=query)
    outcome = await license_it(
        product_id=12345, product_type="premiumaccess", notes="spring", project_code="P-77"
    )
    assert told(outcome) == {
        "request_id": "req_8812",
        "asset": {"id": "847116840"},
        "license": {
            "id": "lic_847116840_req_8812", "asset_id": "847116840", "status": "active",
            "product_id": 12345, "product_type": "premiumaccess", "project_code": "P-77",
        },
        "download": {"uri": URI},
    }  # fmt: skip
    look, post = vendor.asked
    assert post.body == {"download_notes": f"spring {MARK}", "project_code": "P-77"}
    assert look.headers["api-key"] == post.headers["api-key"] == "k-1"
    assert list(acts.begun) == [ACT]


@pytest.mark.parametrize("place", ["download_notes", "download_details"])
async def test_what_the_history_has_is_not_downloaded_again(license_it, vendor, place):
    notes = f"spring {MARK}"
    found = {"download_notes": notes} if place == "download_notes" else {place: {place: "", "download_notes": notes}}  # fmt: skip
    history(vendor, made("other"), {**made(None), **found})
    answer = told(await license_it())
    assert answer["license"] == {
        "id": "lic_847116840_req_8812", "asset_id": "847116840", "status": "active",
        "product_id": 12345, "product_type": "premiumaccess", "agreement_name": "Acme 2026",
    }  # fmt: skip
    assert answer["download"] == {"uri": None}
    assert [each.method for each in vendor.asked] == ["GET"]


@pytest.mark.parametrize(
    ("failure", "ends"),
    [({"status": 503, "json": {"message": "x"}}, Refused), ({"status": 408, "json": {}}, Refused),
     ({"exception": TimeoutError()}, Unreachable)],
)  # fmt: skip
async def test_what_may_have_been_taken_is_not_downloaded_again(
    license_it, vendor, acts, failure, ends
):
    history(vendor)
    vendor.answers("POST", DOWNLOAD, query=QUERY, **failure)
    assert isinstance(await license_it(), ends)
    outcome = await license_it()
    assert isinstance(outcome, Postponed)
    assert outcome.after == 300 * SECOND
    assert "gateway redeliver --act-again dlv_" in outcome.reason
    acts.begun[ACT] -= 15 * 60 * SECOND
    outcome = await license_it()
    assert isinstance(outcome, Hopeless)
    assert "847116840 may have been licensed for gw:req_8812" in outcome.reason
    assert len(vendor.bodies) == 1


@pytest.mark.parametrize(
    ("status", "body", "ends", "reason"),
    [(429, EDGE_429, Refused, ""), (403, {"message": "Forbidden"}, Refused, ""),
     (403, {"ErrorCode": "OverageLimitReached", "ErrorMessage": "m"}, Hopeless, "no download is left in the agreement"),
     (403, {"ErrorCode": "NoAccessToProductType", "ErrorMessage": "m"}, Hopeless, "not in the agreement"),
     (404, {"ErrorCode": "ImageNotFound", "ErrorMessage": "m"}, Hopeless, "Getty answers 404 ImageNotFound: m"),
     (402, {"ErrorCode": "NotEnoughCreditsForPurchase", "ErrorMessage": "m"}, Hopeless, "402")],
)  # fmt: skip
async def test_what_was_certainly_not_taken_may_be_downloaded_by_another_attempt(
    license_it, vendor, acts, status, body, ends, reason
):
    history(vendor)
    vendor.answers("POST", DOWNLOAD, status, json=body, query=QUERY)
    outcome = await license_it()
    assert isinstance(outcome, ends)
    assert reason in getattr(outcome, "reason", "")
    assert not acts.begun
    vendor.answers("POST", DOWNLOAD, json={"uri": URI}, query=QUERY)
    assert told(await license_it())["download"] == {"uri": URI}


async def test_after_401_it_is_tried_once_more_with_a_new_token(license_it, vendor, acts):
    history(vendor)
    for _ in range(3):
        vendor.answers("POST", DOWNLOAD, 401, json={"message": "Unauthorized"}, query=QUERY)
    outcome = await license_it()
    assert isinstance(outcome, Hopeless)
    assert "the key may not license it: Getty answers 401" in outcome.reason
    assert (len(vendor.bodies), acts.begun) == (2, {})
    vendor.answers("POST", DOWNLOAD, json={"uri": URI}, query=QUERY)
    assert told(await license_it())["download"] == {"uri": URI}


@pytest.mark.parametrize("answer", [{"body": b'{"downloads": [{"dow'}, {"json": {"downloads": {}}}])
async def test_without_the_history_nothing_is_downloaded(license_it, vendor, answer):
    vendor.answers("GET", HISTORY, **answer)
    assert isinstance(await license_it(), Postponed)
    vendor.answers("GET", HISTORY, 429, json=EDGE_429)
    assert isinstance(await license_it(), Refused)
    assert not vendor.bodies


async def test_an_answer_that_says_nothing_of_the_file_is_a_licence_all_the_same(
    license_it, vendor
):
    history(vendor)
    vendor.answers("POST", DOWNLOAD, body=b"<", query=QUERY)
    asset = {"id": "847116840", "title": "A French bulldog"}
    answer = told(await license_it(asked_for(asset=asset)))
    assert (answer["asset"], answer["download"]) == (asset, {"uri": None})


@pytest.mark.parametrize(
    ("event", "arguments", "mark"),
    [(asked_for(), {"reference": "PO 7/1"}, "gw:PO%207%2F1"),
     (event := asked_for(None), {}, f"gw:{event.event_id}"),
     (asked_for("x" * 101), {}, "gw:0c1d6d"[:3])],
)  # fmt: skip
async def test_the_mark_is_one_word_of_what_it_is_for(license_it, vendor, event, arguments, mark):
    history(vendor)
    vendor.answers("POST", DOWNLOAD, json={"uri": URI}, query=QUERY)
    told(await license_it(event, notes="n" * 400, **arguments))
    notes = vendor.bodies[0]["download_notes"]
    assert len(notes) <= 250
    assert notes.split()[1].startswith(mark)
    assert json.dumps(notes).isascii()
