"""PostgreSQL that dies, hangs, refuses or loses its replies: nothing is charged twice, nobody waits for ever."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from relevo.core.clock import SystemClock
from relevo.core.ledger import Act, Claim, Closing, Grant, KeptAnswer, Reserved, StoreUnavailable
from relevo.store import postgres as module
from relevo.store.base import Q, Steps, StoreError, Tx
from relevo.store.ledger import StoredLedger
from relevo.store.opening import make_store
from relevo.store.postgres import PostgresStore
from support.postgres import PASSWORD, PostgresServer
from support.tcp_proxy import TcpProxy
from support.worlds import ANA, BROKEN, CREDIT, NO_TERMS, order, paid

GIFT = Act(key="gift", actor="test", reason="", owner=ANA, change=Grant(kind="bonus", amount_micro=100 * CREDIT))
CLAIM = Claim(owner=ANA, key_hash=b"k" * 32, body_hash=b"b" * 32, request_id="req_1", node="node_a", ttl_ms=24_000)

pytestmark = pytest.mark.slow


@pytest.fixture
async def store(postgres: PostgresServer, database: str) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(postgres.url(database))
    await made.start()
    await StoredLedger(made).act(GIFT, NO_TERMS)
    yield made
    await made.aclose()
    assert not made._tasks
    assert postgres.execute(BROKEN, database) == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bounds, sooner."""
    monkeypatch.setattr(module, "SILENCE_S", 0.3)
    monkeypatch.setattr(module, "GIVE_UP_S", 0.8)


def charges(server: PostgresServer, database: str) -> list[tuple[object, ...]]:
    return server.execute("SELECT amount_micro FROM entry WHERE kind = 'charge' ORDER BY seq", database)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    begun_s = time.monotonic()
    yield
    assert time.monotonic() - begun_s < seconds


async def test_a_backend_that_is_killed_in_mid_transaction(
    store: PostgresStore, postgres: PostgresServer, database: str
) -> None:
    """The transaction begins anew on another connection, and happens once."""
    tries = 0

    def steps(now_ms: int) -> Steps[int]:
        nonlocal tries
        tries += 1
        ((account_id, *_),) = yield Q("account_by_owner", {"issuer": ANA.issuer, "subject": ANA.subject})
        yield Q("block_account", {"id": account_id, "blocked_ms": tries})
        if tries < 3:
            postgres.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
            )
        yield Q("block_account", {"id": account_id, "blocked_ms": tries})
        return tries

    assert await store.write(Tx(steps)) == 3
    assert postgres.execute("SELECT blocked_ms FROM account", database) == [(3,)]
    assert store.healthy


async def test_a_refusal_rolls_back_and_the_connection_goes_on(store: PostgresStore) -> None:
    """What the steps raise reaches the caller; nothing of the transaction stays."""

    def steps(_now_ms: int) -> Steps[None]:
        yield Q("insert_account", {"issuer": "app", "subject": "ghost", "now_ms": 1})
        raise ValueError("no")

    for _ in range(20):  # more often than there are connections
        with pytest.raises(ValueError, match="no"):
            await store.write(Tx(steps))
    ledger = StoredLedger(store)
    assert isinstance(await ledger.reserve(ANA, order(1), NO_TERMS), Reserved)
    assert store.healthy


