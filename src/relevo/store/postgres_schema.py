"""PostgreSQL's schema: migrations in order, by one process at a time, in one transaction."""

from typing import Any, Final

import psycopg

from relevo.store.base import StoreError
from relevo.store.queries import migrations

_WAIT: Final = b"""
SELECT set_config('lock_timeout', '60s', true), set_config('statement_timeout', '0', true);
SELECT pg_advisory_xact_lock(7365766516);
CREATE TABLE IF NOT EXISTS schema_version (
    version bigint PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now()
)
"""
"""Of the transaction and not of the session, so that it works through a pooler as well."""

Connection = psycopg.AsyncConnection[Any]


async def migrate(connection: Connection, name: str) -> None:
    """Bring the schema up to date. Raises: StoreError: it is newer than this version."""
    known = migrations("postgres")
    async with connection.transaction():
        await connection.execute(_WAIT, prepare=False)
        version = await _version(connection)
        if version > len(known):
            raise StoreError(f"{name}: made by a newer relevo (schema {version}): update relevo")
        for number, script in known[version:]:
            await connection.execute(script.encode(), prepare=False)
            await connection.execute(b"INSERT INTO schema_version (version) VALUES (%s)", (number,))


async def check_schema(connection: Connection, name: str) -> None:
    """Raises: StoreError: there is no schema, or another one than this version reads."""
    try:
        version = await _version(connection)
    except psycopg.errors.UndefinedTable:
        raise StoreError(f"{name}: there is no database of relevo yet. `relevo serve` makes it") from None
    if version != len(migrations("postgres")):
        raise StoreError(f"{name}: schema {version}, this version reads {len(migrations('postgres'))}")


async def _version(connection: Connection) -> int:
    cursor = await connection.execute(b"SELECT COALESCE(max(version), 0) FROM schema_version")
    ((version,),) = await cursor.fetchall()
    return int(version)
