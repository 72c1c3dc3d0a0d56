"""Bundles of evidence: `GET /api/v1/evidence`, a line of JSON after the other."""

from starlette.responses import Response, StreamingResponse

from gateway.flows.evidence import Asked
from gateway.web.call import Call


async def bundle(call: Call) -> Response:
    """What was received, and who was told, of what is asked for."""
    lines = await call.around.evidence.bundle(Asked(**call.filters))
    return StreamingResponse(lines, media_type="application/jsonl")