async def test_a_reply_lost_after_the_commit_is_read_back(postgres: PostgresServer, database: str) -> None:
    """The same id asks again and finds what it did: in one statement or in steps, nothing happens twice."""
    async with TcpProxy(postgres.port) as proxy:
        store = PostgresStore(postgres.url(database, proxy.port))
        await store.start()
        ledger = StoredLedger(store)
        kept = KeptAnswer(request_id="req_1", owner=ANA, key_hash=CLAIM.key_hash, sealed=b"sealed", ttl_ms=60_000)
        try:
            proxy.lose_reply_to(b"COMMIT\0")
            assert (await ledger.act(GIFT, NO_TERMS)).replayed
            proxy.lose_reply_to(b"UPDATE account")
            held = await ledger.reserve(ANA, order(1, 10), NO_TERMS)
            assert held == Reserved(amount_micro=10 * CREDIT, available_micro=90 * CREDIT)
            proxy.lose_reply_to(b"COMMIT\0")
            held = await ledger.reserve(ANA, order(2, 10, floor_micro=1), NO_TERMS)
            assert held == Reserved(amount_micro=10 * CREDIT, available_micro=80 * CREDIT)
            proxy.lose_reply_to(b"COMMIT\0")
            assert (await ledger.claim(CLAIM)).state == "new"
            proxy.lose_reply_to(b"UPDATE account")
            assert (await ledger.close("req_1", paid(3), NO_TERMS)).available_micro == 87 * CREDIT
            proxy.lose_reply_to(b"COMMIT\0")
            assert (await ledger.close("req_2", paid(3, answer=kept), NO_TERMS)).available_micro == 94 * CREDIT
        finally:
            await store.aclose()
        assert proxy.lost == 6
    assert charges(postgres, database) == [(-3 * CREDIT,), (-3 * CREDIT,)]
    assert postgres.execute(BROKEN, database) == []


