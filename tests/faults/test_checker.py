"""The checker finds each broken promise, in notes that were doctored, and none in those that were not."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from hashlib import sha256

import orjson
import pytest

from gateway.core.model import SECOND, delivery_id, event_id
from gateway.store.sqlite.database import connect, migrate
from tests.faults.checker import Evidence, broken
from tests.kit.build import NOW
from tests.kit.sink import Ack, Arrival

MADE = event_id(NOW, 1)
FIRST, SECOND_ONE = delivery_id(MADE, 0), delivery_id(MADE, 1)
BODY = orjson.dumps({"id": "e-1"})
DIGEST = sha256(BODY).hexdigest()
TOOK = NOW + SECOND
"""When the first endpoint took it, at once, and the second one at its second attempt."""


@pytest.fixture
def database(tmp_path):
    """One event at two endpoints: taken by the first, refused once and then taken by the second."""
    path = tmp_path / "gateway.db"
    with closing(connect(path)) as connection:
        migrate(connection)
    change(
        path,
        f"""
        INSERT INTO events (id, source, type, received_at, content_type, body, head, sha256, deliveries)
        VALUES ('{MADE}', 'getty', 't', {NOW}, '', x'{BODY.hex()}', x'', x'', 2);
        INSERT INTO deliveries
            (event_id, n, route, endpoint, state, form, attempts, round_from, due_at, created_at)
        VALUES ('{MADE}', 0, 'all', 'cms', 'delivered', 'event', 1, 0, {NOW}, {NOW}),
               ('{MADE}', 1, 'all', 'pager', 'delivered', 'event', 2, 0, {NOW}, {NOW});
        INSERT INTO attempts (event_id, n, number, started_at, duration, outcome)
        VALUES ('{MADE}', 0, 1, {TOOK}, 1000, 'accepted'),
               ('{MADE}', 1, 1, {TOOK}, 1000, 'refused'),
               ('{MADE}', 1, 2, {TOOK + SECOND}, 1000, 'accepted');
        """,
    )
    return path


def change(database, statements):
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(statements)


@pytest.fixture
def evidence(database):
    return Evidence(
        database=database,
        posted={"e-1": DIGEST},
        acks=[Ack("e-1", DIGEST, NOW, NOW + 1)],
        arrivals=[
            arrival(FIRST, "cms", at=TOOK),
            arrival(SECOND_ONE, "pager", at=TOOK, status=500),
            arrival(SECOND_ONE, "pager", at=TOOK + SECOND),
        ],
        endpoints=frozenset({"cms", "pager"}),
        schedule=(1, 1),
        ended_at=NOW + 60 * SECOND,
    )


def arrival(delivery, endpoint, *, at, status=200, digest=DIGEST, verified=True):
    return Arrival(delivery, endpoint, "e-1", digest, verified, status, at)


def with_arrival(evidence, *more):
    return replace(evidence, arrivals=[*evidence.arrivals, *more])


def test_a_run_that_kept_every_promise_has_none_broken(evidence):
    assert broken(evidence) == []


COPY = """
    INSERT INTO events SELECT 'evt_2', source, key, type, subject, received_at, content_type, body, head,
        data, data_start, data_end, sha256, deliveries, matched, data_key, erased_at, routes FROM events
