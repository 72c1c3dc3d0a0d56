"""What was promised, held against what happened: one checker for every fault.

It reads what three parties noted, none of which knows the others' notes: the sender its acknowledgements,
the endpoints what arrived, the gateway its database. A broken promise is a sentence with the ids concerned.

I1  acknowledged: at each of its endpoints delivered, dead, or waiting for an attempt that is yet to come
I2  not acknowledged: there or not, but never half
I3  no attempt after a recorded success; taken twice only where an interruption lies between
I4  each attempt at a delivery carries the same bytes, and a signature that verifies
I5  attempts are at most as many as the schedule has, and as far apart
I6  a restart needs no hand, and takes seconds
I7  nothing is acknowledged while the store cannot commit
I8  memory is bounded
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from gateway.core.model import SECOND, Micros
from gateway.core.retry import JITTER
from tests.faults.kept import Database, Delivery, Event, Kept, read_kept
from tests.kit.sink import Ack, Arrival

Span = tuple[Micros, Micros]
Finding = tuple[str, list[str]]
"""What is wrong, and with what: nothing is, where that is empty."""

READY_SECONDS = 5
"""What a start may take, with up to 100,000 deliveries waiting."""
NOTED_AFTER = SECOND
"""A request that left before its success was recorded is noted by a busy endpoint so much later at most."""
SHOWN = 5
"""So many ids are named of those concerned."""


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known of a run in its end, when nothing is due any more."""

    database: Database
    posted: dict[str, str]
    """The digest of each body, by its event's id."""
    acks: list[Ack]
    arrivals: list[Arrival]
    endpoints: frozenset[str]
    """Where each event goes."""
    silent: frozenset[str] = frozenset()
    """Of these, those that note nothing of what arrives."""
    schedule: tuple[float, ...]
    """Seconds between attempts."""
    ended_at: Micros
    interruptions: list[Span] = field(default_factory=list)
    """From the end of a process until the next one serves: what was under way is attempted again."""
    unable: list[Span] = field(default_factory=list)
    """When no commit can have succeeded."""
    ready_seconds: list[float] = field(default_factory=list)
    """What each start took of a processor, until it served."""
    peak_bytes: int = 0
    most_bytes: int = 0
    """As much memory as the process had at most, and as it may have."""


def broken(evidence: Evidence) -> list[str]:
    """The promises that were not kept."""
    kept = read_kept(evidence.database)
    found = [
        *_lost(evidence, kept),
        *_halves(evidence, kept),
        *_repeated(evidence, kept),
        *_altered(evidence),
        *_hurried(evidence, kept),
        *_slow_starts(evidence),
        *_false_acks(evidence),
        *_memory(evidence),
    ]
    return [f"{what}: {_named(concerned)}" for what, concerned in found if concerned]


def _named(concerned: list[str]) -> str:
    more = f" and {len(concerned) - SHOWN} more" if len(concerned) > SHOWN else ""
    return ", ".join(concerned[:SHOWN]) + more


def _lost(evidence: Evidence, kept: Kept) -> Iterator[Finding]:
    acked = {ack.event: ack.sha256 for ack in evidence.acks}
    there = {event: kept.events[event][0] for event in acked if event in kept.events}
    deliveries = [each for event in there.values() for each in event.deliveries.values()]
    taken = {arrival.delivery for arrival in evidence.arrivals if _took(arrival)}
    yield "I1 acknowledged, and not kept", [event for event in acked if event not in there]
    yield (
        "I1 acknowledged, and kept with other bytes",
        [name for name, event in there.items() if event.sha256 != acked[name]],
    )
    yield (
        "I1 acknowledged, without a delivery for each endpoint",
        [name for name, event in there.items() if event.deliveries.keys() != evidence.endpoints],
    )
    yield (
        "I1 neither delivered, nor dead, nor waiting for an attempt to come",
        [each.name for each in deliveries if not _goes_on(each, kept, evidence.ended_at)],
    )
    yield (
        "I1 recorded as delivered, and never taken",
        [
            each.name
            for each in kept.deliveries.values()
            if each.state == "delivered"
            and each.endpoint not in evidence.silent
            and each.name not in taken
        ],
    )


def _took(arrival: Arrival) -> bool:
    return 200 <= arrival.status < 300


