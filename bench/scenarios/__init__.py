"""What is measured: a file for each scenario. docs/speed.md says what each means."""

from collections.abc import Callable

from bench.measure import Result, Run
from bench.scenarios.backlog import backlog
from bench.scenarios.bad_endpoint import bad_endpoint
from bench.scenarios.end_to_end import end_to_end
from bench.scenarios.ingest import ingest
from bench.scenarios.latency import latency
from bench.scenarios.match import match
from bench.scenarios.nodes import nodes
from bench.scenarios.recovery import recovery
from bench.scenarios.soak import soak

SCENARIOS: dict[str, Callable[[Run], Result]] = {
    scenario.__name__: scenario
    for scenario in (
        ingest,
        end_to_end,
        latency,
        bad_endpoint,
        backlog,
        recovery,
        match,
        nodes,
        soak,
    )
}
BY_NAME_ONLY = {"soak"}
"""What takes so long that it has to be asked for."""