"""
HURRIED = f"UPDATE attempts SET started_at = {TOOK + SECOND // 2} WHERE number = 2"


def attempts(n, *rows):
    """Statements that record more attempts, by number and start."""
    columns = "event_id, n, number, started_at, duration, outcome"
    return ";".join(
        f"INSERT INTO attempts ({columns}) VALUES ('{MADE}', {n}, {number}, {at}, 0, 'refused')"
        for number, at in rows
    )


@pytest.mark.parametrize(
    ("doctoring", "said"),
    [
        ("DELETE FROM deliveries; DELETE FROM attempts; DELETE FROM events",
         "I1 acknowledged, and not kept: e-1"),
        ("UPDATE events SET body = CAST('{\"id\":\"e-1\"} ' AS BLOB)",
         "I1 acknowledged, and kept with other bytes: e-1"),
        ("DELETE FROM deliveries WHERE n = 1; DELETE FROM attempts WHERE n = 1",
         "I1 acknowledged, without a delivery for each endpoint: e-1"),
        (f"UPDATE deliveries SET state = 'scheduled', due_at = {NOW} WHERE n = 0",
         f"I1 neither delivered, nor dead, nor waiting for an attempt to come: {FIRST}"),
        ("UPDATE deliveries SET state = 'leased' WHERE n = 0",
         f"I1 neither delivered, nor dead, nor waiting for an attempt to come: {FIRST}"),
        ("UPDATE events SET deliveries = 3", "I2 kept by half: e-1"),
        (COPY, "I2 kept twice: e-1"),
        (attempts(7, (1, NOW)), f"I2 without what they belong to: {delivery_id(MADE, 7)}"),
        (attempts(0, (2, TOOK + 9 * SECOND)), f"I3 attempts recorded after a success: {FIRST}"),
        (attempts(0, (-2, NOW - 60 * SECOND), (-1, NOW - 40 * SECOND), (0, NOW - 20 * SECOND)),
         f"I5 more attempts than the schedule has: {FIRST}"),
        (HURRIED, f"I5 attempts closer together than scheduled: {SECOND_ONE}"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_database_is_found(evidence, database, doctoring, said):
    change(database, doctoring)
    assert said in broken(evidence)


def test_what_waits_for_an_endpoint_that_is_closed_is_not_lost(evidence, database):
    change(
        database,
        f"""
        UPDATE deliveries SET state = 'scheduled', due_at = {NOW} WHERE n = 0;
        INSERT INTO endpoints VALUES ('cms', 'disabled', 'http-410', {NOW});
        """,
    )
    assert broken(evidence) == []


def test_an_event_that_nobody_posted_is_found(evidence):
    assert "I2 kept by half: e-1" in broken(replace(evidence, posted={}))


def test_a_page_that_nothing_leads_to_is_found(evidence, database):
    change(
        database,
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'events_by_key'",
    )
    assert any("I2 the database is not sound" in said for said in broken(evidence))


def test_a_delivery_that_was_never_taken_is_found(evidence):
    found = broken(replace(evidence, arrivals=evidence.arrivals[1:]))
    assert found == [f"I1 recorded as delivered, and never taken: {FIRST}"]


def test_an_endpoint_that_notes_nothing_is_not_asked(evidence):
    heard = replace(evidence, arrivals=evidence.arrivals[1:], silent=frozenset({"cms"}))
    assert broken(heard) == []


def test_a_repetition_is_found_unless_an_interruption_lies_between(evidence):
    twice = with_arrival(evidence, arrival(FIRST, "cms", at=TOOK + SECOND // 2))
    assert broken(twice) == [f"I3 taken twice without an interruption between: {FIRST}"]
    killed = (TOOK + SECOND // 4, TOOK + SECOND // 3)
    assert broken(replace(twice, interruptions=[killed])) == []


def test_an_arrival_long_after_its_success_is_found(evidence):
    late = with_arrival(evidence, arrival(FIRST, "cms", at=TOOK + 9 * SECOND, status=500))
    assert broken(late) == [f"I3 arrived after a recorded success: {FIRST}"]


def test_other_bytes_and_wrong_signatures_are_found(evidence):
    first, *rest = evidence.arrivals
    altered = replace(
        evidence, arrivals=[first, rest[0], rest[1]._replace(sha256="", verified=False)]
    )
    assert broken(altered) == [
        f"I4 attempts with different bytes: {SECOND_ONE}",
        f"I4 signatures that do not verify: {SECOND_ONE}",
    ]


def test_a_slow_start_is_found(evidence):
    assert broken(replace(evidence, ready_seconds=[1.0, 9.0])) == [
        "I6 starts that took too long: 9.0 s"
    ]


def test_an_acknowledgement_while_nothing_could_be_committed_is_found(evidence):
    said = broken(replace(evidence, unable=[(NOW - SECOND, NOW + SECOND)]))
    assert said == ["I7 acknowledged while nothing could be committed: e-1"]
    assert broken(replace(evidence, unable=[(NOW - SECOND, NOW)])) == []


def test_memory_beyond_its_bound_is_found(evidence):
    said = broken(replace(evidence, peak_bytes=2_000_000, most_bytes=1_000_000))
    assert said == ["I8 memory grew beyond its bound: 2,000,000 bytes"]
