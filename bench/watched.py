"""A gateway that notes how long its claims take: `python -m bench.watched FILE serve …`.

A line for each claim: when it had its answer, in seconds since the epoch, and the seconds from the question.
"""

import sys
import time
from pathlib import Path
from typing import Any, TextIO

import asyncpg

from gateway.cli import main
from gateway.store.postgres.lease import CLAIM_DUE


def watch(file: TextIO) -> None:
    """Have every connection that is made from now on noted there."""
    connect = asyncpg.connect

    def note(query: Any) -> None:
        if query.query == CLAIM_DUE.sql:
            file.write(f"{time.time()} {query.elapsed}\n")

    async def watched(*arguments: Any, **options: Any) -> Any:
        connection = await connect(*arguments, **options)
        connection.add_query_logger(note)
        return connection

    asyncpg.connect = watched


if __name__ == "__main__":
    with Path(sys.argv.pop(1)).open("w", buffering=1) as file:
        watch(file)
        main()
