"""The scenarios of the bench that take several gateways on PostgreSQL, and a minute."""

import pytest

from bench.events import BODY_BYTES
from bench.measure import Run
from bench.scenarios import SCENARIOS
from bench.scenarios.nodes import COUNTS, Nodes
from bench.scenarios.soak import WINDOWS

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]


def test_nodes_on_postgresql_are_measured_beside_sqlite(monkeypatch):
    monkeypatch.setenv("GATEWAY_EVIDENCE", "off")  # of which a batch has so many rows, not an event
    monkeypatch.setattr(Nodes, "wait_for_shares", lambda _nodes: None)  # it takes them seconds
    monkeypatch.setitem(COUNTS, "two", 1)  # and so do starts
    monkeypatch.setitem(COUNTS, "four", 2)
    result = SCENARIOS["nodes"](Run(1, 0.02, lambda _: None))
    assert {figure.name for figure in result.figures} <= result.measured.keys()
    for count in ("one", "two", "four"):
        # An event, its key, and three times a delivery, its end and its attempt; few are claimed again.
        assert result.measured[f"{count}_rows_inserted_per_event"] == pytest.approx(11, abs=0.5)
        assert result.measured[f"{count}_rows_deleted_per_event"] == pytest.approx(3, abs=0.5)
        assert result.measured[f"{count}_wal_bytes_per_event"] > BODY_BYTES
        assert result.measured[f"{count}_database_cpu_ms_per_event"] > 0


def test_a_soak_tells_of_its_windows_and_whether_they_are_alike():
    result = SCENARIOS["soak"](Run(1, 0.02, lambda _: None, minutes=3))
    assert {figure.name for figure in result.figures} <= result.measured.keys()
    assert len(result.rounds) == WINDOWS
    assert result.measured["dead_rows"] > 0
    assert any(each.get("claim_p99_ms", 0) > 0 for each in result.rounds)
