"""The schema is what the migrations make, and every statement fits it, on both stores."""

import os
import re
from pathlib import Path

import apsw
import psycopg
import pytest

from relevo.store.base import StoreError
from relevo.store.postgres import PostgresStore
from relevo.store.queries import migrations, psycopg_queries, queries
from relevo.store.sqlite import open_writer
from support.postgres import PostgresServer

FIXTURES = Path(__file__).parents[1] / "fixtures"
POSTGRES_ONLY = {"node", "user_use", "schema_version"}
"""One process counts these in memory; and SQLite keeps its version in the file's head."""

COLUMNS = """
SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type
       || CASE is_nullable WHEN 'NO' THEN ' not null' ELSE '' END || COALESCE(' default ' || column_default, '')
       || CASE is_identity WHEN 'YES' THEN ' identity' ELSE '' END
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
REST = """
SELECT * FROM (
    SELECT 'table ' || relname || CASE relpersistence WHEN 'u' THEN ' unlogged' ELSE '' END
           || COALESCE(' ' || array_to_string(reloptions, ','), '') AS line
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
    UNION ALL
    SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
    UNION ALL
    SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
    UNION ALL
    SELECT 'trigger ' || pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'function ' || regexp_replace(pg_get_functiondef(oid), '\\s+', ' ', 'g')
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
) AS lines ORDER BY line COLLATE "C"
"""


def same(name: str, found: str) -> None:
    """`RELEVO_WRITE_SNAPSHOTS=1` writes what is there now; the difference is to be read before it is committed."""
    path = FIXTURES / name
    if os.environ.get("RELEVO_WRITE_SNAPSHOTS"):
        path.write_text(found)
    assert found == path.read_text(), f"the schema changed: compare {name} with what the migrations make"


def test_the_schema_of_sqlite_is_the_known_one(tmp_path: Path) -> None:
    """A migration that was changed after its release would leave older files with another schema."""
    connection = open_writer(tmp_path / "r.db")
    rows = connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name").fetchall()
    same("schema.sqlite.txt", "\n\n".join(str(row[0]) for row in rows) + "\n")
    connection.close()


def test_the_schema_of_postgres_is_the_known_one(postgres: PostgresServer, database: str) -> None:
    """As with SQLite."""
    rows = [*postgres.execute(COLUMNS, database), *postgres.execute(REST, database)]
    same("schema.postgres.txt", "\n".join(str(row[0]) for row in rows) + "\n")


def test_both_have_the_same_tables_and_columns(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    """The common statements know one schema."""
    connection = open_writer(tmp_path / "r.db")
    sqlite = {
        (table, column)
        for (table,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (column,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,)).fetchall()
    }
    connection.close()
    rows = postgres.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'", database
    )
    assert {row for row in rows if row[0] not in POSTGRES_ONLY} == sqlite


def test_every_statement_fits_the_schema_of_sqlite(tmp_path: Path) -> None:
    """Compiled, not run."""
    connection = open_writer(tmp_path / "r.db")
    for name, sql in queries("sqlite").items():
        try:
            connection.execute("EXPLAIN " + re.sub(r"--[^\n]*", "", sql).strip(), dict.fromkeys(
                re.findall(r":([a-z]\w*)", re.sub(r"--[^\n]*", "", sql)), 1))  # fmt: skip
        except apsw.Error as error:
            pytest.fail(f"{name}: {error}")
    connection.close()


def test_every_statement_fits_the_schema_of_postgres(postgres: PostgresServer, database: str) -> None:
    """Compiled, not run: a name that is missing or a type that does not fit is found here and not by a user."""
    with psycopg.connect(postgres.url(database), autocommit=True) as connection:
        for name, sql in psycopg_queries().items():
            text = sql.decode().replace("%%", "%")
            for number, parameter in enumerate(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)), 1):
                text = text.replace(f"%({parameter})s", f"${number}")
            try:
                connection.execute(f"PREPARE s_{name} AS {text}".encode())
            except psycopg.Error as error:
                pytest.fail(f"{name}: {error}")


def test_parameters_are_told_from_casts_and_percent_signs() -> None:
    """The statements are written once, for both drivers."""
    assert b"%(id)s" in psycopg_queries()["quick_reserve"]
    assert b"--" not in b"".join(psycopg_queries().values())


async def test_a_newer_schema_is_refused_and_many_may_migrate_at_once(postgres: PostgresServer) -> None:
    """An older version must not write into what it does not know."""
    import asyncio

    with postgres.database("template0") as database:
        stores = [PostgresStore(postgres.url(database)) for _ in range(4)]
        await asyncio.gather(*(store.start() for store in stores))
        for store in stores:
            await store.aclose()
        assert postgres.execute("SELECT max(version) FROM schema_version", database) == [
            (len(migrations("postgres")),)
        ]
        postgres.execute("INSERT INTO schema_version VALUES (9999)", database)
        for read_only, words in ((False, "made by a newer relevo"), (True, "schema 9999, this version reads")):
            store = PostgresStore(postgres.url(database), read_only=read_only)
            with pytest.raises(StoreError, match=words):
                await store.start()
            await store.aclose()
