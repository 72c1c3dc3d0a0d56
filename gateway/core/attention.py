"""What needs a person, in the order of urgency: for `gateway status`, the API, and the first page."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gateway.core.breaker import BreakerState
from gateway.core.model import ALL_ROUTES, Json, Micros
from gateway.core.words import ago, counted

MANY_FAILURES = 5
"""So many polls in a row that fail are no hiccup."""


class Trouble(NamedTuple):
    """Something that does not end by itself, or has lasted too long."""

    text: str
    """What it is, and the command that shows more or mends it, in backticks."""
    page: str = ""
    """Where the dashboard shows more; empty: nowhere."""


def troubles(state: Mapping[str, Any], unreadable: int, now: Micros) -> list[Trouble]:
    """All of them, given what `GET /api/v1/status` tells and how many requests the inbox got in a day."""
    return [
        *_of_the_gateway(state, now),
        *_of_endpoints(state["endpoints"], now),
        *_of_polls(state.get("polls", ())),
        *_of_deliveries(state),
        *_of_routes(state["failing"]),
        *_of_the_inbox(unreadable),
    ]


def is_left_alone(endpoint: Mapping[str, Json]) -> bool:
    """Whether it is open, and its breaker lets nothing through but probes."""
    breaking = endpoint["breaker"] in (BreakerState.OPEN, BreakerState.PROBING)
    return breaking and endpoint["state"] == "open"


def _of_the_gateway(state: Mapping[str, Any], now: Micros) -> Iterator[Trouble]:
    if state["store"]["state"] != "ok":
        yield Trouble(f"no events are taken: {state['store']['reason']}")
    elif not state["ready"]:
        yield Trouble("the gateway is not ready: its log says why")
    if "out-of-touch" in state["held_by"]:
        yield Trouble("this node cannot tell the others that it is there, and delivers nothing")
    if "clock-off" in state["held_by"]:
        yield Trouble(
            "this node's clock and the database's differ, and it delivers nothing: see to NTP"
        )
    if "paused" in state["held_by"]:
        yield Trouble("it was started paused, and delivers nothing: `gateway resume --all`")
    yield from _differences(state["nodes"], now)
    rejected = state["routes"]["rejected"]
    if rejected:
        count = counted(len(rejected), "error")
        yield Trouble(
            f"the routes file is faulty, and the former one stays in force: {count}, {rejected[0]}",
            "/routes",
        )


def _of_endpoints(endpoints: Sequence[Mapping[str, Any]], now: Micros) -> Iterator[Trouble]:
    for each in endpoints:
        if each["state"] in {"disabled", "blocked"}:
            yield Trouble(
                f"{each['name']} is {each['state']} ({each['reason']}):"
                f" mend it, then `gateway resume {each['name']}`",
                f"/endpoints/{each['name']}",
            )
    for each in endpoints:
        if is_left_alone(each):
            yield Trouble(
                f"{each['name']} fails and is left alone ({each['reason']}), a probe is made"
                f" {ago(each['probe_at'], now)}: mend it; `gateway resume {each['name']}` tries at once",
                f"/endpoints/{each['name']}",
            )


def _of_polls(polls: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    for each in polls:
        if each["failures"] >= MANY_FAILURES or each["outcome"] == "unauthorized":
            count = counted(each["failures"], "time")
            yield Trouble(f"{each['source']} was asked in vain {count} in a row: {each['reason']}")


def _differences(nodes: Sequence[Mapping[str, Any]], now: Micros) -> Iterator[Trouble]:
    """What keeps several nodes from being equal."""
    here = next((node for node in nodes if node["this"]), None)
    for node in nodes:
        if node["lost"]:
            seen = ago(node["seen_at"], now)
            yield Trouble(
                f"the node {node['name']} ({node['id']}) was last seen {seen}, and gave nothing up"
            )
        elif here is not None and node["routes"] != here["routes"]:
            yield Trouble(
                f"the node {node['name']} goes by other routes, {node['routes']}, than this one:"
                " give all of them the same files"
            )


def _of_deliveries(state: Mapping[str, Any]) -> Iterator[Trouble]:
    for name, dead_letters in state["stats"]["dead"].items():
        count = counted(dead_letters["count"], "dead letter")
        yield Trouble(f"{name} has {count}: see `gateway dead`", f"/dead?endpoint={name}")
    for name, count in state["late"].items():
        late = counted(count, "delivery is late", "deliveries are late")
        yield Trouble(
            f"{late} at {name}: see `gateway deliveries --endpoint {name} --state scheduled`",
            f"/deliveries?endpoint={name}&state=scheduled",
        )
    known = {endpoint["name"] for endpoint in state["endpoints"]}
    for name, waiting in state["stats"]["scheduled"].items():
        if name not in known:
            count = counted(waiting["count"], "delivery waits", "deliveries wait")
            yield Trouble(
                f"{count} for {name}, which is not in routes.yaml",
                f"/deliveries?endpoint={name}&state=scheduled",
            )


def _of_routes(failing: Sequence[Mapping[str, Any]]) -> Iterator[Trouble]:
    for each in failing:
        count = counted(each["events"], "event")
        if each["route"] == ALL_ROUTES:
            what = f"{count} could not be matched with any route: see `gateway inbox`"
            yield Trouble(what, "/inbox")
            continue
        owner = f" ({each['owner']})" if each["owner"] else ""
        yield Trouble(
            f"expressions of the route {each['route']}{owner} failed for {count} since the start:"
            " see `gateway inbox`",
            "/inbox",
        )


def _of_the_inbox(unreadable: int) -> Iterator[Trouble]:
    if unreadable:
        count = counted(unreadable, "request")
        yield Trouble(
            f"the inbox got {count} in the last 24 hours: see `gateway inbox`",
            "/inbox?refused=false",
        )
