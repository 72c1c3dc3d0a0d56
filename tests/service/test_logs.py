"""Log lines."""

import logging

import pytest

from gateway.core.model import Failure, Receipt
from gateway.core.redaction import Redaction
from gateway.core.retry import Finish, GiveUp, Park, RetryAt
from gateway.logs import LEVELS, LogListener
from gateway.testing import ManualClock
from tests.kit.build import NOW, a_delivery, an_arrival, an_event
from tests.store.test_contract import an_attempt


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_line_has_a_secret_nor_a_local_variable_nor_a_query(log_to, form):
    redaction = Redaction()
    redaction.know(["kn0wn-secret"])
    stream = log_to(form, redaction.redact_line)
    local, told = "n0t-known", "kn0wn-secret https://x.example/?q=s0mebody"

    def fail(local_too: str) -> None:
        raise ValueError(told)

    try:
        fail(local)
    except ValueError:
        logging.getLogger("x").exception("it", extra={"told": [told]})
    logged = stream.getvalue()
    assert "ValueError: <secret> https://x.example/?<secret>" in logged
    for text in ("kn0wn-secret", local, "s0mebody"):
        assert text not in logged


@pytest.fixture
def listener():
    return LogListener(ManualClock(NOW).monotonic)


@pytest.mark.parametrize(
    ("decision", "level", "word"),
    [
        (Finish(), "debug", "delivered"),
        (RetryAt(NOW, "http-500"), "info", "again"),
        (GiveUp("http-500"), "warning", "gateway dead"),
        (Park("disabled", "http-410"), "warning", "waits"),
    ],
)
def test_an_attempt_is_one_line_whose_level_says_how_bad(logged, listener, decision, level, word):
    delivery = a_delivery()
    listener(
        "attempt.recorded", {"delivery": delivery, "attempt": an_attempt(), "decision": decision}
    )
    (line,) = logged()
    assert (line["level"], line["delivery"], line["endpoint"]) == (level, delivery.id, "cms")
    assert word in line["event"]


def test_refusals_are_capped_per_source_but_for_who_debugs(logged, listener):
    for _ in range(100):
        listener(
            "event.refused", {"source": "getty", "code": "verification-failed", "outcome": "x"}
        )
    listener("event.refused", {"source": "dam", "code": "verification-failed", "outcome": "x"})
    lines = logged()
    warned = [line["source"] for line in lines if line["level"] == "warning"]
    assert (warned, len(lines)) == (["getty"] * 5 + ["dam"], 101)


def test_at_debug_an_event_is_a_line_without_what_it_says(logged, listener):
    arrival = an_arrival(an_event(subject="customer/4711"))
    name = arrival.event.event_id
    receipts = [Receipt(name, duplicate=False), Receipt(name, duplicate=True)]
    listener("events.kept", {"arrivals": [arrival] * 2, "receipts": receipts})
    kept, again = logged()
    assert (kept["level"], kept["event_id"], kept["source"]) == ("debug", name, "getty")
    assert (kept["deliveries"], again["deliveries"]) == (len(arrival.deliveries), 0)
    assert "there already" in again["event"]
    assert "4711" not in str(kept) + str(again)


def test_control_characters_cannot_forge_a_line(logged, listener):
    listener("store.unavailable", {"error": 'x\n{"event": "forged"}\x1b[2J'})
    (line,) = logged()
    assert line["error"].startswith("x\n")


def test_what_libraries_log_has_the_same_form(logged):
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        logging.getLogger("aiohttp").exception("broken")
    (line,) = logged()
    assert (line["event"], line["level"]) == ("broken", "error")
    assert "ZeroDivisionError" in line["exception"]


def test_what_is_not_for_the_log_is_not_logged(logged, listener):
    listener("events.kept", {"source": "getty", "arrivals": [], "receipts": []})
    assert logged() == []


@pytest.mark.parametrize("name", LEVELS)
def test_every_report_that_is_logged_reads_as_a_sentence(logged, listener, name):
    listener(name, {})
    assert len(logged()[0]["event"]) > 5


def test_an_expression_that_fails_is_logged_with_its_route_but_not_without_end(logged, listener):
    failure = Failure("a-route", "expression-failed", "route a-route, when: no x", to_inbox=True)
    arrivals = [an_arrival(failures=[failure]) for _ in range(20)]
    receipts = [Receipt(a.event.event_id, duplicate=False) for a in arrivals]
    listener("events.kept", {"arrivals": arrivals, "receipts": receipts})
    lines = [
        line for line in logged() if line["event"].startswith("an expression of a route failed")
    ]
    lines = [line for line in lines if line["level"] == "warning"]
    assert 0 < len(lines) <= 5
    assert (lines[0]["route"], lines[0]["detail"]) == ("a-route", "route a-route, when: no x")


def test_what_failed_for_a_duplicate_is_not_told_again(logged, listener):
    failure = Failure("a-route", "expression-failed", "route a-route, when: no x", to_inbox=True)
    arrival = an_arrival(failures=[failure])
    receipt = Receipt(arrival.event.event_id, duplicate=True)
    listener("events.kept", {"arrivals": [arrival], "receipts": [receipt]})
    assert [line["level"] for line in logged()] == ["debug"]
