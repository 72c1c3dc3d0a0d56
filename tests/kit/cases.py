"""Tables of hundreds of cases, each table one test: a test for each case costs many times what the case does."""

from collections.abc import Callable, Iterable
from typing import Any


def check_each(cases: Iterable[tuple[str, Any]], check: Callable[[Any], None]) -> None:
    """Check all of the cases, whose names these are, and fail with the names of those that do not hold."""
    failed: list[tuple[str, AssertionError]] = []
    for name, case in cases:
        try:
            check(case)
        except AssertionError as error:
            failed.append((name, error))
        except Exception as error:
            error.add_note(f"in the case {name}")
            raise
    if failed:
        told = "\n".join(f"{name}: {error}" for name, error in failed[:20])
        raise AssertionError(f"{len(failed)} cases do not hold:\n{told}") from failed[0][1]
