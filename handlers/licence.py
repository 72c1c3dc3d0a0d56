"""What a licence's end begins and its renewal lifts, both by one endpoint, so that the one cannot overtake the other.

    tracker:
      url: https://tracker.example.com/rights/rest/data
      auth: {basic: {user: gateway, password: {file: secrets/roundup}}}
      key: ${event.subject}
      handler: handlers.licence:issue

Where a tracker is down as a licence ends, and is back after it was renewed, an issue would be resolved before it
is opened, and stay. With `key` the deliveries about one licence go one at a time, in the order in which their
events came: it is opened, and then resolved.
"""

from collections.abc import Mapping

from gateway import Endpoint, Event, Response
from handlers.alertmanager import raise_alert, resolve_alert
from handlers.pages import Pages
from handlers.plone import publish, retract
from handlers.roundup import open_issue, resolve_issue

LIFTS = frozenset({"license.renewed"})
"""The types of the events after which all is well again."""


async def alert(event: Event, endpoint: Endpoint) -> Response:
    """Raise an alert in Alertmanager; resolve it where the event lifts the reason."""
    return await (resolve_alert if event.type in LIFTS else raise_alert)(event, endpoint)


async def issue(
    event: Event, endpoint: Endpoint, *, origin: str, fields: Mapping[str, object] | None = None
) -> Response:
    """Open an issue in Roundup; resolve it where the event lifts the reason."""
    if event.type in LIFTS:
        return await resolve_issue(event, endpoint, origin=origin)
    return await open_issue(event, endpoint, origin=origin, fields=fields)


async def pages(event: Event, endpoint: Endpoint, *, placements: Pages = None) -> Response:
    """Make pages of Plone private; publish them where the event lifts the reason."""
    return await (publish if event.type in LIFTS else retract)(
        event, endpoint, placements=placements
    )
