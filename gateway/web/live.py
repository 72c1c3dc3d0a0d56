"""What happens as server-sent events: `GET /api/v1/live`.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.core.access import Caller
from gateway.core.model import Json
from gateway.flows.live import FILTERS, Live
from gateway.web.parameters import no_parameter, truth

STILL_THERE_SECONDS = 15
"""Where nothing happens, a comment says so often that the connection lasts."""


class LiveApi:
    """The path."""

    def __init__(self, live: Live) -> None:
        self._live = live

    async def live(self, request: Request, _caller: Caller) -> Response:
        """Whatever happens from now on, of what is asked for."""
        return StreamingResponse(
            self._stream(_wanted(request.query_params)), media_type="text/event-stream"
        )

    async def _stream(self, wanted: Mapping[str, Json]) -> AsyncIterator[bytes]:
        with self._live.watch(wanted) as watcher:
            yield b": from now on\n\n"
            while True:
                try:
                    async with asyncio.timeout(STILL_THERE_SECONDS):
                        item = await watcher.next()
                except TimeoutError:
                    yield b": nothing yet\n\n"
                    continue
                if item is None:
                    return
                yield b"event: %s\ndata: %s\n\n" % (str(item["what"]).encode(), orjson.dumps(item))


def _wanted(given: Mapping[str, str]) -> dict[str, Json]:
    wanted: dict[str, Json] = {}
    for name, value in given.items():
        if name == "failed":
            wanted[name] = truth(name, value)
        elif name in FILTERS:
            wanted[name] = value
        else:
            raise no_parameter(name, (*FILTERS, "failed"))
    return wanted
