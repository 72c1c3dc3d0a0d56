"""What the nodes on a database tell each other: who is there, and who holds how much of which endpoint."""

from gateway.core.model import Micros
from gateway.core.nodes import FORGOTTEN, IN_TOUCH, Around, Beat, Held, Node, shares
from gateway.store.postgres.database import Work, statement

FREE_SHARES = statement("free_shares")
NOTE_SHARES = statement("note_shares")
TAKE_PROBE = statement("take_probe")

LOCK = ["shares"]
"""One node after the other: what one gives up, the next may have."""


async def beat(work: Work, told: Beat) -> Around:
    """Note that a node is there, and give it what it may have now."""
    node = told.node
    await work.lock(LOCK)
    facts = (node.id, node.name, node.version, node.routes, node.started_at)
    ((now,),) = await work.do("note_node", *facts)
    await work.rows(FREE_SHARES, {"now": now, "in_touch": IN_TOUCH})
    await work.do("forget_nodes", now - FORGOTTEN)
    nodes = [Node(*row) for row in await work.do("read_nodes")]
    here = [each for each in nodes if now - each.seen_at <= IN_TOUCH]
    held = [Held(*row) for row in await work.do("read_shares")]
    granted = shares(node.id, told.lanes, [each.id for each in here], held)
    await _note(work, told, granted)
    return Around(now, here, granted, lost=[each for each in nodes if each not in here])


async def _note(work: Work, told: Beat, granted: dict[str, int]) -> None:
    node, lanes = told.node.id, told.lanes
    await work.do("drop_shares", node, list(lanes))
    facts = {
        "node": node,
        "endpoints": list(lanes),
        # What it may use meanwhile, or has under way, it holds until it tells of less.
        "places": [max(need.using, granted[endpoint]) for endpoint, need in lanes.items()],
        "holds": [need.holds for need in lanes.values()],
    }
    await work.rows(NOTE_SHARES, facts)
    begun = {endpoint: need.begun_at for endpoint, need in lanes.items() if need.begun_at}
    if begun:
        await work.do("note_begun", list(begun), list(begun.values()))


async def leave(work: Work, node: str) -> None:
    """A node is there no more, and holds nothing."""
    await work.do("leave_node", node)


async def take_probe(work: Work, endpoint: str, now: Micros, until: Micros) -> bool:
    """Whether the probe that is due was nobody's yet."""
    facts = {"endpoint": endpoint, "now": now, "until": until}
    return bool(await work.rows(TAKE_PROBE, facts))
