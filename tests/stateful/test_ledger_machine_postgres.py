"""The state machine of the ledger on a real PostgreSQL."""

from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from relevo.store.audit import Audit
from relevo.store.ledger import StoredLedger
from support.clock import FakeClock
from support.ledger_machine import LedgerMachine
from support.postgres import ClockedStore, database
from support.soak import examples


class PostgresBench:
    """A database of its own, with the test's clock in place of the server's."""

    def __init__(self, address: str) -> None:
        self.stack = ExitStack()
        self.url = self.stack.enter_context(database(address))
        self.clock = FakeClock()

    async def up(self) -> None:
        self.store = ClockedStore(self.url, self.clock)
        await self.store.start()
        self.ledger = StoredLedger(self.store)

    async def down(self) -> None:
        await self.store.aclose()

    async def after_crash(self) -> int:
        """Other processes may be alive: holds wait for their time."""
        return 0

    async def audit(self) -> Audit:
        return await self.ledger.audit()


@pytest.mark.slow
def test_postgres_and_its_twin_always_agree(postgres: str) -> None:
    """Any order of events on PostgreSQL: the results are the twin's, and the books add up after each."""

    class PostgresMachine(LedgerMachine):
        def make_bench(self) -> PostgresBench:
            return PostgresBench(postgres)

        def teardown(self) -> None:
            super().teardown()
            self.bench.stack.close()  # type: ignore[attr-defined]

    quiet = settings(deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(PostgresMachine, settings=settings(quiet, max_examples=examples(20)))
