"""Work on a database, told step by step, so that it is written once for every engine.

A function of steps is a generator: it yields what is to be done and is sent the rows that came of it.
It decides; an engine takes the steps in its own way, within one transaction: SQLite in a thread, one call
after the other, PostgreSQL on the event loop. Statements go by name: each engine has its own text for
those in which the two differ, and `store/sql` has the rest.
"""

from collections.abc import Generator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias, TypeVar

from gateway.core.turns import Ready

Row: TypeAlias = tuple[Any, ...]
Result = TypeVar("Result")


class Do(NamedTuple):
    """Run a statement; its rows are the answer."""

    name: str
    given: Sequence[object] | Mapping[str, object] = ()
    """Its parameters, by place or by name. A list is one parameter: SQLite gets it as JSON."""


class Insert(NamedTuple):
    """Run an INSERT for many rows."""

    name: str
    rows: Sequence[Sequence[object]]


class Lock(NamedTuple):
    """Keep others from what these names stand for until the transaction ends.

    What is read afterwards is what they have left. Where one process writes there are no others.
    """

    names: Sequence[str]


class Tell(NamedTuple):
    """Once all is committed, say of these that they may go."""

    ready: Ready


Step: TypeAlias = Do | Insert | Lock | Tell
Steps: TypeAlias = Generator[Step, Sequence[Row], Result]


@cache
def shared_statement(name: str) -> str:
    """The text of a statement that engines share."""
    return (files(__package__) / "sql" / f"{name}.sql").read_text(encoding="utf-8").strip()


@cache
def is_shared(name: str) -> bool:
    """Whether engines share the text of that statement."""
    return (files(__package__) / "sql" / f"{name}.sql").is_file()
