"""A handler with its endpoint's client, against a vendor's API as the vendor documents it."""

import json
from types import SimpleNamespace

import aiohttp
import pytest
from aioresponses import aioresponses

from gateway.clock import SystemClock
from gateway.core.egress import EgressPolicy
from gateway.core.routing import EndpointConfig
from gateway.core.secret import Secret
from gateway.flows.calling import BoundEndpoint
from gateway.sender.aiohttp import AiohttpSender
from tests.kit.build import a_delivery


class Answer(aiohttp.ClientResponse):
    """What aioresponses 0.7.9 makes lacks an argument that aiohttp has since 3.14."""

    def __init__(self, *arguments, **more) -> None:
        more.setdefault("stream_writer", SimpleNamespace(output_size=0))
        super().__init__(*arguments, **more)


class Vendor:
    """The vendor's API: what it answers, and what it was asked."""

    def __init__(self, mocked: aioresponses) -> None:
        self._mocked = mocked

    def answers(self, method: str, url: str, status: int = 200, json=None, **more) -> None:
        self._mocked.add(url, method, status=status, payload=json, response_class=Answer, **more)

    @property
    def asked(self) -> list[tuple[str, str, object]]:
        """Every request, in order: method, URL and decoded body."""
        calls = [
            (m, str(url), c.kwargs["data"])
            for (m, url), cs in self._mocked.requests.items()
            for c in cs
        ]
        return [(m, url, json.loads(body) if body else None) for m, url, body in calls]


@pytest.fixture
def vendor():
    with aioresponses() as mocked:
        yield Vendor(mocked)


@pytest.fixture
async def run(vendor):
    """Run a handler for an event, with an endpoint at *url*."""
    sender = AiohttpSender(EgressPolicy(), user_agent="tests")

    async def run(handler, event, url: str, *, secrets=None, **config):
        config["secrets"] = {name: Secret(text) for name, text in (secrets or {}).items()}
        endpoint = EndpointConfig(name="vendor", url=url, handler="x:y", **config)
        bound = BoundEndpoint(endpoint, a_delivery(event), sender, SystemClock(), fetcher=sender)
        return await handler(event, bound)

    yield run
    await sender.close()
