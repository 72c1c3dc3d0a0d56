"""The bench's own arithmetic, and that it runs."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bench import compare, pages, results
from bench.compare import Change, changes
from bench.events import Signed, event, number_of, signed_requests
from bench.fill import fill
from bench.http import BROKEN, OK, Messages, Receiver
from bench.load import ClosedLoop, OpenLoop, Schedule, percentile
from bench.measure import Figure, Result, Run, medians
from bench.scenarios import SCENARIOS
from bench.scenarios.soak import Look, growths
from gateway.clock import SystemClock
from gateway.core.model import Lease
from gateway.core.retry import HOUR
from gateway.store.sqlite import SqliteStore
from gateway.web.dashboard import app
from gateway.web.paths import PATHS

ROOT = Path(__file__).parents[1]


def a_result(*ratios: float, scenario: str = "ingest", **once: float) -> Result:
    return Result(scenario, (), [{"ratio": ratio} for ratio in ratios], once)


# -- what rounds make of figures -----------------------------------------------------------------------


def test_a_result_reports_the_median_of_its_rounds():
    assert a_result(0.5, 0.9, 0.6, memory=80).measured == {"ratio": 0.6, "memory": 80}


def test_baseline_and_gateway_take_turns_at_going_first():
    order: list[str] = []
    run = Run(3, 1, lambda _: None)
    pairs = list(
        run.pairs(
            lambda: order.append("bare") or {"who": "bare"},
            lambda: order.append("gateway") or {"who": "gateway"},
        )
    )
    assert order == ["bare", "gateway", "gateway", "bare", "bare", "gateway"]
    assert pairs == [({"who": "bare"}, {"who": "gateway"})] * 3


def test_a_goal_is_met_at_its_bound_and_not_beyond():
    assert Figure(label="", name="", at_least=0.6).met(0.6)
    assert not Figure(label="", name="", at_least=0.6).met(0.59)
    assert Figure(label="", name="", at_most=2).met(2)
    assert not Figure(label="", name="", at_most=2).met(2.1)
    assert Figure(label="", name="").goal == ""


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        (range(1, 101), 50, 50),
        (range(1, 101), 99, 99),
        (range(1, 1001), 99, 990),
        (range(1, 11), 99, 10),
        ([7], 50, 7),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(values, percent, expected):
    assert percentile(list(values), percent) == expected


# -- two runs side by side -----------------------------------------------------------------------------


def test_a_change_counts_where_it_exceeds_what_the_rounds_differ():
    (within,) = changes([a_result(0.50, 0.52, 0.60)], [a_result(0.58, 0.59, 0.60)])
    (beyond,) = changes([a_result(0.50, 0.52, 0.54)], [a_result(0.58, 0.59, 0.60)])
    assert within.spread == pytest.approx(0.1)
    assert (within.exceeds_spread, beyond.exceeds_spread) == (False, True)
    assert beyond.share == pytest.approx(0.07 / 0.52)


def test_nobody_knows_of_what_was_measured_once():
    found = {
        each.name: each for each in changes([a_result(1, memory=80)], [a_result(2, memory=90)])
    }
    assert found["memory"].exceeds_spread is None
    assert found["ratio"].exceeds_spread is None
    (against_several,) = changes([a_result(1)], [a_result(2, 2.1, 2.2)])
    assert against_several.exceeds_spread is None
    assert Change("s", "n", 0, 1, None).share is None


def test_only_what_both_runs_have_is_compared():
    old = [a_result(1, gone=1), a_result(1, scenario="match")]
    new = [a_result(1, come=1), a_result(1, scenario="latency")]
    assert [(each.scenario, each.name) for each in changes(old, new)] == [("ingest", "ratio")]


def test_a_kept_run_is_read_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    ours = a_result(0.5, 0.6, memory=80)
    path = results.save([ours], name="before", rounds=2, quick=False)
    kept = results.load("before")
    assert kept == results.load(str(path))
    assert kept.results == [ours]
    assert kept.commit
    assert kept.machine == results.machine()


def test_whoever_compares_what_cannot_be_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    results.save([a_result(1)], name="old", rounds=1, quick=True)
    monkeypatch.setattr(results, "machine", lambda: {"cpu": "another"})
    results.save([a_result(2)], name="new", rounds=1, quick=False)
    compare.main(["old", "new"])
    told = capsys.readouterr().out
    assert "the old one was a smoke run" in told
    assert "they had another cpu" in told
    assert re.search(r"\+100\.0% +cannot tell", told)
    with pytest.raises(SystemExit):
        compare.main(["old", "absent"])


def test_git_ignores_runs_that_nobody_named(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    unnamed = results.save([], name=None, rounds=1, quick=True)
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert f"/bench/results/{results.UNNAMED}*" in ignored
    assert unnamed.name.startswith(results.UNNAMED)


# -- load and receiver ---------------------------------------------------------------------------------


def test_a_schedule_is_even_and_begins_at_its_beginning():
    schedule = Schedule(100, begin=5.0)
    assert schedule.at(0) == 5.0
    assert schedule.at(250) == 7.5
    assert [schedule.due(now) for now in (4.999, 5.0, 5.005, 5.015, 6.0)] == [0, 1, 1, 2, 101]


def test_events_are_told_apart_and_equally_long():
    first, second = event(1), event(2_000_000_000)
    assert first != second
    assert len(first) == len(second)
    assert json.loads(second)["id"] == "lic-2000000000"
    assert number_of(b"POST / HTTP/1.1\r\nce-id: lic-0000000042\r\n\r\n") == 42


async def test_a_closed_loop_keeps_to_its_window():
    finished = 0
    load = ClosedLoop(signed_requests(20, 0, b"key", "/"), window=2)

    def finish(_message: bytes) -> None:
        nonlocal finished
        assert load.sent - finished <= 2
        finished += 1
        load.finish(1)

    async with serving(lambda: Receiver(lambda _path: OK, finish)) as port:
        await load.run([port], connections=8)
    assert load.statuses == {"200": 20}
    assert finished == 20


class Slow(Messages):
    """An endpoint that takes a tenth of a second for its first request."""

    waited = False

    def message(self, _message: bytes) -> None:
        if Slow.waited:
            self.transport.write(OK)
        else:
            Slow.waited = True
            asyncio.get_running_loop().call_later(0.1, self.transport.write, OK)


async def test_the_time_of_what_an_open_loop_could_not_send_runs_on():
    load = OpenLoop(signed_requests(4, 0, b"key", "/"), per_second=1_000)
    async with serving(Slow) as port:
        await load.run([port], connections=1)
    assert load.statuses == {"200": 4}
    assert min(load.latencies) > 0.09  # each of them, though but one was sent in that time
    assert load.lateness[0] < 0.09 < min(load.lateness[1:])


@asynccontextmanager
async def serving(protocol: Callable[[], asyncio.Protocol]) -> AsyncIterator[int]:
    """A server of that protocol; its port."""
    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


# -- the gateway ---------------------------------------------------------------------------------------


async def test_a_filled_database_holds_what_a_gateway_can_deliver(tmp_path):
    fill(tmp_path / "data" / "gateway.db", 30, ["cms", "workflow"], lambda _: None)
    store = await SqliteStore.open(tmp_path / "data" / "gateway.db")
    now = SystemClock().now()
    assert set(await store.next_due()) == {"cms", "workflow"}
    leases = [Lease(token, now + HOUR) for token in range(1, 51)]
    claimed = await store.claim("cms", leases, now)
    assert len({each.event.id for each in claimed}) == 30
    assert json.loads(claimed[0].content()[1])["data"]["days_left"] == 14
    await store.close()


def test_a_scenario_runs():
    told: list[str] = []
    result = SCENARIOS["recovery"](Run(1, 0.002, told.append))
    assert told[-1] == "1 of 1"
    assert {figure.name for figure in result.figures} <= result.measured.keys()
    assert result.measured["peer_share"] > 0


@pytest.mark.faults
@pytest.mark.timeout(120)
def test_pages_are_timed_on_a_database_with_everything_that_they_show(capsys):
    pages.main(["--events", "300", "--times", "2", "--json"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {each["page"] for each in told} == {*pages.PAGES, *(f"POST {p}" for p in pages.POSTED)}
    for each in told:
        assert [len(each["large"]), len(each["small"])] == [2, 2]


def test_no_page_and_no_listing_is_left_out_when_they_are_timed():
    asked = {page.partition("?")[0] for page in pages.PAGES}
    got = {each.path for each in PATHS if each.method == "GET"}
    got |= {path for _, method, path, _ in app.PAGES if method == "GET"}
    for path in got - {"/api/v1/live"}:  # which does not end
        assert any(re.fullmatch(re.sub(r"{\w+}", "[^/]+", path), each) for each in asked), path


def test_a_page_that_takes_too_long_is_told_by_its_median(capsys):
    slow = pages.Taken("/slow", large=[1, 400, 500], small=[4, 4, 4])
    assert (slow.median, slow.ratio) == (400, 100)
    pages.show([pages.Taken("/fast", large=[1], small=[1]), slow], 300)
    assert re.search(r"/slow +1\.0 +400\.0 +500\.0 +100\.0\n/fast", capsys.readouterr().out)


def test_a_third_that_takes_longer_than_the_first_is_not_flat():
    look = Look(dead=10, vacuums=0, table_bytes=100, index_bytes=50, wal_bytes=0)
    later = replace(look, dead=30, table_bytes=160)
    found = growths([[look]] * 10 + [[later]] * 5, [[1.0, 2.0]] * 10 + [[1.0, 4.0]] * 5)
    assert found == {
        "claim_p50_growth": 1,
        "claim_p99_growth": 2,
        "dead_growth": 3,
        "size_growth": 1.4,
    }


async def test_a_refusal_ends_a_load_that_would_wait_for_it_for_ever():
    load = ClosedLoop(signed_requests(20, 0, b"key", "/"), window=1)
    async with serving(lambda: Receiver(lambda _path: BROKEN, lambda _message: None)) as port:
        await load.run([port], connections=1)
    assert load.refused
    assert load.statuses == {"500": 1}


def test_what_is_signed_late_is_signed_with_the_time_of_then():
    requests = Signed(3, 7, b"key", "/")
    assert [b"webhook-id: msg_%d\r\n" % n in request for n, request in zip((7, 8, 9), requests, strict=True)] == [True] * 3  # fmt: skip
    assert len(requests) == 3


def test_what_is_not_in_every_round_counts_where_it_is():
    assert medians([{"a": 1}, {"a": 3, "b": 5}]) == {"a": 2, "b": 5}


def test_every_scenario_is_documented():
    page = (ROOT / "docs/speed.md").read_text()
    assert set(re.findall(r"^## `(\w+)`", page, re.MULTILINE)) == SCENARIOS.keys()