def _goes_on(delivery: Delivery, kept: Kept, now: Micros) -> bool:
    match delivery.state:
        case "delivered" | "dead":
            return True
        case "scheduled":
            return max(delivery.due_at, kept.waiting.get(delivery.endpoint, 0)) > now
        case _:
            return False


def _halves(evidence: Evidence, kept: Kept) -> Iterator[Finding]:
    def whole(name: str, event: Event) -> bool:
        return (
            event.sha256 == evidence.posted.get(name)
            and event.deliveries.keys() == evidence.endpoints
            and event.counted == len(event.deliveries)
        )

    yield (
        "I2 kept by half",
        [name for name, found in kept.events.items() if not whole(name, found[0])],
    )
    yield "I2 kept twice", [name for name, found in kept.events.items() if len(found) > 1]
    yield "I2 without what they belong to", kept.orphans
    yield "I2 the database is not sound", [] if kept.soundness == "ok" else [kept.soundness]


def _repeated(evidence: Evidence, kept: Kept) -> Iterator[Finding]:
    succeeded: dict[str, Micros] = {}
    again = []
    for name, delivery in kept.deliveries.items():
        outcomes = [attempt.outcome for attempt in delivery.attempts]
        if "accepted" in outcomes:
            first = outcomes.index("accepted")
            succeeded[name] = delivery.attempts[first].ended_at
            if first < len(outcomes) - 1:
                again.append(name)
    yield "I3 attempts recorded after a success", again
    yield (
        "I3 arrived after a recorded success",
        [
            arrival.delivery
            for arrival in evidence.arrivals
            if arrival.at > succeeded.get(arrival.delivery, arrival.at) + NOTED_AFTER
        ],
    )
    taken: dict[str, list[Micros]] = defaultdict(list)
    for arrival in evidence.arrivals:
        if _took(arrival):
            taken[arrival.delivery].append(arrival.at)
    yield (
        "I3 taken twice without an interruption between",
        [
            name
            for name, moments in taken.items()
            if any(not _explained(evidence, *two) for two in pairwise(sorted(moments)))
        ],
    )


def _explained(evidence: Evidence, earlier: Micros, later: Micros) -> bool:
    """Whether an interruption lies between two arrivals; one from before it may be noted during it."""
    return any(earlier <= served and later >= ended for ended, served in evidence.interruptions)


def _altered(evidence: Evidence) -> Iterator[Finding]:
    bodies: dict[str, set[str]] = defaultdict(set)
    for arrival in evidence.arrivals:
        bodies[arrival.delivery].add(arrival.sha256)
    yield "I4 attempts with different bytes", [n for n, found in bodies.items() if len(found) > 1]
    yield (
        "I4 signatures that do not verify",
        [arrival.delivery for arrival in evidence.arrivals if not arrival.verified],
    )


def _hurried(evidence: Evidence, kept: Kept) -> Iterator[Finding]:
    most = 1 + len(evidence.schedule)
    yield (
        "I5 more attempts than the schedule has",
        [name for name, each in kept.deliveries.items() if len(each.attempts) > most],
    )
    waits = [wait * (1 - JITTER) * SECOND for wait in evidence.schedule]
    yield (
        "I5 attempts closer together than scheduled",
        [
            name
            for name, each in kept.deliveries.items()
            if any(
                later.started_at - earlier.ended_at < wait
                for (earlier, later), wait in zip(pairwise(each.attempts), waits, strict=False)
            )
        ],
    )


def _slow_starts(evidence: Evidence) -> Iterator[Finding]:
    slow = [f"{took:.1f} s" for took in evidence.ready_seconds if took > READY_SECONDS]
    yield "I6 starts that took too long", slow


def _false_acks(evidence: Evidence) -> Iterator[Finding]:
    yield (
        "I7 acknowledged while nothing could be committed",
        [
            ack.event
            for ack in evidence.acks
            if any(begun < ack.sent_at and ack.read_at < over for begun, over in evidence.unable)
        ],
    )


def _memory(evidence: Evidence) -> Iterator[Finding]:
    grown = evidence.peak_bytes > evidence.most_bytes
    yield "I8 memory grew beyond its bound", [f"{evidence.peak_bytes:,} bytes"] if grown else []