async def test_a_crash_under_load_loses_nothing_that_was_acknowledged(
    store: PostgresStore, postgres: PostgresServer, database: str
) -> None:
    """`-m immediate` is a power cut to PostgreSQL: every process gone, recovery at the next start."""
    ledger = StoredLedger(store)
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def call(number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            hold = f"{number}_{turn}"
            for work in (
                lambda hold=hold: ledger.reserve(ANA, order(hold, 0.001), NO_TERMS),
                lambda hold=hold: ledger.close(f"req_{hold}", paid(0.001), NO_TERMS),
            ):
                while True:
                    with contextlib.suppress(StoreUnavailable):
                        await work()
                        break
            acknowledged.append(f"req_{hold}")

    async def count(more: int) -> None:
        target = len(acknowledged) + more
        async with asyncio.timeout(30):
            while len(acknowledged) < target:
                await asyncio.sleep(0.01)

    callers = [asyncio.create_task(call(number)) for number in range(8)]
    for _ in range(2):
        await count(50)
        await asyncio.to_thread(postgres.stop, "immediate")
        await asyncio.to_thread(postgres.start)
    await count(50)
    stop.set()
    await asyncio.gather(*callers)
    settled = {row[0] for row in postgres.execute("SELECT id FROM hold WHERE state = 'settled'", database)}
    assert settled == set(acknowledged)
    assert len(charges(postgres, database)) == len(acknowledged)
    assert store.healthy


async def test_too_many_connections(store: PostgresStore, postgres: PostgresServer, database: str) -> None:
    """A server that takes no more connections: the ones that are there serve; a start says why it fails."""
    with contextlib.ExitStack() as stack:
        with pytest.raises(psycopg.OperationalError, match="too many clients"):
            for _ in range(100):
                stack.enter_context(psycopg.connect(postgres.url(database)))
        ledger = StoredLedger(store)
        results = await asyncio.gather(*(ledger.reserve(ANA, order(n), NO_TERMS) for n in range(30)))
        assert all(isinstance(result, Reserved) for result in results)
        late = PostgresStore(postgres.url(database))
        with pytest.raises(StoreError, match="too many clients") as caught:
            await late.start()
        assert PASSWORD not in str(caught.value)


async def test_a_row_that_somebody_locks_is_waited_for_within_a_bound(
    store: PostgresStore, postgres: PostgresServer, database: str
) -> None:
    """Then the caller hears that the store is not available, and nothing was done."""
    ledger = StoredLedger(store)
    with psycopg.connect(postgres.url(database)) as locker:
        locker.execute("SELECT * FROM account FOR UPDATE")
        with within(4), pytest.raises(StoreUnavailable, match="timeout"):
            await ledger.reserve(ANA, order(1), NO_TERMS)
        healthy = store.healthy
    assert isinstance(await ledger.reserve(ANA, order(2), NO_TERMS), Reserved)
    assert (healthy, store.healthy) == (False, True)
    assert postgres.execute("SELECT id FROM hold", database) == [("req_2",)]


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_stands_still(store: PostgresStore, postgres: PostgresServer, database: str) -> None:
    """No reply, no error, nothing: the bound is ours. When it goes on, all is as if nothing had been."""
    ledger = StoredLedger(store)
    await ledger.reserve(ANA, order(1), NO_TERMS)
    with postgres.paused():
        with within(4), pytest.raises(StoreUnavailable):
            await ledger.close("req_1", paid(1), NO_TERMS)
        with within(4), pytest.raises(StoreUnavailable):
            await ledger.is_blocked(ANA)
        assert not store.healthy
        assert not store._tasks
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(StoreUnavailable):
                closed = await ledger.close("req_1", paid(1), NO_TERMS)
                break
    assert (closed.charged_micro, closed.available_micro) == (CREDIT, 99 * CREDIT)
    assert charges(postgres, database) == [(-CREDIT,)]


@pytest.mark.usefixtures("impatient")
async def test_closing_a_store_whose_server_stands_still_is_bounded(
    store: PostgresStore, postgres: PostgresServer
) -> None:
    """SIGTERM is not held up by a database."""
    with postgres.paused():
        running = asyncio.create_task(StoredLedger(store).close("req_1", Closing(charge_micro=1), NO_TERMS))
        await asyncio.sleep(0)
        with within(8):
            await store.aclose()
        with pytest.raises(StoreUnavailable):
            await running
    with pytest.raises(StoreUnavailable, match="closed"):
        await StoredLedger(store).is_blocked(ANA)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        (f"ana:{PASSWORD}@127.0.0.1:1/nowhere", "refused"),
        ("ana:pw@127.0.0.1:x/nowhere", "not a PostgreSQL URL"),
        (f"ana:1/{PASSWORD}@127.0.0.1:1/nowhere", "not a PostgreSQL URL"),
        (f"ana:{PASSWORD}/1@127.0.0.1:1/nowhere", "not a PostgreSQL URL"),
        (f"ana:{PASSWORD}%zz@127.0.0.1/nowhere", "not a PostgreSQL URL"),
        (f"ana:a/b@{PASSWORD}@127.0.0.1:1/nowhere", "127.0.0.1"),
        (f"127.0.0.1:1/nowhere?password={PASSWORD}&user=ana", "refused"),
        (f"ana:{PASSWORD}@127.0.0.1:1/nowhere?no_such_option=1", "not a PostgreSQL URL"),
        (f"ana:{PASSWORD}@127.0.0.1:1/nowhere?prepared_statements=maybe", "is on or off"),
    ],
)
async def test_no_error_tells_a_password(address: str, words: str) -> None:
    """Errors name server and database, whatever is wrong with the URL."""
    with pytest.raises(StoreError, match=words) as caught:
        await make_store(f"postgresql://{address}", Path(), SystemClock()).start()
    assert PASSWORD not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


async def test_without_prepared_statements(postgres: PostgresServer, database: str) -> None:
    """For a pooler that gives each transaction another server connection."""
    store = PostgresStore(postgres.url(database) + "?prepared_statements=off")
    await store.start()
    ledger = StoredLedger(store)
    await ledger.act(GIFT, NO_TERMS)
    for number in range(10):
        await ledger.reserve(ANA, order(number), NO_TERMS)
    assert store._pool is not None
    async with store._pool.connection() as connection:
        assert connection.prepare_threshold is None
        cursor = await connection.execute(b"SELECT count(*) FROM pg_prepared_statements")
        assert await cursor.fetchall() == [(0,)]
        limits = await connection.execute(
            b"SELECT current_setting('statement_timeout'), current_setting('lock_timeout')"
        )
        assert await limits.fetchall() == [("2s", "2s")]
    await store.aclose()
