"""Take an asset off a site, by the site's own API."""

from gateway import Endpoint, Event, Response


async def withdraw(event: Event, endpoint: Endpoint) -> Response:
    """Withdraw the asset of the event."""
    return await endpoint.put(
        f"/assets/{event.data['asset']['id']}/state", json={"state": "withdrawn"}
    )
