"""The PostgreSQL engine: any number of nodes, one database, no leader."""

from gateway.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
