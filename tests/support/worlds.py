"""One suite over both stores: a world has a store, a clock that jumps, and a look behind the curtain."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relevo.core.ledger import Act, Closing, Cost, Done, Grant, HoldOrder, Refused, Reserved, Terms
from relevo.core.limits import Limiter
from relevo.core.types import Principal
from relevo.service.limits import MemoryLimiter
from relevo.store.base import Store
from relevo.store.ledger import StoredLedger
from relevo.store.postgres import PostgresStore
from relevo.store.shared_limiter import SharedLimiter
from relevo.store.sqlite import SqliteStore
from support.postgres import PostgresServer

CREDIT = 1_000_000
NOON_MS = 1_773_144_000_000
"""2026-03-10, 12:00 UTC."""
DAY_MS = 86_400_000
NO_TERMS = Terms()
ANA = Principal(issuer="app", subject="ana", kind="user")
BEN = Principal(issuer="app", subject="ben", kind="user")
ROBOT = Principal(issuer="app", subject="robot", kind="machine")

# I-1, I-8: what an account says is what its entries and its holds add up to, without a gap.
BROKEN = """
SELECT a.id FROM account AS a
WHERE a.balance_micro <> (SELECT COALESCE(SUM(amount_micro), 0) FROM entry WHERE account_id = a.id)
   OR a.held_micro <> (SELECT COALESCE(SUM(amount_micro), 0) FROM hold WHERE account_id = a.id AND state = 'open')
   OR a.entries <> (SELECT COUNT(*) FROM entry WHERE account_id = a.id)
   OR a.entries <> (SELECT COALESCE(MAX(seq), 0) FROM entry WHERE account_id = a.id)
   OR EXISTS (SELECT 1 FROM entry AS e WHERE e.account_id = a.id AND e.balance_micro <> (
        SELECT SUM(amount_micro) FROM entry AS b WHERE b.account_id = a.id AND b.seq <= e.seq))
   OR EXISTS (SELECT 1 FROM hold AS h WHERE h.account_id = a.id AND h.state = 'settled' AND h.charged_micro <> (
        SELECT -SUM(amount_micro) FROM entry AS b WHERE b.hold_id = h.id))
"""


class JumpingClock:
    def __init__(self) -> None:
        self.ms = NOON_MS

    def now_s(self) -> float:
        return self.ms / 1000

    def wall_s(self) -> float:
        return self.ms / 1000


@dataclass
class World:
    store: Store
    clock: JumpingClock
    sql: Callable[[str], list[tuple[Any, ...]]]
    """A statement past the store's door, for assertions."""
    tell: Callable[[int], Awaitable[None]]
    make_limiter: Callable[[str], Awaitable[Limiter]]
    ledger: StoredLedger = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = StoredLedger(self.store)

    async def at(self, now_ms: int) -> None:
        """The store's clock stands at a moment from now on."""
        self.clock.ms = now_ms
        await self.tell(now_ms)

    async def later(self, by_ms: int) -> None:
        await self.at(self.clock.ms + by_ms)

    async def give(self, owner: Principal, amount: float, key: str = "gift", **grant: Any) -> Done:
        change = Grant(**{"kind": "bonus", "amount_micro": round(amount * CREDIT), **grant})
        return await self.ledger.act(Act(key=key, actor="test", reason="", owner=owner, change=change), Terms())

    def check(self) -> None:
        assert self.sql(BROKEN) == []


def order(number: int | str, amount: float = 1, **options: Any) -> HoldOrder:
    values = {"task": "T", "amount_micro": round(amount * CREDIT), "node": "node_a", "ttl_ms": 24_000}
    return HoldOrder(**{"id": f"req_{number}", **values, **options})


def paid(amount: float, **options: Any) -> Closing:
    cost = Cost(number=1, provider="p", upstream_model="m", nano_usd=7, borne_by="caller")
    return Closing(**{"charge_micro": round(amount * CREDIT), "costs": [cost], **options})


def admitted(results: list[Reserved | Refused]) -> int:
    return sum(isinstance(result, Reserved) for result in results)


@contextlib.asynccontextmanager
async def sqlite_world(folder: Path) -> AsyncIterator[World]:
    clock = JumpingClock()
    store = SqliteStore(folder / "w.db", clock)

    async def tell(_now_ms: int) -> None:
        pass

    async def limiter(_node: str) -> Limiter:
        return MemoryLimiter(clock, world.ledger)

    world = World(store, clock, lambda text: list(store.connections[1].execute(text)), tell, limiter)
    try:
        yield world
        world.check()
    finally:
        await store.aclose()


@contextlib.asynccontextmanager
async def postgres_world(server: PostgresServer, database: str) -> AsyncIterator[World]:
    clock = JumpingClock()
    store = PostgresStore(server.url(database))
    limiters: list[SharedLimiter] = []

    async def tell(now_ms: int) -> None:
        await asyncio.to_thread(server.execute, f"ALTER DATABASE {database} SET relevo.now_ms = '{now_ms}'")
        assert store._pool is not None
        await store._pool.drain()  # the setting holds for new connections

    async def limiter(node: str) -> Limiter:
        limiters.append(SharedLimiter(store, node))
        await limiters[-1].heartbeat()
        return limiters[-1]

    server.execute(f"ALTER DATABASE {database} SET relevo.now_ms = '{NOON_MS}'")
    await store.start()
    world = World(store, clock, lambda text: server.execute(text, database), tell, limiter)
    try:
        yield world
        for each in limiters:
            await each.aclose()
        world.check()
    finally:
        await store.aclose()
