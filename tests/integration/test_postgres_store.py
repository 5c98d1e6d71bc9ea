"""Every operation of the ledger, the keys, the record and the limits says the same on both stores."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from relevo.core.ledger import (
    Act,
    ActRefused,
    Block,
    Bucket,
    Change,
    Claim,
    Claimed,
    Closed,
    Closing,
    Cost,
    KeptAnswer,
    Refund,
    Refused,
    Reserved,
    Revoke,
    StoreUnavailable,
    Terms,
)
from relevo.core.limits import Entered, UserLimits
from relevo.core.record import Attempt, RequestRecord
from relevo.core.types import Usage
from relevo.store.opening import make_reader
from relevo.store.record_reader import Filter, RecordReader
from relevo.store.record_writer import RecordWriter
from support.postgres import PostgresServer
from support.worlds import (
    ANA,
    BEN,
    CREDIT,
    DAY_MS,
    NO_TERMS,
    NOON_MS,
    ROBOT,
    World,
    order,
    paid,
    postgres_world,
    sqlite_world,
)

CLAIM = Claim(owner=ANA, key_hash=b"k" * 32, body_hash=b"b" * 32, request_id="req_1", node="node_a", ttl_ms=24_000)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | tuple[PostgresServer, str]:
    """Where the world is. Not async: the server is started outside of any loop."""
    if request.param == "sqlite":
        return tmp_path
    return request.getfixturevalue("postgres"), request.getfixturevalue("database")


@pytest.fixture
async def world(place: Path | tuple[PostgresServer, str]) -> AsyncIterator[World]:
    async with sqlite_world(place) if isinstance(place, Path) else postgres_world(*place) as made:
        yield made


def act(key: str, change: Change) -> Act:
    return Act(key=key, actor="test", reason="why", owner=ANA, change=change)


async def test_a_call_is_held_then_charged(world: World) -> None:
    """The ordinary way: set aside, charge less, the rest is free again; the entry says it all."""
    await world.give(ANA, 10)

    assert await world.ledger.reserve(ANA, order(1, 4), NO_TERMS) == Reserved(
        amount_micro=4 * CREDIT, available_micro=6 * CREDIT
    )
    closed = await world.ledger.close("req_1", paid(1.5), NO_TERMS)

    assert closed == Closed(state="settled", charged_micro=1_500_000, available_micro=8_500_000)
    (entry, gift) = await world.ledger.entries(ANA, 10)
    assert (entry.seq, entry.kind, entry.amount_micro, entry.balance_micro) == (2, "charge", -1_500_000, 8_500_000)
    assert (entry.hold_id, entry.at_ms, entry.actor, gift.act_key) == ("req_1", NOON_MS, "relevo", "gift")
    assert world.sql("SELECT nano_usd, borne_by, estimated FROM cost") == [(7, "caller", 0)]
    assert world.sql("SELECT unassigned_micro, spent_micro, spent_day FROM account") == [
        (1_500_000, 1_500_000, NOON_MS // DAY_MS)
    ]
    assert world.sql("SELECT state, charged_micro, available_micro, late, closed_ms FROM hold") == [
        ("settled", 1_500_000, 8_500_000, 0, NOON_MS)
    ]


async def test_the_same_order_and_the_same_closing_twice_are_one(world: World) -> None:
    """Whoever lost a reply asks again, and hears the same."""
    await world.give(ANA, 10)
    first = await world.ledger.reserve(ANA, order(1, 4), NO_TERMS)

    assert await world.ledger.reserve(ANA, order(1, 4), NO_TERMS) == first
    closed = await world.ledger.close("req_1", paid(2), NO_TERMS)
    assert await world.ledger.close("req_1", paid(3), NO_TERMS) == closed
    assert await world.ledger.close("req_1", Closing(charge_micro=0), NO_TERMS) == closed
    with pytest.raises(LookupError):
        await world.ledger.close("req_none", paid(1), NO_TERMS)


async def test_what_cannot_be_set_aside_is_refused_with_numbers(world: World) -> None:
    """Too little; less is accepted down to a floor; blocked; the day's limit."""
    await world.give(ANA, 3)
    terms = Terms(daily_limit_micro=4 * CREDIT)

    refused = await world.ledger.reserve(ANA, order(1, 5), NO_TERMS)
    assert refused == Refused(why="insufficient", required_micro=5 * CREDIT, available_micro=3 * CREDIT)
    clamped = await world.ledger.reserve(ANA, order(2, 5, floor_micro=CREDIT), NO_TERMS)
    assert clamped == Reserved(amount_micro=3 * CREDIT, available_micro=0)
    assert (await world.ledger.close("req_2", paid(3), NO_TERMS)).available_micro == 0
    await world.give(ANA, 10, "more")
    limited = await world.ledger.reserve(ANA, order(3, 2), terms)
    assert limited == Refused(
        why="daily_limit", required_micro=2 * CREDIT, resets_at_ms=(NOON_MS // DAY_MS + 1) * DAY_MS
    )
    assert isinstance(await world.ledger.reserve(ANA, order(4, 1), terms), Reserved)
    await world.later(DAY_MS)
    assert isinstance(await world.ledger.reserve(ANA, order(5, 2), terms), Reserved)
    await world.ledger.act(act("block", Block(blocked=True)), Terms())
    assert await world.ledger.is_blocked(ANA)
    assert not await world.ledger.is_blocked(BEN)
    assert await world.ledger.reserve(ANA, order(6), NO_TERMS) == Refused(why="blocked")


async def test_an_answer_may_cost_more_than_was_held(world: World) -> None:
    """All of it is charged, the balance goes negative, and the next call is refused."""
    await world.give(ANA, 1)
    await world.ledger.reserve(ANA, order(1), NO_TERMS)

    assert (await world.ledger.close("req_1", paid(2.5), NO_TERMS)).available_micro == -1_500_000
    refused = await world.ledger.reserve(ANA, order(2), NO_TERMS)
    assert refused == Refused(why="insufficient", required_micro=CREDIT, available_micro=-1_500_000)
    assert isinstance(await world.ledger.reserve(ANA, order(3, 0), NO_TERMS), Reserved)


async def test_releases_several_costs_and_kept_answers_take_the_steps(world: World) -> None:
    """What one statement cannot do is done by the steps, in the same transaction."""
    await world.give(ANA, 5)
    for number in (1, 2):
        await world.ledger.reserve(ANA, order(number), NO_TERMS)
    await world.ledger.claim(CLAIM)
    house = Cost(number=1, provider="a", upstream_model="m", nano_usd=1, borne_by="house", estimated=True)
    kept = KeptAnswer(request_id="req_1", owner=ANA, key_hash=CLAIM.key_hash, sealed=b"sealed", ttl_ms=DAY_MS)

    released = await world.ledger.close("req_2", Closing(charge_micro=0, costs=[house]), NO_TERMS)
    assert released == Closed(state="released", charged_micro=0, available_micro=4 * CREDIT)
    costs = [house, replace(house, number=2, borne_by="caller", estimated=False)]
    await world.ledger.close("req_1", Closing(charge_micro=CREDIT, costs=costs, answer=kept), NO_TERMS)
    assert world.sql("SELECT hold_id, number, borne_by, estimated FROM cost ORDER BY hold_id, number") == [
        ("req_1", 1, "house", 1), ("req_1", 2, "caller", 0), ("req_2", 1, "house", 1),
    ]  # fmt: skip
    answered = await world.ledger.claim(replace(CLAIM, request_id="req_9"))
    assert answered == Claimed(
        state="answered", sealed=b"sealed", request_id="req_1", charged_micro=CREDIT, available_micro=4 * CREDIT
    )


async def test_persons_get_signup_and_monthly_grants(world: World) -> None:
    """Once, and each month anew; what is left of a month ends with it. Machines get none."""
    terms = Terms(signup_micro=5 * CREDIT, monthly_micro=2 * CREDIT)

    assert await world.ledger.reserve(ROBOT, order(1), terms) == Refused(why="insufficient", required_micro=CREDIT)
    await world.ledger.reserve(ANA, order(2), terms)
    await world.ledger.close("req_2", paid(1), terms)
    balance = await world.ledger.balance(ANA, terms)
    april_ms = 1_775_001_600_000
    assert balance.buckets == (
        Bucket(kind="monthly", remaining_micro=CREDIT, expires_at_ms=april_ms),
        Bucket(kind="signup", remaining_micro=5 * CREDIT, expires_at_ms=None),
    )
    assert balance.resets_at_ms == april_ms
    await world.at(april_ms + 1)
    balance = await world.ledger.balance(ANA, terms)
    assert (balance.balance_micro, balance.held_micro) == (7 * CREDIT, 0)
    kinds = [entry.kind for entry in await world.ledger.entries(ANA, 10)]
    assert kinds == ["monthly", "expire", "charge", "monthly", "signup"]


async def test_a_grant_that_expires_in_the_middle_is_rolled_before_the_charge(world: World) -> None:
    """Neither quick statement looks at an account that is due; money under a hold does not expire."""
    await world.give(ANA, 4, expires_at_ms=NOON_MS + 60_000)
    await world.ledger.reserve(ANA, order(1, 3), NO_TERMS)
    await world.later(60_001)

    closed = await world.ledger.close("req_1", paid(2), NO_TERMS)
    assert closed.available_micro == CREDIT  # the one that was not under the hold has expired
    refused = await world.ledger.reserve(ANA, order(2), NO_TERMS)
    assert refused == Refused(why="insufficient", required_micro=CREDIT, available_micro=0)


async def test_acts_happen_once_and_say_what_they_did(world: World) -> None:
    """Grant, revoke, refund; the same key again; the same key for something else; what cannot be done."""
    done = await world.give(ANA, 10, "pay", kind="purchase")
    assert (done.moved_micro, done.before_micro, done.after_micro, done.replayed) == (
        10 * CREDIT,
        0,
        10 * CREDIT,
        False,
    )

    assert (await world.give(ANA, 10, "pay", kind="purchase")).replayed
    with pytest.raises(ActRefused, match="used for something else"):
        await world.give(ANA, 11, "pay", kind="purchase")
    with pytest.raises(ActRefused, match="used for something else"):
        await world.give(BEN, 10, "pay", kind="purchase")
    assert (await world.ledger.act(act("r", Revoke(amount_micro=4 * CREDIT)), Terms())).after_micro == 6 * CREDIT
    with pytest.raises(ActRefused, match="only 6"):
        await world.ledger.act(act("r2", Revoke(amount_micro=7 * CREDIT)), Terms())
    await world.ledger.reserve(ANA, order(1, 2), NO_TERMS)
    assert (await world.ledger.act(act("back", Refund(grant_key="pay")), Terms())).moved_micro == -4 * CREDIT
    with pytest.raises(ActRefused, match="no grant with the key"):
        await world.ledger.act(act("back2", Refund(grant_key="none")), Terms())
    assert world.sql("SELECT COUNT(*) FROM act") == [(3,)]


async def test_holds_without_a_sign_of_life_expire_and_may_be_charged_late(world: World) -> None:
    """Renewed ones and those at work stay; the rest is written off, and a late answer is charged once."""
    await world.give(ANA, 10)
    for number in (1, 2, 3):
        await world.ledger.reserve(ANA, order(number, cost_guess_nano_usd=50), NO_TERMS)
    await world.ledger.renew(["req_1"], 60_000)
    await world.later(24_001)

    assert await world.ledger.expire_due(["req_2"]) == 1
    assert await world.ledger.expire_due(["req_2"]) == 0
    assert world.sql("SELECT hold_id, nano_usd, borne_by FROM cost") == [("req_3", 50, "house")]
    assert world.sql("SELECT id FROM hold WHERE state = 'open' ORDER BY id") == [("req_1",), ("req_2",)]
    late = await world.ledger.close("req_3", paid(1), NO_TERMS)
    assert late == Closed(state="settled", charged_micro=CREDIT, available_micro=7 * CREDIT)
    assert world.sql("SELECT late FROM hold WHERE id = 'req_3'") == [(1,)]
    assert world.sql("SELECT nano_usd FROM cost WHERE hold_id = 'req_3'") == [(7,)]
    assert await world.ledger.expire_due([], dead_node="node_b") == 2


async def test_entries_are_only_ever_added(world: World) -> None:
    """Not even past the store's own door."""
    await world.give(ANA, 1)
    for statement in ("UPDATE entry SET amount_micro = 5", "DELETE FROM entry"):
        with pytest.raises(Exception, match=r"entries are only ever added|attempt to write a readonly"):
            world.sql(statement)


async def test_a_claim_that_was_lost_is_not_charged(world: World) -> None:
    """A process keeps its running claims itself; one that another took over is neither charged nor kept."""
    await world.give(ANA, 10)
    await world.ledger.claim(CLAIM)
    await world.ledger.reserve(ANA, order(1, 4), NO_TERMS)
    await world.later(60_000)
    await world.ledger.forget("node_a")
    assert (
        await world.ledger.claim(replace(CLAIM, request_id="req_9", node="node_a"))
    ).state == "new"  # past its time
    kept = KeptAnswer(request_id="req_1", owner=ANA, key_hash=CLAIM.key_hash, sealed=b"s", ttl_ms=DAY_MS)

    closed = await world.ledger.close("req_1", paid(4, answer=kept), NO_TERMS)

    assert (closed.state, closed.charged_micro) == ("released", 0)
    assert (await world.ledger.claim(replace(CLAIM, request_id="req_10"))).state == "in_flight"
    assert world.sql("SELECT borne_by FROM cost") == [("house",)]


async def test_a_key_is_one_request(world: World) -> None:
    """New, in flight, another body, given back, past its time, of a dead process."""
    twin = replace(CLAIM, request_id="req_2")

    assert (await world.ledger.claim(CLAIM)).state == "new"
    assert (await world.ledger.claim(CLAIM)).state == "new"  # its first reply was lost
    assert (await world.ledger.claim(twin)).state == "in_flight"
    assert (await world.ledger.claim(replace(twin, body_hash=b"c" * 32))).state == "mismatch"
    assert (await world.ledger.claim(replace(twin, owner=BEN))).state == "new"
    await world.ledger.free(twin)  # not its own
    assert (await world.ledger.claim(twin)).state == "in_flight"
    await world.ledger.free(CLAIM)
    assert (await world.ledger.claim(twin)).state == "new"
    await world.later(20_000)
    await world.ledger.renew_claims([twin])
    await world.later(20_000)
    await world.ledger.forget("node_z")
    assert (await world.ledger.claim(CLAIM)).state == "in_flight"
    assert world.sql("SELECT COUNT(*) FROM idempotency") == [(1,)]
    await world.ledger.forget("node_b", alone=True)
    assert (await world.ledger.claim(CLAIM)).state == "new"
    await world.ledger.keep(
        KeptAnswer(request_id="req_1", owner=ANA, key_hash=CLAIM.key_hash, sealed=b"s", ttl_ms=DAY_MS)
    )
    kept = await world.ledger.claim(twin)
    assert (kept.state, kept.sealed, kept.charged_micro) == ("answered", b"s", None)
    await world.later(DAY_MS)
    assert (await world.ledger.claim(twin)).state == "new"


async def test_the_record_comes_back_as_it_went_in(world: World) -> None:
    """Rows with their tries, filters, pages; what is too old goes; the same row twice is one."""
    attempts = (
        Attempt(number=1, provider="a", upstream_model="m", outcome="failed", code="rate_limited", ms=5, detail="50 %"),
        Attempt(number=2, provider="b", upstream_model="m", outcome="ok", ms=7, cost_nano_usd=12,
                usage=Usage(input_tokens=4, output_tokens=3, cached_input_tokens=2, reasoning_output_tokens=1)),
    )  # fmt: skip
    rows = [
        RequestRecord(id=f"req_{n}", started_at_ms=NOON_MS - n * DAY_MS, issuer="app", subject="ana" if n % 2 else "ben",
                      task="T", outcome="ok", code=None, http_status=200, ms=9, attempts=attempts if n != 4 else ())
        for n in range(5)
    ]  # fmt: skip
    writer = RecordWriter(world.store, keep_days=3, clock=world.clock)
    for row in rows:
        writer.request_finished(row)
    writer.start()
    await writer.aclose()
    reader = RecordReader(world.store)

    assert (writer.dropped, writer.healthy) == (0, True)
    found = await reader.latest(Filter(), limit=10)
    assert [row for _, row in found] == rows
    assert [row for _, row in await reader.latest(Filter(subject="ana", issuer="app"), limit=1)] == [rows[3]]
    assert [row for _, row in await reader.after(found[2][0], Filter(failed=True), limit=10)] == [rows[3]]
    assert await writer._prune()
    assert [row.id for _, row in await reader.latest(Filter(), limit=10)] == ["req_0", "req_1", "req_2", "req_3"]


async def test_limits_of_a_user(world: World) -> None:
    """So many at once, so many a minute, as a bucket that fills steadily; blocked ones none; others are others."""
    limiter = await world.make_limiter("node_a")
    two = UserLimits(requests_per_minute=3, concurrency=2)
    no_limits = UserLimits()

    assert [(await limiter.enter(ANA, two)).allowed for _ in range(3)] == [True, True, False]
    assert await limiter.enter(ANA, two) == Entered(allowed=False)  # when one ends
    assert (await limiter.enter(BEN, two)).allowed
    limiter.leave(ANA, two)
    async with asyncio.timeout(10):
        while not (await limiter.enter(ANA, two)).allowed:  # leaving is written behind the caller
            await asyncio.sleep(0)
    limiter.leave(ANA, two)
    refused = await limiter.enter(ANA, two)
    assert not refused.allowed
    assert refused.retry_after_ms == pytest.approx(20_000, abs=2)
    await world.later(20_001)
    assert (await limiter.enter(ANA, two)).allowed
    assert [(await limiter.enter(BEN, no_limits)).allowed for _ in range(50)] == [True] * 50
    await world.ledger.act(act("block", Block(blocked=True)), Terms())
    assert await limiter.enter(ANA, two) == Entered(allowed=False, blocked=True)
    assert await limiter.enter(ANA, no_limits) == Entered(allowed=False, blocked=True)
    await world.ledger.act(act("unblock", Block(blocked=False)), Terms())
    await world.later(60_000)
    limiter.leave(ANA, two)
    assert (await limiter.enter(ANA, two)).allowed


async def test_reading_makes_nothing(postgres: PostgresServer) -> None:
    """A reader of an empty database says so, and one of a real one never writes."""
    postgres.execute("CREATE DATABASE bare TEMPLATE template0")
    try:
        bare = make_reader(postgres.url("bare"), Path(), None)  # type: ignore[arg-type]
        with pytest.raises(Exception, match="`relevo serve` makes it"):
            await bare.start()
        assert postgres.execute("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'", "bare") == [(0,)]
    finally:
        postgres.execute("DROP DATABASE bare WITH (FORCE)")
    reader = make_reader(postgres.url("template1"), Path(), None)  # type: ignore[arg-type]
    await reader.start()
    async with aclosing(reader):
        assert await RecordReader(reader).latest(Filter(), limit=1) == []
        with pytest.raises(StoreUnavailable, match="for reading"):
            await asyncio.wait_for(reader.write(None), 1)  # type: ignore[arg-type]
