"""PostgreSQL: transactions over a pool, each in a task of its own, safe to repeat.

A caller's cancellation never reaches a connection: half a transaction in a pool is how others lost money. What is
not known to have happened is done again, with the same ids, for a bounded time.
"""

import asyncio
import logging
import re
from collections.abc import Generator
from functools import cache
from typing import Any, Final

from relevo.core.ledger import Row, StoreUnavailable
from relevo.store.base import Many, Q, StoreError, T, Tx
from relevo.store.queries import migrations, queries

try:
    import psycopg
    from psycopg_pool import AsyncConnectionPool, PoolTimeout
except ImportError as missing:
    raise StoreError('PostgreSQL needs its driver: pip install "relevo[postgres]"') from missing

_POOL_MAX: Final = 8
_TRY_S: Final = 4.0
"""One try; a server that does not answer is left after it."""
_GIVE_UP_S: Final = 6.0
_RETRY_S: Final = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
_OPTIONS: Final = "-c statement_timeout=2000 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=5000"
_LOCK: Final = 0x72656C65766F
"""Advisory lock of the migrations: "relevo" in ASCII."""
_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_AGAIN: Final = (
    psycopg.OperationalError,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,  # somebody else was first: the steps will see what they did
    PoolTimeout,
)

_log = logging.getLogger(__name__)


class PostgresStore:
    """A PostgreSQL database behind the `Store` protocol."""

    def __init__(self, url: str) -> None:
        """Args: url: `postgresql://user:password@host/database`. Connects in `start`."""
        self._url = url
        self._sql = _statements()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._healthy = True
        self._pool = AsyncConnectionPool(
            url,
            min_size=1,
            max_size=_POOL_MAX,
            open=False,
            timeout=_TRY_S,
            kwargs={"autocommit": True, "options": _OPTIONS, "connect_timeout": 3, "application_name": "relevo"},
        )

    @property
    def healthy(self) -> bool:
        """See `Store.healthy`."""
        return self._healthy

    async def start(self) -> None:
        """See `Store.start`."""
        try:
            await self._migrate()
            await self._pool.open(wait=True, timeout=_TRY_S)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            raise StoreError(f"{self._place()}: {_first_line(error)}") from None

    async def write(self, tx: Tx[T]) -> T:
        """See `Store.write`."""
        return await asyncio.shield(self._spawn(self._until_done(tx)))

    async def read(self, tx: Tx[T]) -> T:
        """See `Store.read`."""
        return await asyncio.shield(self._spawn(self._until_done(Tx(tx.steps))))

    async def aclose(self) -> None:
        """See `Store.aclose`."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._pool.close(timeout=_TRY_S)

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _until_done(self, tx: Tx[T]) -> T:
        """Try, and again while it can be said that nothing is wrong with the transaction itself."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + _GIVE_UP_S
        waits = iter(_RETRY_S)
        while True:
            try:
                result = await self._in_time(tx)
            except (*_AGAIN, TimeoutError) as error:
                wait_s = next(waits, None)
                if wait_s is None or loop.time() + wait_s > ends_at:
                    if self._healthy:
                        _log.error("the store does not answer: %s", _first_line(error))
                    self._healthy = False
                    raise StoreUnavailable(_first_line(error)) from None
                await asyncio.sleep(wait_s)
            else:
                if not self._healthy:
                    _log.warning("the store answers again")
                self._healthy = True
                return result

    async def _in_time(self, tx: Tx[T]) -> T:
        """One try. A try that hangs is left behind with its connection, not waited for. Raises TimeoutError."""
        attempt = self._spawn(self._try(tx))
        done, _ = await asyncio.wait({attempt}, timeout=_TRY_S)
        if not done:
            attempt.cancel()
            raise TimeoutError("no answer in time")
        result: T = attempt.result()
        return result

    async def _try(self, tx: Tx[T]) -> T:
        async with self._pool.connection() as connection:
            return await self._on(connection, tx)

    async def _on(self, connection: Any, tx: Tx[T]) -> T:
        if tx.quick is not None and tx.of_row is not None:
            try:
                row = await (await self._execute(connection, tx.quick)).fetchone()
            except psycopg.errors.UniqueViolation:
                row = None  # it was done before: the steps tell what became of it
            if row is not None:
                return tx.of_row(row)
        async with connection.transaction():
            return await self._take_steps(connection, tx)

    async def _take_steps(self, connection: Any, tx: Tx[T]) -> T:
        ((now_ms,),) = await (await connection.execute("SELECT relevo_now_ms()")).fetchall()
        steps: Generator[Q | Many, list[Row], T] = tx.steps(now_ms)
        try:
            step = next(steps)
            while True:
                rows: list[Row] = []
                if isinstance(step, Many):
                    async with connection.cursor() as cursor:
                        await cursor.executemany(self._sql[step.name], step.rows)
                else:
                    cursor = await self._execute(connection, step)
                    if cursor.description is not None:
                        rows = await cursor.fetchall()
                step = steps.send(rows)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _execute(self, connection: Any, step: Q) -> Any:
        return await connection.execute(self._sql[step.name], step.values)

    async def _migrate(self) -> None:
        """Bring the schema up to date; of several processes that start together, one does it."""
        known = migrations("postgres")
        async with (
            await psycopg.AsyncConnection.connect(self._url, connect_timeout=3) as connection,
            connection.transaction(),
        ):
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (number INTEGER NOT NULL)")
            rows = await (await connection.execute("SELECT max(number) FROM schema_version")).fetchall()
            version = rows[0][0] or 0
            if version > len(known):
                raise StoreError(f"{self._place()}: made by a newer relevo (schema {version}): update relevo")
            for number, script in known[version:]:
                await connection.execute(script.encode())
                await connection.execute("INSERT INTO schema_version VALUES (%s)", (number,))

    def _place(self) -> str:
        """Host and database, without user and password."""
        known = psycopg.conninfo.conninfo_to_dict(self._url)
        return f"PostgreSQL {known.get('host', 'localhost')}/{known.get('dbname', '')}"


@cache
def _statements() -> dict[str, Any]:
    """The SQL files in the driver's parameter style."""
    return {name: _PARAMETER.sub(r"%(\1)s", text.replace("%", "%%")) for name, text in queries("postgres").items()}


def _first_line(error: BaseException) -> str:
    """What is wrong, in a line; a driver's message may go on with the statement or the address."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
