"""What has to hold whatever dies or stands still, as bench/simulate.py has it."""

from dataclasses import replace

import pytest

from bench.simulate import MARGIN, Database, Plan, Simulation, rows

PLAN = Plan(
    nodes=20,
    lanes=3,
    seconds=20,
    rate=300,
    timeout=5,
    attempt=0.3,
    die=3,
    pause=3,
    pause_seconds=30,
)
LOOKED = 4
"""Seconds within which one of many nodes has looked for leases that have ended; about one on average."""
ASKED = 2
"""Seconds within which somebody has asked, claimed and begun."""


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("entry", [0, 1])
def test_nothing_is_held_twice_and_everything_ends(seed, entry):
    report = Simulation(replace(PLAN, seed=seed, entry=entry)).run()
    assert report.wrong == []
    assert report.ended == report.made > 5000


def test_a_paused_node_that_wakes_late_is_refused():
    report = Simulation(PLAN).run()
    assert report.lost > 0
    # Only what they were at is attempted twice.
    assert 0 < report.doubled <= (PLAN.die + PLAN.pause) * PLAN.lanes * PLAN.width


def test_the_work_of_a_dead_node_is_taken_over_when_its_leases_have_expired():
    report = Simulation(replace(PLAN, rate=1200, seconds=12)).run()
    latest = PLAN.timeout + MARGIN + LOOKED + 2 * PLAN.skew + ASKED
    assert report.takeovers
    assert max(report.takeovers) < latest


def test_of_a_backlog_all_nodes_do_their_part():
    report = Simulation(replace(PLAN, rate=0, backlog=10_000, die=0, pause=0)).run()
    assert report.ended == 10_000
    assert report.attempts[0] > 0.5 * report.attempts[-1]


def test_one_seed_has_one_result():
    plan = replace(PLAN, seconds=5)
    assert rows(plan, Simulation(plan).run()) == rows(plan, Simulation(plan).run())


def test_claims_that_do_not_lock_are_noticed(monkeypatch):
    def look(database, lane, most, now):
        return [delivery for due_at, _, delivery in database._due[lane][:most] if due_at <= now]

    monkeypatch.setattr(Database, "lock", look)
    report = Simulation(replace(PLAN, rate=0, backlog=500, nodes=5, die=0, pause=0, seconds=1))
    report._settled_at = -3590  # it would never end
    assert "what was not scheduled was leased" in report.run().wrong


def test_leases_that_are_taken_too_early_are_noticed(monkeypatch):
    reclaim = Database.reclaim
    lasts = PLAN.timeout + MARGIN
    monkeypatch.setattr(Database, "reclaim", lambda self, now: reclaim(self, now + lasts - 1))
    report = Simulation(replace(PLAN, die=0, pause=0)).run()
    assert {"two leases at once", "two nodes at one delivery"} <= set(report.wrong)
