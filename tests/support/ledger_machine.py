"""The ledger as a state machine: any order of events, the store beside its twin, the books checked after each."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from relevo.core.ledger import (
    Act,
    ActRefused,
    Block,
    Change,
    Closing,
    Cost,
    Grant,
    HoldOrder,
    Refund,
    Reserved,
    Revoke,
    Terms,
)
from relevo.core.types import Principal
from relevo.store.audit import Audit
from relevo.store.ledger import StoredLedger
from support.clock import FakeClock
from support.twin import Twin

T = TypeVar("T")
CREDIT = 1_000_000
TTL_MS = 24_000
OWNERS = (
    Principal("app", "ana"),
    Principal("other", "ana"),  # the same sub of another issuer is somebody else
    Principal("app", "bot", "machine"),
    Principal("app", "guest", "anonymous"),
)
TERMS = (
    Terms(),
    Terms(signup_micro=50 * CREDIT, monthly_micro=20 * CREDIT),
    Terms(signup_micro=30 * CREDIT, daily_limit_micro=60 * CREDIT),
)
amounts = st.integers(0, 40 * CREDIT) | st.sampled_from([0, 1, 10 * CREDIT])
owners = st.sampled_from(OWNERS)
costs = st.integers(0, 10**9).map(
    lambda nano: (Cost(number=1, provider="p", upstream_model="m", nano_usd=nano, borne_by="caller"),)
)


class Bench(Protocol):
    """A store that can be taken down and brought up again, with a clock that the test moves."""

    ledger: StoredLedger
    clock: FakeClock

    async def up(self) -> None:
        """Open it, as a new process would."""

    async def down(self) -> None:
        """Leave it as a process does that dies."""

    async def after_crash(self) -> int:
        """What a new process does first: release holds of the dead. How many."""

    async def audit(self) -> Audit:
        """Recompute everything."""


class LedgerMachine(RuleBasedStateMachine):
    """Rules for one account after another; `bench` is set by each store's test."""

    holds = Bundle("holds")
    closed = Bundle("closed")
    grants = Bundle("grants")

    make_bench: Callable[[], Bench]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.bench = self.make_bench()
        self.twin = Twin(self.bench.clock)
        self.numbers = itertools.count(1)
        self.terms = Terms()
        self.run(self.bench.up())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.bench.down())
        self.loop.close()

    @initialize(terms=st.sampled_from(TERMS))
    def choose(self, terms: Terms) -> None:
        self.terms = terms

    # money in

    @rule(
        target=grants,
        owner=owners,
        kind=st.sampled_from(["bonus", "purchase"]),
        amount=st.integers(1, 100 * CREDIT),
        lives_s=st.none() | st.sampled_from([1, 60, 86_400]),
    )
    def grant(self, owner: Principal, kind: Any, amount: int, lives_s: int | None) -> Any:
        expires = None if lives_s is None else self.twin.now_ms + lives_s * 1000
        act = self.order(owner, Grant(kind=kind, amount_micro=amount, expires_at_ms=expires))
        self.both(act)
        return act

    @rule(act=grants)
    def replay_an_act(self, act: Act) -> None:
        assert self.both(act) is True

    @rule(act=grants, owner=owners)
    def reuse_a_key(self, act: Act, owner: Principal) -> None:
        self.both(Act(key=act.key, actor="t", reason="", owner=owner, change=Revoke(amount_micro=1)))

    @rule(act=grants)
    def refund(self, act: Act) -> None:
        self.both(self.order(act.owner, Refund(grant_key=act.key)))

    @rule(owner=owners, amount=amounts)
    def revoke(self, owner: Principal, amount: int) -> None:
        self.both(self.order(owner, Revoke(amount_micro=amount)))

    @rule(owner=owners, blocked=st.booleans())
    def block(self, owner: Principal, blocked: bool) -> None:
        self.both(self.order(owner, Block(blocked=blocked)))

    # money out

    @rule(target=holds, owner=owners, amount=amounts, floor=st.none() | amounts)
    def reserve(self, owner: Principal, amount: int, floor: int | None) -> Any:
        order = HoldOrder(
            id=f"req_{next(self.numbers)}",
            task="T",
            amount_micro=amount,
            floor_micro=floor,
            cost_guess_nano_usd=7,
            node="node",
            ttl_ms=TTL_MS,
        )
        before = self.twin.balance(owner, self.terms) if floor is None else None
        told = self.run(self.bench.ledger.reserve(owner, order, self.terms))
        assert told == self.twin.reserve(owner, order, self.terms)
        if not isinstance(told, Reserved):
            return multiple()
        if before is not None and amount:
            assert before.available_micro >= amount
            assert told.available_micro >= 0
        return (owner, order)

    @rule(hold=holds)
    def replay_a_reserve(self, hold: tuple[Principal, HoldOrder]) -> None:
        told = self.run(self.bench.ledger.reserve(*hold, self.terms))
        assert told == self.twin.reserve(*hold, self.terms)

    @rule(target=closed, hold=consumes(holds), share=st.sampled_from([0, 1, 99, 100, 150]), costs=costs)
    def close(self, hold: tuple[Principal, HoldOrder], share: int, costs: tuple[Cost, ...]) -> Any:
        """Release, settle below, at or above the hold; late where it had expired."""
        order = hold[1]
        closing = Closing(charge_micro=order.amount_micro * share // 100, costs=costs)
        told = self.run(self.bench.ledger.close(order.id, closing, self.terms))
        assert told == self.twin.close(order.id, closing, self.terms)
        return order.id

    @rule(hold_id=closed, charge=amounts)
    def close_again(self, hold_id: str, charge: int) -> None:
        """A hold ends once: whatever comes later is told what came first."""
        closing = Closing(charge_micro=charge)
        told = self.run(self.bench.ledger.close(hold_id, closing, self.terms))
        assert told == self.twin.close(hold_id, closing, self.terms)

    # time and trouble

    @rule(seconds=st.sampled_from([1, 30, 3600, 86_400, 32 * 86_400]))
    def time_passes(self, seconds: int) -> None:
        self.bench.clock.pass_s(seconds)

    @rule(days=st.sampled_from([-1, 1]))
    def wall_clock_jumps(self, days: int) -> None:
        self.bench.clock.wall += days * 86_400

    @rule(keep=st.booleans())
    def sweep(self, keep: bool) -> None:
        """Holds past their time are released, except those that this process has in hand."""
        live = tuple(hold_id for hold_id, hold in self.twin.holds.items() if keep and hold.state == "open")
        assert self.run(self.bench.ledger.expire_due(live)) == self.twin.expire_due(live)

    @precondition(lambda self: self.twin.holds)
    @rule()
    def heartbeat(self) -> None:
        alive = [hold_id for hold_id, hold in self.twin.holds.items() if hold.state == "open"]
        self.run(self.bench.ledger.renew(alive, TTL_MS))
        for hold_id in alive:
            hold = self.twin.holds[hold_id]
            hold.expires_ms = max(hold.expires_ms, self.twin.now_ms + TTL_MS)

    @rule()
    def crash_and_reopen(self) -> None:
        self.run(self.bench.down())
        self.run(self.bench.up())
        released = self.run(self.bench.after_crash())
        if released:
            for hold in self.twin.holds.values():
                hold.expires_ms = min(hold.expires_ms, self.twin.now_ms)
            assert self.twin.expire_due(()) == released

    @invariant()
    def the_books_add_up(self) -> None:
        audit = self.run(self.bench.audit())
        assert audit.differences == ()
        assert audit.balance_micro + sum(audit.houses.values()) == 0
        for owner, account in list(self.twin.accounts.items()):
            entries = self.run(self.bench.ledger.entries(owner, 10_000))[::-1]
            assert [(entry.kind, entry.amount_micro) for entry in entries] == account.movements
            assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))

    @rule(owner=owners)
    def look(self, owner: Principal) -> None:
        assert self.run(self.bench.ledger.balance(owner, self.terms)) == self.twin.balance(owner, self.terms)

    def order(self, owner: Principal, change: Change) -> Act:
        return Act(key=f"act {next(self.numbers)}", actor="test", reason="because", owner=owner, change=change)

    def both(self, act: Act) -> bool:
        """Order it from both; they agree on the result or on the refusal. Whether it was a replay."""
        try:
            expected = self.twin.act(act, self.terms)
        except ActRefused:
            try:
                self.run(self.bench.ledger.act(act, self.terms))
            except ActRefused:
                return False
            raise AssertionError(f"the twin refused {act}") from None
        done = self.run(self.bench.ledger.act(act, self.terms))
        assert done == expected
        return done.replayed
