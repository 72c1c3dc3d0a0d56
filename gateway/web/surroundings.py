"""What the admin listener shows and does: the rest of the gateway, as far as it is its business."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.core.access import Access
from gateway.core.model import Json
from gateway.core.routes import Routes
from gateway.flows.backlog import Backlog
from gateway.flows.bulk import Bulk
from gateway.flows.carry_on import CarryOn
from gateway.flows.erase import Erase
from gateway.flows.evidence import Evidence
from gateway.flows.history import History
from gateway.flows.live import Live
from gateway.flows.operate import Operate
from gateway.flows.poll import Pollers
from gateway.flows.prune import Prune
from gateway.flows.read_again import ReadAgain
from gateway.ports import Clock, LookUpStore, RegisterStore
from gateway.web.shown import Shown


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What the API and the pages are made from."""

    look_up: LookUpStore
    shown: Shown
    operate: Operate
    bulk: Bulk
    carry_on: CarryOn
    read_again: ReadAgain
    pollers: Pollers
    register: RegisterStore
    prune: Prune
    erase: Erase
    evidence: Evidence
    status: Callable[[], dict[str, Json]]
    """What /readyz tells in detail."""
    in_force: Callable[[], Routes]
    files: Callable[[], dict[str, Json]]
    """The routes files in force: their texts, in which secrets are only referred to."""
    late: Callable[[], Awaitable[dict[str, int]]]
    """How many unfinished deliveries are late, by endpoint."""
    metrics: Callable[[], bytes]
    """The exposition for Prometheus."""
    backlog: Backlog
    history: History
    live: Live
    access: Access
    """Who may do what."""
    clock: Clock
    hosts: tuple[str, ...] = ()
    """Names and addresses that the listener answers to, besides those of loopback."""
