"""The state machine of the ledger on SQLite and on its in-memory twin (PostgreSQL has a file of its own)."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from relevo.core.ledger import Act, Balance, Closed, Closing, Done, Entry, HoldOrder, Refused, Reserved, Terms
from relevo.core.types import Principal
from relevo.store.audit import Audit
from relevo.store.ledger import StoredLedger
from relevo.store.sqlite import SqliteStore
from support.clock import FakeClock
from support.ledger_machine import LedgerMachine
from support.soak import examples
from support.twin import Twin


class SqliteBench:
    """A SQLite file in a folder of its own."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.boots = 0

    async def up(self) -> None:
        self.boots += 1
        self.store = SqliteStore(Path(self.folder.name) / "relevo.db", self.clock)
        self.ledger = StoredLedger(self.store)

    async def down(self) -> None:
        await self.store.aclose()

    async def after_crash(self) -> int:
        return await self.ledger.expire_due((), f"boot {self.boots}")

    async def audit(self) -> Audit:
        return await self.ledger.audit()


class SqliteMachine(LedgerMachine):
    make_bench = SqliteBench

    def teardown(self) -> None:
        super().teardown()
        self.bench.folder.cleanup()  # type: ignore[attr-defined]


class TwinLedger:
    """A twin in the place of a store: checks the twin's own promises by the same rules."""

    def __init__(self, twin: Twin) -> None:
        self.twin = twin

    async def reserve(self, owner: Principal, order: HoldOrder, terms: Terms) -> Reserved | Refused:
        return self.twin.reserve(owner, order, terms)

    async def close(self, hold_id: str, closing: Closing, terms: Terms) -> Closed:
        return self.twin.close(hold_id, closing, terms)

    async def renew(self, hold_ids: Sequence[str], ttl_ms: int) -> None:
        for hold_id in hold_ids:
            hold = self.twin.holds[hold_id]
            hold.expires_ms = max(hold.expires_ms, self.twin.now_ms + ttl_ms)

    async def expire_due(self, live: Sequence[str], dead_node: str | None = None) -> int:
        return self.twin.expire_due(tuple(live))

    async def balance(self, owner: Principal, terms: Terms) -> Balance:
        return self.twin.balance(owner, terms)

    async def act(self, act: Act, terms: Terms) -> Done:
        return self.twin.act(act, terms)

    async def entries(self, owner: Principal, limit: int) -> list[Entry]:
        balance, found = 0, []
        for seq, (kind, amount) in enumerate(self.twin.accounts[owner].movements, start=1):
            balance += amount
            found.append(
                Entry(
                    seq=seq,
                    kind=kind,
                    amount_micro=amount,
                    balance_micro=balance,
                    at_ms=0,
                    hold_id=None,
                    act_key=None,
                    actor="",
                    reason="",
                )
            )
        return found[::-1][:limit]


class TwinBench:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.ledger: Any = TwinLedger(Twin(self.clock))

    async def up(self) -> None:
        pass

    async def down(self) -> None:
        pass

    async def after_crash(self) -> int:
        return 0

    async def audit(self) -> Audit:
        """The invariants, straight from the twin's own state."""
        twin: Twin = self.ledger.twin
        for account in twin.accounts.values():
            assert account.balance == sum(amount for _, amount in account.movements)
            held = sum(
                hold.amount for hold in twin.holds.values() if hold.account is account and hold.state == "open"
            )
            assert account.held == held
            assert account.debt == 0 or all(grant.left == 0 for grant in account.grants)
            assert all(grant.left >= 0 for grant in account.grants)
        total = sum(account.balance for account in twin.accounts.values())
        return Audit(
            differences=(), stale_holds=(), accounts=0, entries=0, holds=0, open_holds=0, balance_micro=total,
            houses={"all": -total},
        )  # fmt: skip


class TwinMachine(LedgerMachine):
    make_bench = TwinBench


_QUIET = settings(
    deadline=None, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


@pytest.mark.slow
def test_sqlite_and_its_twin_always_agree() -> None:
    """Any order of events on SQLite: the results are the twin's, and the books add up after each."""
    run_state_machine_as_test(SqliteMachine, settings=settings(_QUIET, max_examples=examples(100)))


def test_sqlite_and_its_twin_agree_a_few_times() -> None:
    """The same, short enough for every commit."""
    run_state_machine_as_test(SqliteMachine, settings=settings(_QUIET, max_examples=15))


def test_the_twin_keeps_its_own_promises() -> None:
    """The same events on the twin alone: the model that judges the stores holds its invariants."""
    run_state_machine_as_test(TwinMachine, settings=settings(_QUIET, max_examples=examples(150)))
