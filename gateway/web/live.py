"""What happens as server-sent events: `GET /api/v1/live`.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Mapping

import orjson
from starlette.responses import Response, StreamingResponse

from gateway.core.model import Json
from gateway.flows.live import Live
from gateway.web.call import Call

STILL_THERE_SECONDS = 15
"""Where nothing happens, a comment says so often that the connection lasts."""


async def live(call: Call) -> Response:
    """Whatever happens from now on, of what is asked for."""
    return StreamingResponse(
        _stream(call.around.live, call.filters), media_type="text/event-stream"
    )


async def _stream(live: Live, wanted: Mapping[str, Json]) -> AsyncIterator[bytes]:
    with live.watch(wanted) as watcher:
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
