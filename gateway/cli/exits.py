"""Exit codes, as sysexits.h has them where it has one."""

DONE = 0
NO = 1
"""It ran, and the answer is no."""
FIX = 2
"""The user must fix something."""
FAILED = 70
"""It cannot go on, and has to be started again: the disk failed under the database."""
LATER = 75
"""Try again later."""
BAD_CONFIGURATION = 78
"""At start."""
INTERRUPTED = 130
