"""Several gateways on one database: who is there, and how they share what endpoints allow.

An endpoint's `concurrency` is shared among the nodes, so that they have it together: each may have so
many attempts under way as its *share*. An endpoint with a `rate` is one node's whole, since only one
pace is even. A node raises its share only by what the others have already given up: they tell with
each beat what they still use. What a dead node held comes free when the last attempt that it could have
begun has ended.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from gateway.core.model import SECOND, Json, LaneMark, Micros

BEAT_EVERY = 2 * SECOND
"""How often a node tells that it is there."""

IN_TOUCH = 10 * SECOND
"""A node begins nothing when it has told so for the last time longer ago than this."""

FORGOTTEN = 3600 * SECOND
"""A node that went without a word is shown so long."""

MOST_SKEW = 2 * SECOND
"""Clocks that differ by more spoil the times of leases and retries."""


class LaneNeed(NamedTuple):
    """What a node tells of one endpoint."""

    concurrency: int
    whole: bool
    """Whether it can only be one node's: it has a rate."""
    using: int
    """So many places it may use until it hears the answer: its share so far, or what is under way."""
    holds: Micros
    """How long an attempt may last that begins now."""
    begun_at: Micros
    """When an attempt last began, where there is a rate."""


class Held(NamedTuple):
    """What a node holds of an endpoint."""

    endpoint: str
    node: str
    places: int


@dataclass(frozen=True, slots=True)
class Node:
    """A gateway that is there, or was lately."""

    id: str
    name: str
    """The host's."""
    version: str
    routes: str
    """The fingerprint of its routes files."""
    started_at: Micros
    seen_at: Micros
    """By the database's clock."""


@dataclass(frozen=True, slots=True)
class Beat:
    """What a node tells."""

    node: Node
    """`seen_at` is the node's own clock here: who hears it tells by how much it is off."""
    lanes: Mapping[str, LaneNeed]


@dataclass(frozen=True, slots=True)
class Around:
    """What a node hears back."""

    now: Micros
    """By the database's clock."""
    nodes: Sequence[Node]
    """Those that are there, itself included; the oldest first."""
    shares: Mapping[str, int]
    """Its own, by endpoint."""
    states: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """As `LookUpStore.endpoint_states` has them."""
    marks: Mapping[str, LaneMark] = field(default_factory=dict)
    lost: Sequence[Node] = ()
    """Those that went without a word, lately."""


def share_of(endpoint: str, need: LaneNeed, node: str, nodes: Collection[str]) -> int:
    """How much of *endpoint* is *node*'s, once all *nodes*, of which it is one, have what is theirs.

    What does not divide goes to other nodes at each endpoint.
    """
    place = (sorted(nodes).index(node) + crc32(endpoint.encode())) % len(nodes)
    if need.whole:
        return need.concurrency if place == 0 else 0
    each, left = divmod(need.concurrency, len(nodes))
    return each + (place < left)


def shares(
    node: str, lanes: Mapping[str, LaneNeed], nodes: Collection[str], held: Sequence[Held]
) -> dict[str, int]:
    """How much of each endpoint *node* may have now, while so much is *held*.

    It is its share among those that have the endpoint, as far as the others have left it. What it has under way beyond that ends, and nothing
    follows it: so a busy node, too, makes room for one that comes.
    """
    taken, among = Counter[str](), defaultdict[str, set[str]](lambda: {node})
    for each in held:
        if each.node != node:
            taken[each.endpoint] += each.places
            if each.node in nodes:
                among[each.endpoint].add(each.node)
    granted = {}
    for endpoint, need in lanes.items():
        others = taken[endpoint]
        free = 0 if need.whole and others else max(0, need.concurrency - others)
        granted[endpoint] = min(share_of(endpoint, need, node, among[endpoint]), free)
    return granted
