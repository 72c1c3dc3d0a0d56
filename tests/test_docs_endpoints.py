"""What docs/routes.md says of rates and breakers is what they do."""

import re

import pytest

from gateway.config.endpoint_shapes import BreakerShape, EndpointShape
from gateway.core.breaker import BreakerPolicy, failure_of
from gateway.core.errors import RetryLater, Skip, Undeliverable
from gateway.core.model import Accepted, Hopeless, Postponed, Raised, Refused, Response, Skipped
from gateway.core.model import Unreachable as NoAnswer
from gateway.core.retry import REQUEST_INVALID
from gateway.flows.lanes import LONGEST_HOLD
from tests.test_docs import ROOT, tables

ROUTES = ROOT / "docs/routes.md"
COUNTS = {
    "no answer": [NoAnswer("timeout", "20 s"), NoAnswer("connection-refused", "nobody there")],
    "5xx, 429": [Refused(Response(status=status)) for status in (500, 503, 599, 429)],
    "any other answer": [
        Accepted(Response(status=200)), *(Refused(Response(status=s)) for s in (302, 404, 410)),
    ],
    "`Skip`": [
        Skipped("x"), Postponed("x", None), Hopeless("x"), Raised("x", "x"), NoAnswer(REQUEST_INVALID, "x"),
    ],
}  # fmt: skip
MEANT = {"a failure": bool, "a success": lambda found: found == "",
         "nothing": lambda found: found is None}  # fmt: skip


def rows_with(key: str) -> list[list[str]]:
    """The rows of the table that has that in its first column."""
    (found,) = (rows for _, rows in tables(ROUTES) if any(row[0] == f"`{key}`" for row in rows))
    return found


def as_value(shown: str) -> object:
    """A default in the table, as the file would have it."""
    return int(shown) if shown.isdigit() else shown


def test_each_key_of_a_breaker_is_documented_with_its_default():
    told = {row[0].strip("`"): as_value(row[1].strip("`")) for row in rows_with("delay")}
    assert set(told) == set(BreakerShape.model_fields)
    assert BreakerShape.model_validate(told) == BreakerShape()


def test_the_defaults_of_the_file_are_those_of_the_breaker():
    assert BreakerPolicy(**BreakerShape().model_dump()) == BreakerPolicy()


def test_rate_and_breaker_are_documented_among_an_endpoints_keys():
    told = {row[0].strip("`") for row in rows_with("concurrency")}
    assert {"rate", "breaker"} <= told & set(EndpointShape.model_fields)


@pytest.mark.parametrize("ending", list(COUNTS))
def test_what_counts_as_a_failure_is_what_the_table_says(ending):
    (rows,) = (rows for head, rows in tables(ROUTES) if head[0] == "An attempt that ends with")
    (counts_as,) = (row[1] for row in rows if row[0].startswith(ending))
    assert [
        failure_of(each) for each in COUNTS[ending] if not MEANT[counts_as](failure_of(each))
    ] == []
    assert len(rows) == len(COUNTS)


def test_what_a_handler_may_raise_is_named_in_the_table():
    text = ROUTES.read_text()
    assert all(f"`{kind.__name__}`" in text for kind in (Skip, RetryLater, Undeliverable))


def test_the_longest_hold_is_the_hour_that_is_told():
    text = re.sub(r"\s+", " ", ROUTES.read_text())
    assert "no attempt at it begins until then, for at most an hour." in text
    assert LONGEST_HOLD == 3600 * 1_000_000
