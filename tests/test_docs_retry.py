"""docs/routes.md says of `retry` and `success` what they do: its tables are true, and no key is missing."""

from pathlib import Path

import pytest

from gateway.config.retry_shapes import RetryShape
from gateway.config.settings import Settings
from gateway.core.model import (
    SECOND,
    Accepted,
    Micros,
    Outcome,
    Raised,
    Refused,
    Response,
    Unreachable,
)
from gateway.core.retry import NO_ANSWER, NOT_SUCCESSFUL, REASONS, Finish, Park, RetryAt, decide
from gateway.core.routes import EndpointConfig
from gateway.core.success import FIELDS, judged
from gateway.loading import check
from tests.test_docs import reasons
from tests.test_docs_examples import code, flow, rows_below
from tests.test_docs_verification import first_column, keys, named, table_after

NOW = 1_795_000_000 * SECOND
DELAYS = rows_below("`retry`", "Delays", "Then")
ITEMS = rows_below("Item", "Has", "Has not")
JUDGED = rows_below("`success`", "Status", "Body", "Outcome")


def endpoint(tmp_path: Path, key: str, value: str) -> EndpointConfig:
    """An endpoint with one key more."""
    file = tmp_path / "routes.yaml"
    line = f"    {key}: {value}\n" if value else ""
    file.write_text(
        f"version: 1\nendpoints:\n  cms:\n    url: https://a.example/\n    sign: none\n{line}"
    )
    checked = check(Settings(routes=file, database=tmp_path / "x.db"), {}, keep=False)
    assert {problem.code for problem in checked.problems} <= {"endpoint-unused"}
    assert checked.routes is not None
    return checked.routes.endpoints["cms"]


def delays(endpoint: EndpointConfig) -> list[Micros]:
    """The delays between attempts that fail at once, until there is no other."""
    now, found = NOW, []
    while True:
        decision = decide(
            Refused(Response(status=503)),
            attempt=len(found) + 1,
            policy=endpoint.retry,
            since=NOW,
            now=now,
            jitter=0,
        )
        if not isinstance(decision, RetryAt):
            return found
        found.append(decision.due_at - now)
        now = decision.due_at


@pytest.mark.parametrize(("written", "told"), [row[:2] for row in DELAYS])
def test_the_table_of_delays_is_true(written, told, tmp_path):
    value = "" if written == "not there" else code(written)
    meant = RetryShape.model_validate({"schedule": flow(code(told))}).schedule
    assert delays(endpoint(tmp_path, "retry", value)) == meant


def failure(word: str) -> Outcome:
    """A failure with that status, or for that reason."""
    if word.isdigit():
        return Refused(Response(status=int(word)))
    if word == NOT_SUCCESSFUL:
        return Refused(Response(status=200), f"{word}: why")
    if word in NO_ANSWER:
        return Unreachable(f"{word}: why", "")
    return Raised(f"{word}: why", "")


@pytest.mark.parametrize(
    ("item", "word", "has"),
    [
        (code(row[0]), word, has)
        for row in ITEMS
        for has, cell in ((True, row[1]), (False, row[2]))
        for word in named(cell)
    ],
)
def test_the_table_of_items_is_true(item, word, has, tmp_path):
    (tmp_path / "never").mkdir()
    only = endpoint(tmp_path, "retry", f"{{on: [{item}]}}").retry
    all_but = endpoint(tmp_path / "never", "retry", f"{{never: [{item}]}}").retry
    assert only.forgives(failure(word)) is has
    assert all_but.forgives(failure(word)) is not has


@pytest.mark.parametrize("row", JUDGED, ids=lambda row: f"{code(row[0])} {code(row[1])}")
def test_the_table_of_successes_is_true(row, tmp_path):
    written, status, body, told = map(code, row)
    cms = endpoint(tmp_path, "success", written)
    response = Response(
        status=int(status), headers={"content-type": "text/plain"}, body=body.encode()
    )
    outcome = Accepted(response) if response.ok else Refused(response)
    decision = decide(
        judged(outcome, cms.success, posted=True),
        attempt=1,
        policy=cms.retry,
        since=NOW,
        now=NOW,
        jitter=0,
    )
    match decision:
        case Finish():
            assert told == "delivered"
        case Park(state, _):
            assert told == state
        case _:
            assert decision.reason == told


def test_every_key_of_a_retry_is_there():
    assert set(first_column(table_after("### retry"))) == keys(RetryShape)


def test_every_field_of_an_answer_is_there():
    told = first_column(table_after("### success"))
    assert told == [f"response.{field}" for field in FIELDS]


def test_every_reason_of_a_failure_that_is_attempted_again_can_be_named():
    """The others end a delivery, or stop its endpoint, whatever its policy says."""
    others = {"http-NNN", "egress-denied", "request-invalid", "body-corrupt"}
    others |= {"expired", "after-not-delivered", "superseded by …"}
    assert reasons() - others == REASONS - {"unreachable"}
