"""The writer: batches of operations, one transaction each, and the checkpoints between them.

Runs in the one writer thread. The statements of operations of one kind take many rows each, because
every statement lets go of Python's global lock and must win it back from the event loop.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from gateway.core.errors import StoreBroken, StoreUnavailable
from gateway.core.evidence_key import EvidenceKey
from gateway.core.turns import Ready
from gateway.store.disk import full, has_room
from gateway.store.evidence import Ledger, told_by
from gateway.store.keeping import Append
from gateway.store.leasing import Claim
from gateway.store.recording import Record
from gateway.store.sqlite.append import append
from gateway.store.sqlite.database import (
    LOOK_AT_THE_DISK,
    Transaction,
    connect,
    migrate,
    statement,
    take,
    translated,
)
from gateway.store.sqlite.lease import claim
from gateway.store.sqlite.record import record
from gateway.store.vault import Vault

HAS_DATA_KEYS = statement("has_data_keys")
READ_DATA_KEYS = statement("read_data_keys")
KEEP_DATA_KEY = statement("keep_data_key")

CHECKPOINT_BYTES = 4 * 1024 * 1024
"""About a thousand pages."""
BYTES_PER_ROW = 1024
"""What a small row costs the log: itself and its share of the pages and indexes it touches."""


@dataclass(slots=True)
class Change:
    """An operation too rare to be done many at once."""

    apply: Callable[[Transaction], Any]
    writes_bytes: int = 0
    """What it writes into the log beside rows."""


Operation: TypeAlias = Record | Change | Append | Claim


def _change(cursor: Transaction, changes: Sequence[Change], _vault: Vault) -> list[Any]:
    return [change.apply(cursor) for change in changes]


def _bytes_beside_rows(operation: Operation) -> int:
    if type(operation) is Append:
        return sum(len(arrival.event.body) for arrival in operation.arrivals)
    return operation.writes_bytes if type(operation) is Change else 0


KINDS: tuple[tuple[type, Callable[[Transaction, Sequence[Any], Vault], list[Any]]], ...] = (
    (Record, record),
    (Change, _change),
    (Append, append),
    (Claim, claim),
)
"""The order within a batch: claims come last and see all the rest."""


def open_vault(connection: sqlite3.Connection, vault: Vault) -> None:
    """Bring the schema up to date and the data keys into *vault*, with a fresh one to seal with.

    Raises ConfigError where they do not open; then nothing has been written.
    """
    with translated("cannot read the data keys"):
        (present,) = connection.execute(HAS_DATA_KEYS).fetchone()
        wrapped = connection.execute(READ_DATA_KEYS).fetchall() if present else []
    anew = vault.unlock(wrapped)
    migrate(connection)
    if vault.has_keys:
        following = max((number for number, _ in wrapped), default=0) + 1
        with translated("cannot keep the data keys"), connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(KEEP_DATA_KEY, [*anew, vault.begin(following)])


class Writer:
    """The connection that writes; used by one thread at a time.

    It tells *on_ready*, in that thread, what may go after each commit that had to wait.
    """

    def __init__(
        self,
        path: Path,
        vault: Vault,
        on_ready: Callable[[Ready], None],
        key: EvidenceKey | None = None,
    ) -> None:
        """Evidence is written where there is a *key* to sign it."""
        self._on_ready = on_ready
        self._ledger = None if key is None else Ledger(key, vault)
        self._path = path
        self._connection = connect(path)
        self._vault = vault
        self._broken: StoreBroken | None = None
        """Why nothing more is done to the database."""
        try:
            open_vault(self._connection, vault)
        except BaseException:
            self._connection.close()
            raise
        self._changes = self._connection.total_changes
        self._written_bytes = 0
        self._to_be_emptied = False
        self.log_emptied = False
        """Whether the log was empty when that was last asked for."""

    def commit(self, operations: Sequence[Operation]) -> list[Any]:
        """Do all operations in one transaction; one result each, an exception where one failed.

        When SQLite cannot commit, all of them failed. When one operation cannot be done, the others
        are done without it.
        """
        if self._broken is not None:
            return [self._broken] * len(operations)
        try:
            with translated("cannot commit"):
                results = self._transact(operations)
        except StoreUnavailable as error:
            return [self._given_up(error)] * len(operations)
        except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
            self._roll_back()
            if len(operations) == 1:
                return [error]
            return [result for operation in operations for result in self.commit([operation])]
        except BaseException:
            self._roll_back()
            raise
        self._checkpoint()
        return results

    def empty_log(self) -> None:
        """Have the log emptied after the present batch, unless a reader stands in the way."""
        self._to_be_emptied = True

    def close(self) -> None:
        """Put everything into the database file itself, and close it; a broken one is left as it is."""
        try:
            if self._broken is None:
                self._fold()
        finally:
            self._connection.close()

    def _fold(self) -> None:
        try:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:  # what is in the log stays there, and is read at the next start
            logging.getLogger(__name__).debug("no checkpoint at the end", exc_info=True)

    def _transact(self, operations: Sequence[Operation]) -> list[Any]:
        results: list[Any] = [None] * len(operations)
        self._written_bytes += sum(map(_bytes_beside_rows, operations))
        cursor = self._connection.cursor(Transaction)
        cursor.execute("BEGIN IMMEDIATE")
        for kind, do in KINDS:
            chosen = [i for i, operation in enumerate(operations) if type(operation) is kind]
            if chosen:
                outcomes = do(cursor, [operations[i] for i in chosen], self._vault)
                for i, outcome in zip(chosen, outcomes, strict=True):
                    results[i] = outcome
        if self._ledger is not None:
            take(cursor, self._ledger.note(told_by(operations, results)))
        cursor.execute("COMMIT")
        if self._ledger is not None:
            self._ledger.committed()
        if cursor.ready:
            self._on_ready(cursor.ready)
        return results

    def _empty_log(self) -> None:
        self._to_be_emptied = False
        busy = 1
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA busy_timeout = 0")  # others wait for this thread
            (busy, *_) = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._connection.execute("PRAGMA busy_timeout = 5000")
        self.log_emptied = busy == 0

    def _given_up(self, error: StoreUnavailable) -> StoreUnavailable:
        """Leave a batch that could not be committed; what there is to say of it."""
        if isinstance(error, StoreBroken):
            self._broken = error
        else:
            self._roll_back()
        # Where a quota is used up, SQLite says only that a write was refused.
        if type(error) is StoreUnavailable and not has_room(self._path):
            error = full(self._path)
        return self._broken or error

    def _roll_back(self) -> None:
        if self._ledger is not None:
            self._ledger.dropped()
        if not self._connection.in_transaction:
            return
        try:
            self._connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            self._broken = StoreBroken(
                f"a transaction can neither be committed nor rolled back: {error}",
                cure=LOOK_AT_THE_DISK,
            )

    def _checkpoint(self) -> None:
        """Copy the log back into the database file, once enough has been written to it.

        A passive checkpoint waits for no reader. That this connection alone makes them, and never
        while it writes, also keeps clear of the WAL-reset fault of SQLite before 3.51.3.
        """
        changes = self._connection.total_changes
        self._written_bytes += (changes - self._changes) * BYTES_PER_ROW
        self._changes = changes
        if self._to_be_emptied:
            self._empty_log()
        if self._written_bytes < CHECKPOINT_BYTES:
            return
        self._written_bytes = 0
        try:
            with translated("cannot copy the log into the database"):
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except StoreBroken as error:  # what was committed before is in the log, and synced
            self._broken = error
        except StoreUnavailable:  # the log grows until one succeeds; nothing is lost
            logging.getLogger(__name__).debug("no checkpoint", exc_info=True)
