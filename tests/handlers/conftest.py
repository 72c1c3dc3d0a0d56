"""A handler with its endpoint's client, against a vendor's API as the vendor documents it."""

import json as jsonlib
from functools import partial
from types import SimpleNamespace
from typing import NamedTuple
from urllib.parse import urlencode

import aiohttp
import pytest
from aioresponses import aioresponses

from gateway.clock import SystemClock
from gateway.core.egress import EgressPolicy
from gateway.core.model import Raised
from gateway.core.routes import EndpointConfig
from gateway.core.secret import Secret
from gateway.flows.calling import BoundEndpoint, handle
from gateway.sender.aiohttp import AiohttpSender
from tests.kit.acts import Acts
from tests.kit.build import a_delivery, an_event

FILE_URL = "https://delivery.gettyimages.com/xr/847116840.jpg?signed=yes"
PICTURE = b"\xff\xd8a picture"


class Answer(aiohttp.ClientResponse):
    """What aioresponses 0.7.9 makes lacks an argument that aiohttp has since 3.14."""

    def __init__(self, *arguments, **more) -> None:
        more.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*arguments, **more)


class Asked(NamedTuple):
    """A request."""

    method: str
    url: str
    body: object
    """Decoded, where it is JSON."""
    headers: dict[str, str]


class Vendor:
    """The vendor's API: what it answers, and what it was asked, in order."""

    def __init__(self, mocked: aioresponses) -> None:
        self._mocked = mocked
        self.asked: list[Asked] = []

    def answers(self, method, url, status=200, json=None, *, query=None, **more) -> None:
        def note(at, *, data, headers, **_):
            self.asked.append(Asked(method, str(at), decoded(data), headers))

        url = f"{url}?{urlencode(query)}" if query else url
        self._mocked.add(
            url, method, status=status, payload=json, response_class=Answer, callback=note, **more
        )

    def delivers(self, status=200, **more) -> None:
        """The file of the image is where its provider said."""
        headers = {"content-type": "image/jpeg"}
        self.answers("GET", FILE_URL, status, **{"body": PICTURE, "headers": headers, **more})

    @property
    def calls(self) -> list[tuple[str, str]]:
        return [(each.method, each.url) for each in self.asked]

    @property
    def bodies(self) -> list[object]:
        """What was written."""
        return [each.body for each in self.asked if each.method != "GET"]


def decoded(data):
    if not data:
        return None
    try:
        return jsonlib.loads(data)
    except ValueError:
        return data


@pytest.fixture
def vendor():
    with aioresponses() as mocked:
        yield Vendor(mocked)


@pytest.fixture
def acts():
    """What was written down of acts that may not be repeated."""
    return Acts()


@pytest.fixture
async def run(vendor, acts):
    """Run a handler for an event, with an endpoint at *url*: how the attempt ends."""
    sender = AiohttpSender(EgressPolicy(), user_agent="tests")

    async def run(handler, event, url: str, *, secrets=None, **arguments):
        secrets = {name: Secret(text) for name, text in (secrets or {}).items()}
        endpoint = EndpointConfig(name="vendor", url=url, handler="x:y", secrets=secrets)
        delivery = a_delivery(event)
        bound = BoundEndpoint(endpoint, delivery, sender, SystemClock(), acts=acts, fetcher=sender)
        outcome = await handle(partial(handler, **arguments), delivery, bound, 5)
        assert not isinstance(outcome, Raised), outcome.detail
        return outcome

    yield run
    await sender.close()


@pytest.fixture
def acquired():
    """A licence that was acquired, with where its file is."""
    return an_event(
        event_type="license.acquired",
        subject="license/lic_1",
        data={
            "license": {
                "id": "lic_1", "asset_id": "847116840", "agreement_name": "Acme 2026",
                "expires_at": "2026-12-31T23:59:59Z", "territories": ["DE", "FR"], "channels": ["web"],
            },
            "download": {"uri": FILE_URL, "uri_expires_at": "2026-11-19T11:06:40Z"},
            "asset": {
                "id": "847116840", "title": "A French bulldog", "caption": "An old dog smiling",
                "artist": "P. Kiszon", "credit_line": "Getty Images", "copyright": "pascal kiszon",
            },
        },
    )  # fmt: skip


def an_expiring_licence(event_type="license.expiring", *, days_left=14, **data):
    """An event about the licence of the picture."""
    return an_event(
        event_type=event_type,
        subject="license/lic_1",
        data={
            "days_left": days_left,
            "license": {
                "id": "lic_1", "asset_id": "847116840", "expires_at": "2026-12-31T23:59:59Z",
            },
            **data,
        },
    )  # fmt: skip


def shown_at(system: str, *refs: str):
    """The end of a licence whose image is shown on pages of *system*."""
    placements = [{"system": system, "ref": ref} for ref in refs]
    return an_expiring_licence("license.expired", days_left=0, placements=placements)
