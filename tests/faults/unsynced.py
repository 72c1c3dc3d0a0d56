"""A gateway that does not sync each commit, as no setting of the real one has it: for a canary.

It stands before the command of the real one, and runs that with one pragma changed.
"""

import sys

from gateway.cli import main
from gateway.store.sqlite import database

FULL = "PRAGMA synchronous = FULL"

if __name__ == "__main__":
    assert FULL in database.SETTINGS
    database.SETTINGS = tuple(
        "PRAGMA synchronous = NORMAL" if setting == FULL else setting
        for setting in database.SETTINGS
    )
    _, _python, _dash_m, name, *arguments = sys.argv
    sys.argv = [name, *arguments]
    main()
