"""PostgreSQL: transactions over a pool, each in a task of its own, repeated where its outcome was lost.

Every transaction is safe to repeat by its own ids, so whatever ends without an answer (a deadlock, a connection
that broke after COMMIT was sent) is simply done again. A caller who leaves cancels nothing here: a statement that
is cut in the middle would leave its connection in half a transaction. Loaded for a postgresql:// URL only.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from typing import Any, Final

import psycopg
import psycopg_pool
from psycopg import errors
from psycopg.types.numeric import Int8Dumper

from relevo.core.ledger import Row, StoreUnavailable
from relevo.core.store_url import shown
from relevo.store.base import Many, Q, StoreError, T, Tx
from relevo.store.postgres_schema import check_schema, migrate
from relevo.store.queries import psycopg_queries

GIVE_UP_S: Final = 5.0
"""How long a transaction is tried before its caller hears that the store is not available."""
SILENCE_S: Final = 3.0
"""Longest wait for one statement, above the server's own bound: beyond it the server is paused or the network
swallows everything, and the connection is dropped."""
_AGAIN_S: Final = 0.05
_TWINS_MAX: Final = 3
"""Tries of a transaction that breaks a unique key: its twin was faster, and the next try finds what that did."""
_CONNECT_S: Final = 2
_POOL_MIN: Final = 2
_POOL_MAX: Final = 10
_CLOSE_S: Final = 3.0
_OWN_PARAMETER: Final = "prepared_statements"
_BEGIN: Final = b"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT relevo_now_ms()"
_BEGIN_READ: Final = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT relevo_now_ms()"
_SESSION: Final = b"""
SELECT set_config('statement_timeout', '2s', false), set_config('lock_timeout', '2s', false),
       set_config('idle_in_transaction_session_timeout', '5s', false),
       set_config('default_transaction_isolation', 'read committed', false);
-- An acknowledged charge survives a crash of the server, whatever the server's default says.
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""
_REPEATABLE: Final = ("08", "25P", "40", "57P", "53300", "0A000", "26000", "25006")
"""SQLSTATEs of a try that may be done again: lost connections, collisions, restarts and failovers, too many
connections, statements prepared before a schema changed or over a pooler that forgot them, a read-only standby."""

Connection = psycopg.AsyncConnection[Row]
Cursor = psycopg.AsyncCursor[Row]

_log = logging.getLogger(__name__)


