"""The SQLite engine: one process, one file, one writer thread."""

from gateway.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
