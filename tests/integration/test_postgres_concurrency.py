"""Many at once over several processes' worth of stores: no cent too many, no request twice, nobody stuck."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from relevo.core.ledger import Act, Claim, Closing, Grant, Terms
from relevo.core.limits import UserLimits
from relevo.core.types import Principal
from relevo.store.ledger import StoredLedger
from relevo.store.postgres import PostgresStore
from relevo.store.shared_limiter import SharedLimiter
from support.postgres import PostgresServer
from support.worlds import ANA, BEN, BROKEN, CREDIT, NO_TERMS, admitted, order, paid

pytestmark = pytest.mark.slow
NODES = 3
CLAIM = Claim(owner=ANA, key_hash=b"k" * 32, body_hash=b"b" * 32, request_id="req_1", node="node_a", ttl_ms=24_000)


@pytest.fixture
async def stores(postgres: PostgresServer, database: str) -> AsyncIterator[list[PostgresStore]]:
    made = [PostgresStore(postgres.url(database)) for _ in range(NODES)]
    async with AsyncExitStack() as stack:
        for store in made:
            stack.push_async_callback(store.aclose)
            await store.start()
        yield made
        assert postgres.execute(BROKEN, database) == []


@pytest.fixture
def ledgers(stores: list[PostgresStore]) -> list[StoredLedger]:
    return [StoredLedger(store) for store in stores]


async def give(ledger: StoredLedger, owner: Principal, amount: float) -> None:
    change = Grant(kind="bonus", amount_micro=round(amount * CREDIT))
    await ledger.act(Act(key=f"gift-{owner.subject}", actor="test", reason="", owner=owner, change=change), Terms())


@pytest.mark.parametrize("nodes", [1, NODES])
async def test_fifty_at_once_with_money_for_ten(ledgers: list[StoredLedger], nodes: int) -> None:
    """Exactly ten, twenty times over, whichever way they interleave; every other one is told the truth."""
    for turn in range(20):
        owner = Principal(issuer="app", subject=f"user_{turn}")
        await give(ledgers[0], owner, 10)
        results = await asyncio.gather(
            *(ledgers[n % nodes].reserve(owner, order(f"{turn}_{n}"), NO_TERMS) for n in range(50))
        )
        assert admitted(results) == 10
        assert min(result.available_micro for result in results) == 0
        closings = [
            ledgers[(n + 1) % nodes].close(f"req_{turn}_{n}", paid(0.5), NO_TERMS)
            for n, result in enumerate(results) if admitted([result])
        ]  # fmt: skip
        closed = await asyncio.gather(*closings)
        assert sorted(each.available_micro for each in closed) == [n * CREDIT // 2 for n in range(1, 11)]


async def test_a_new_person_who_comes_fifty_times_is_granted_once(ledgers: list[StoredLedger]) -> None:
    """The account, its signup grant and its monthly one are made by whoever is first."""
    terms = Terms(signup_micro=10 * CREDIT, monthly_micro=CREDIT)
    results = await asyncio.gather(*(ledgers[n % NODES].reserve(ANA, order(n), terms) for n in range(50)))

    assert admitted(results) == 11
    assert [entry.kind for entry in await ledgers[0].entries(ANA, 10)] == ["monthly", "signup"]


async def test_a_daily_limit_holds_over_all_processes(ledgers: list[StoredLedger]) -> None:
    """Held and spent credits count together."""
    await give(ledgers[0], ANA, 100)
    terms = Terms(daily_limit_micro=7 * CREDIT)
    results = await asyncio.gather(*(ledgers[n % NODES].reserve(ANA, order(n), terms) for n in range(40)))

    assert admitted(results) == 7


async def test_a_hold_closed_many_times_at_once_is_charged_once(
    ledgers: list[StoredLedger], postgres: PostgresServer, database: str
) -> None:
    """By charge and by release, from every process, while it is renewed and swept: one ending, told to all."""
    await give(ledgers[0], ANA, 100)
    for turn in range(20):
        hold = f"req_{turn}"
        await ledgers[0].reserve(ANA, order(turn), NO_TERMS)
        work = [ledgers[n % NODES].close(hold, paid(0.25 if n % 2 else 0.5), NO_TERMS) for n in range(8)]
        work += [ledgers[n % NODES].close(hold, Closing(charge_micro=0), NO_TERMS) for n in range(4)]
        renewals = [ledgers[n].renew([hold], 60_000) for n in range(NODES)]
        sweeps = [ledgers[n].expire_due([], dead_node="nobody") for n in range(NODES)]
        closed, *_ = await asyncio.gather(asyncio.gather(*work), asyncio.gather(*renewals), asyncio.gather(*sweeps))
        assert len({(each.state, each.charged_micro, each.available_micro) for each in closed}) == 1
    settled = postgres.execute("SELECT count(*) FROM hold WHERE state = 'settled'", database)
    assert postgres.execute("SELECT count(*) FROM entry WHERE kind = 'charge'", database) == settled
    assert postgres.execute("SELECT count(*) FROM hold WHERE state = 'open'", database) == [(0,)]


async def test_sweepers_on_all_processes_are_as_one(
    ledgers: list[StoredLedger], postgres: PostgresServer, database: str
) -> None:
    """Each hold is freed once, over many accounts, without a deadlock that anybody hears of."""
    owners = [Principal(issuer="app", subject=f"user_{n}") for n in range(10)]
    for owner in owners:
        await give(ledgers[0], owner, 100)
    orders = [(owners[n % 10], order(n, ttl_ms=1, cost_guess_nano_usd=3)) for n in range(150)]
    await asyncio.gather(*(ledgers[0].reserve(owner, each, NO_TERMS) for owner, each in orders))
    freed = 0
    while round_ := sum(await asyncio.gather(*(ledgers[n % NODES].expire_due([]) for n in range(6)))):
        freed += round_
    assert freed == 150
    assert postgres.execute("SELECT count(*), sum(nano_usd) FROM cost", database) == [(150, 450)]
    assert postgres.execute("SELECT sum(held_micro) FROM account", database) == [(0,)]


async def test_a_key_claimed_twenty_times_at_once_is_new_once(ledgers: list[StoredLedger]) -> None:
    """Whoever else comes hears that it is in flight."""
    for turn in range(10):
        claims = [replace(CLAIM, key_hash=bytes([turn]) * 32, request_id=f"req_{turn}_{n}") for n in range(20)]
        found = await asyncio.gather(*(ledgers[n % NODES].claim(claim) for n, claim in enumerate(claims)))
        assert sorted(each.state for each in found) == ["in_flight"] * 19 + ["new"]


async def test_acts_with_one_key_happen_once(ledgers: list[StoredLedger]) -> None:
    """Also when they are for two accounts: the second is refused and changes nothing."""
    change = Grant(kind="purchase", amount_micro=CREDIT)
    acts = [Act(key="evt_1", actor="stripe", reason="", owner=(ANA, BEN)[n % 2], change=change) for n in range(20)]
    done = await asyncio.gather(
        *(ledgers[n % NODES].act(act, Terms()) for n, act in enumerate(acts)), return_exceptions=True
    )

    refused = [each for each in done if isinstance(each, Exception)]
    assert {type(each).__name__ for each in refused} == {"ActRefused"}
    assert len(refused) == 10
    assert sum(not each.replayed for each in done if not isinstance(each, BaseException)) == 1
    balances = [(await ledgers[0].balance(owner, NO_TERMS)).balance_micro for owner in (ANA, BEN)]
    assert sorted(balances) == [0, CREDIT]


async def test_concurrency_and_rate_are_exact_over_all_processes(stores: list[PostgresStore]) -> None:
    """So many at once whoever they ask; the tickets of a process that ended are free."""
    limiters = [SharedLimiter(store, f"node_{n}") for n, store in enumerate(stores)]
    for limiter in limiters:
        await limiter.heartbeat()
    limits = UserLimits(concurrency=7)
    entered = await asyncio.gather(*(limiters[n % NODES].enter(ANA, limits) for n in range(60)))
    assert sum(each.allowed for each in entered) == 7
    minute = UserLimits(requests_per_minute=9)
    entered = await asyncio.gather(*(limiters[n % NODES].enter(BEN, minute) for n in range(60)))
    assert sum(each.allowed for each in entered) in (9, 10)  # a tenth if the minute's first part has gone by

    inside = [len(limiter._tickets[ANA.issuer, ANA.subject]) for limiter in limiters]
    await limiters[0].aclose()
    entered = await asyncio.gather(*(limiters[1 + n % 2].enter(ANA, limits) for n in range(60)))
    assert sum(each.allowed for each in entered) == inside[0]


async def test_what_a_killed_process_was_running_ends_with_its_lease(
    stores: list[PostgresStore], postgres: PostgresServer, database: str
) -> None:
    """And a sweep forgets both the process and users at rest."""
    dead, alive = SharedLimiter(stores[0], "dead"), SharedLimiter(stores[1], "alive")
    await dead.heartbeat()
    await alive.heartbeat()
    limits = UserLimits(concurrency=1)
    assert (await dead.enter(ANA, limits)).allowed
    assert not (await alive.enter(ANA, limits)).allowed
    ((left_ms,),) = postgres.execute("SELECT expires_ms - relevo_now_ms() FROM node WHERE id = 'dead'", database)
    assert isinstance(left_ms, int)
    assert 20_000 < left_ms <= 24_000
    postgres.execute("UPDATE node SET expires_ms = relevo_now_ms() WHERE id = 'dead'", database)

    assert (await alive.enter(ANA, limits)).allowed
    alive.leave(ANA, limits)
    assert (await alive.enter(ANA, limits)).allowed  # at once: it waits for the row to hear of the end
    alive.leave(ANA, limits)
    await alive.heartbeat()
    await alive.sweep()
    assert postgres.execute("SELECT (SELECT count(*) FROM user_use), (SELECT count(*) FROM node)", database) == [
        (0, 1)
    ]


async def test_a_caller_who_leaves_cuts_nothing_in_half(
    ledgers: list[StoredLedger], stores: list[PostgresStore], postgres: PostgresServer, database: str
) -> None:
    """Cancelled at any moment, a transaction is whole or not there, and no connection is left in one."""
    await give(ledgers[0], ANA, 1000)
    for turn in range(60):
        task = asyncio.create_task(ledgers[0].reserve(ANA, order(turn, 2, floor_micro=CREDIT), NO_TERMS))
        for _ in range(turn % 12):
            await asyncio.sleep(0)
        task.cancel()
    for store in stores:
        await store.aclose()
    sessions = postgres.execute(
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
        database,
    )
    assert all(state == "idle" for (state,) in sessions)


async def test_whoever_leaves_while_entering_has_no_ticket(stores: list[PostgresStore]) -> None:
    """Cancelled at any moment of entering, a request counts for nothing afterwards."""
    limiter, limits = SharedLimiter(stores[0], "node_a"), UserLimits(concurrency=1)
    for pauses in range(12):
        entering = asyncio.ensure_future(limiter.enter(ANA, limits))
        for _ in range(pauses):
            await asyncio.sleep(0)
        entering.cancel()
        (told,) = await asyncio.gather(entering, return_exceptions=True)
        if not isinstance(told, BaseException):
            limiter.leave(ANA, limits)
        async with asyncio.timeout(10):
            while not (await limiter.enter(ANA, limits)).allowed:
                await asyncio.sleep(0.01)
        limiter.leave(ANA, limits)
    await limiter.aclose()
