"""Letting go of the room in the file that is free."""

import sqlite3


def give_back(cursor: sqlite3.Cursor, pages: int) -> None:
    """Move up to *pages* of the file's end into free ones, and let go of its end."""
    for _ in range(pages):  # Python's cursors take one step of such a statement: a page's work
        cursor.execute("PRAGMA incremental_vacuum(1)")