class PostgresStore:
    """A PostgreSQL database behind the `Store` protocol."""

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        """Does not connect yet.

        Args:
            url: `postgresql://…` as libpq reads it, and `prepared_statements=off` for poolers that forget them.
            read_only: Nothing is made that is not there, and nothing is written.

        Raises:
            StoreError: It is no such URL.
        """
        self._name = shown(url)
        self._options = _connect_options(url)
        self._read_only = read_only
        self._pool: psycopg_pool.AsyncConnectionPool[Connection] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._healthy = True

    @property
    def healthy(self) -> bool:
        """See `Store.healthy`."""
        return self._healthy

    @property
    def name(self) -> str:
        """Server and database, for people."""
        return self._name

    async def start(self) -> None:
        """See `Store.start`. Several processes may do this at once: one migrates, the others wait for it."""
        try:
            connection = await psycopg.AsyncConnection.connect(**self._options)
            async with connection:
                await (check_schema if self._read_only else migrate)(connection, self._name)
            # In this order: the pool retries for ever without saying why, a plain connection tells.
            self._pool = psycopg_pool.AsyncConnectionPool(
                kwargs=self._options, min_size=1 if self._read_only else _POOL_MIN, max_size=_POOL_MAX, open=False,
                configure=_configure, timeout=GIVE_UP_S, reconnect_timeout=GIVE_UP_S, name="relevo",
            )  # fmt: skip
            await self._pool.open(wait=True, timeout=_CONNECT_S * 2)
        except (psycopg.Error, OSError) as error:
            await self.aclose()
            raise StoreError(f"{self._name}: {_said(error)}") from error

    async def write(self, tx: Tx[T]) -> T:
        """See `Store.write`."""
        if self._read_only:
            raise StoreUnavailable("opened for reading")

        async def once(connection: Connection) -> T:
            if tx.quick is not None and tx.of_row is not None:
                with contextlib.suppress(errors.UniqueViolation):
                    async with connection.cursor() as cursor:
                        rows = await _execute(cursor, tx.quick)
                    if rows:
                        return tx.of_row(rows[0])
            return await _transaction(connection, tx, _BEGIN)

        return await self._in_own_task(self._until_answered(once, writes=True))

    async def read(self, tx: Tx[T]) -> T:
        """See `Store.read`. All steps see one state of the database."""

        async def once(connection: Connection) -> T:
            return await _transaction(connection, tx, _BEGIN_READ)

        return await self._in_own_task(self._until_answered(once, writes=False))

    async def aclose(self) -> None:
        """See `Store.aclose`. Bounded: every transaction is."""
        pool, self._pool = self._pool, None
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        if pool is not None:
            await pool.close(timeout=_CLOSE_S)

    async def _in_own_task(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may have gone: nobody else would look at it

    async def _until_answered(self, once: Callable[[Connection], Awaitable[T]], *, writes: bool) -> T:
        """Do it, and again while its outcome is unknown or it collided, for as long as a caller may wait."""
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time() + GIVE_UP_S
        twins = 0
        while True:
            try:
                async with self._connection(give_up_at_s - loop.time()) as connection:
                    result = await once(connection)
            except errors.UniqueViolation:
                twins += 1
                if twins >= _TWINS_MAX:
                    raise
            except psycopg.Error as error:
                if isinstance(error, errors.IntegrityError | errors.DataError | errors.ProgrammingError) and not (
                    _repeatable(error)
                ):
                    raise  # about these values or a bug: another try would say the same
                if not _repeatable(error) or loop.time() + _AGAIN_S >= give_up_at_s:
                    self._note(error, writes=writes)
                    raise StoreUnavailable(f"{self._name}: {_said(error)}") from error
                await asyncio.sleep(_AGAIN_S)
            else:
                self._note(None, writes=writes)
                return result

    @contextlib.asynccontextmanager
    async def _connection(self, wait_s: float) -> AsyncIterator[Connection]:
        pool = self._pool
        if pool is None:
            raise StoreUnavailable("the store is closed")
        connection = await pool.getconn(timeout=max(wait_s, _AGAIN_S))
        try:
            yield connection
        finally:
            await pool.putconn(connection)  # a broken one is replaced behind our back

    def _note(self, error: Exception | None, *, writes: bool) -> None:
        if not writes:
            return
        if error is not None and self._healthy:
            _log.error("the store cannot be written: %s: %s", self._name, _said(error))
        elif error is None and not self._healthy:
            _log.warning("the store can be written again")
        self._healthy = error is None


async def _transaction(connection: Connection, tx: Tx[T], begin: bytes) -> T:
    try:
        async with connection.cursor() as cursor:
            with _bounded(connection):
                await cursor.execute(begin, prepare=False)
            cursor.nextset()
            ((now_ms,),) = await cursor.fetchall()
            result = await _walk(cursor, tx, now_ms)
            with _bounded(connection):
                await cursor.execute(b"COMMIT")
            return result
    except BaseException:
        if not connection.closed:
            with contextlib.suppress(psycopg.Error), _bounded(connection):
                await connection.execute(b"ROLLBACK")
        raise


async def _walk(cursor: Cursor, tx: Tx[T], now_ms: int) -> T:
    steps = tx.steps(now_ms)
    try:
        step = next(steps)
        while True:
            step = steps.send(await _execute(cursor, step))
    except StopIteration as end:
        result: T = end.value
        return result


async def _execute(cursor: Cursor, step: Q | Many) -> list[Row]:
    sql = psycopg_queries()[step.name]
    with _bounded(cursor.connection):
        if isinstance(step, Many):
            if step.rows:
                await cursor.executemany(sql, step.rows)
            return []
        await cursor.execute(sql, step.values)
        return await cursor.fetchall() if cursor.description else []


@contextlib.contextmanager
def _bounded(connection: psycopg.AsyncConnection[Any]) -> Iterator[None]:
    timer = asyncio.get_running_loop().call_later(SILENCE_S, _hang_up, connection)
    try:
        yield
    finally:
        timer.cancel()


def _hang_up(connection: psycopg.AsyncConnection[Any]) -> None:
    """End a connection from below: its waiter sees it broken. Cancelling the waiter would wait for the server."""
    with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    # By size Python's integers would become int2, int4 or int8: sums could overflow, and each mix of sizes be
    # prepared anew.
    connection.adapters.register_dumper(int, Int8Dumper)
    with _bounded(connection):
        await connection.execute(_SESSION, prepare=False)


def _connect_options(url: str) -> dict[str, Any]:
    address, _, query = url.partition("?")
    parameters = [part for part in query.split("&") if part]
    own = {part for part in parameters if part.partition("=")[0] == _OWN_PARAMETER}
    if own - {f"{_OWN_PARAMETER}=off", f"{_OWN_PARAMETER}=on"}:
        raise StoreError(f"{shown(url)}: {_OWN_PARAMETER} is on or off")
    rest = "&".join(part for part in parameters if part not in own)
    try:
        options = psycopg.conninfo.conninfo_to_dict(f"{address}?{rest}" if rest else address)
    except psycopg.Error:  # its text may hold a piece of the password
        options = {}
    # A / or @ that was not encoded makes a port or a database of a piece of the password: errors would show it.
    port, database = str(options.get("port", "0")), str(options.get("dbname", ""))
    if not options or not port.replace(",", "").isdecimal() or "@" in database:
        raise StoreError(
            f"{shown(url)}: not a PostgreSQL URL. Write postgresql://user:password@host:5432/database, and"
            " percent-encode what is not a letter or a digit in user and password"
        )
    return {
        "connect_timeout": _CONNECT_S, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2,
        "application_name": "relevo", **options, "autocommit": True,
        "prepare_threshold": None if f"{_OWN_PARAMETER}=off" in own else 5,
    }  # fmt: skip


def _repeatable(error: psycopg.Error) -> bool:
    if isinstance(error, errors.QueryCanceled):  # it waited its two seconds
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_REPEATABLE)


def _said(error: BaseException) -> str:
    """The first line of an error; the driver adds hints and positions below it."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
