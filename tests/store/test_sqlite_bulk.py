"""By which indexes SQLite finds what is sent again in bulk."""

import pytest

from gateway.store import bulk
from gateway.store.sqlite.database import statement
from tests.store.test_bulk import LATER, some_events


@pytest.fixture
def store(sqlite_store):
    return sqlite_store


def plan_of(store, sql: str, parameters: tuple) -> list[str]:
    rows = store._writer._connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters).fetchall()
    return [row[3] for row in rows]


FROM_WHERE_IT_STOPPED = {
    False: "deliveries_ended (state=? AND (endpoint,event_id,n)>(?,?,?) AND (endpoint,event_id,n)<(?,?,?))",
    True: "deliveries_ended (state=? AND endpoint=? AND (event_id,n)>(?,?) AND (event_id,n)<(?,?))",
}
"""Whether an endpoint is named."""


@pytest.mark.parametrize(
    "query",
    [
        {}, {"endpoint": "cms"}, {"endpoint": "cms", "reason": "x"}, {"reason": "x"},
        {"endpoint": "cms", "route": "r", "type": "t", "since": 1, "until": 2},
    ],
)  # fmt: skip
def test_what_ended_is_found_where_the_last_page_stopped(store, query):
    query = {"state": "dead", **query}
    bounds = (["cms", "evt_1", 0], ["cms", "evt_2", 0])
    where, parameters = bulk.ended_where(query, *bounds)
    page = statement("page_of_ended").format(where=where, order=bulk._order(query))
    plan = plan_of(store, page, (*parameters, 500))
    assert plan[0].endswith(FROM_WHERE_IT_STOPPED["endpoint" in query])
    assert not any("TEMP B-TREE" in step for step in plan)
    groups = plan_of(store, statement("group_ended").format(where=where), (*parameters, 5))
    assert any(step.endswith(FROM_WHERE_IT_STOPPED["endpoint" in query]) for step in groups)


@pytest.mark.parametrize("query", [{}, {"endpoint": "cms"}])
def test_the_end_of_a_page_is_found_in_the_index_alone(store, query):
    query = {"state": "dead", **query}
    where, parameters = bulk.ended_where(query, ["cms", "evt_1", 0], None)
    sql = statement("window_of_ended").format(where=where, order=bulk._order(query))
    (step,) = plan_of(store, sql, (*parameters, 5000))
    assert "COVERING INDEX deliveries_ended" in step


@pytest.mark.parametrize(
    ("query", "used"),
    [
        ({"type": "t"}, "sqlite_autoindex_events_1 (id>? AND id<?)"),
        ({"unmatched": True, "subject": "s"}, "events_unmatched (id>? AND id<?)"),
    ],
)
def test_a_page_of_events_is_found_where_the_last_one_stopped(store, query, used):
    query = {"until": LATER, **query}
    looked_at = statement("window_of_events").format(where=bulk.window_where(query, "evt_0")[0])
    where, parameters = bulk.events_where(query, "evt_0", "evt_1")
    for sql, given in (
        (looked_at, ("evt_0", "evt_1", 5000)),
        (statement("page_of_events").format(where=where), (*parameters, 100)),
        (statement("count_events").format(where=where), parameters),
    ):
        assert any(step.endswith(used) for step in plan_of(store, sql, given)), sql


async def test_a_long_search_keeps_neither_commits_nor_other_readers_waiting(store):
    await some_events(store, 1)
    assert store.bulk._reader is not store._reader
    store._writer._connection.execute("BEGIN IMMEDIATE")
    try:
        assert len((await store.bulk.events({"until": LATER}, None, 5)).items) == 1
    finally:
        store._writer._connection.execute("ROLLBACK")
