"""A real PostgreSQL for tests: one server for a run, a database of its own for each test."""

import itertools
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from bench.postgres import Server
from gateway.core.postgres_url import PostgresUrl
from gateway.store.postgres import PostgresStore

EMPTY = """
DO $$
DECLARE
    each record;
    filled boolean;
BEGIN
    PERFORM pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid();
    FOR each IN SELECT oid::regclass AS day FROM pg_class
        WHERE relispartition AND relkind = 'r' AND relname NOT LIKE '%_default' LOOP
        EXECUTE format('DROP TABLE %s', each.day);
    END LOOP;
    FOR each IN SELECT quote_ident(tablename) AS name FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'gateway_schema' LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', each.name) INTO filled;
        IF filled THEN
            EXECUTE format('TRUNCATE %s CASCADE', each.name);
        END IF;
    END LOOP;
END $$
"""
"""Leaves a database as it was when it had been migrated; faster than to make another, or to truncate what is empty."""

SETTINGS = {
    "fsync": "off",  # nobody cuts the power here
    "full_page_writes": "off",
    "max_connections": "200",
    "autovacuum_naptime": "1h",
}


class Postgres(Server):
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
        self._copied = copied
        self._count = itertools.count(1)
        self._free: list[str] = []
        """Databases that are migrated and empty."""
        super().__init__({**SETTINGS, **settings}, binaries=binaries, data=data)

    def make(self) -> None:
        """Have its files."""
        if self._copied is None:
            super().make()
        else:
            self._run("pg_basebackup", "-d", self._copied.text, "-D", str(self.data), "--no-sync", "-R",
                      "-c", "fast")  # fmt: skip

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
        for note in (self.data / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            note.unlink()

    def promote(self) -> None:
        """Have a standby take over."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

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
        return super().url(database)

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


def _lives(pid: int) -> bool:
    """Whether a process runs, and not only its name is left."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
