"""Files that only their owner may read."""

import os
from pathlib import Path


def write_private(path: Path, text: bytes) -> None:
    """Put *text* into *path*, mode 600, in one step: nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)  # of a process that died here under the same number
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, text)
        os.fsync(file)
    finally:
        os.close(file)
    fresh.replace(path)
