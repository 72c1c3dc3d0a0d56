"""Moving all that a SQLite file holds into PostgreSQL."""
