"""The state machine of the ledger on a real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from relevo.store.audit import Audit
from relevo.store.ledger import StoredLedger
from relevo.store.postgres import Connection, PostgresStore
from support.clock import FakeClock
from support.ledger_machine import LedgerMachine
from support.postgres import PostgresServer
from support.soak import examples


class ClockedStore(PostgresStore):
    """PostgreSQL with the test's clock in place of its own."""

    def __init__(self, url: str, clock: FakeClock) -> None:
        super().__init__(url)
        self.clock = clock

    @asynccontextmanager
    async def _connection(self, wait_s: float) -> AsyncIterator[Connection]:
        async with super()._connection(wait_s) as connection:
            now_ms = str(int(self.clock.wall_s() * 1000))
            await connection.execute("SELECT set_config('relevo.now_ms', %s, false)", (now_ms,))
            yield connection


class PostgresBench:
    """A database of its own, with the test's clock in place of the server's."""

    def __init__(self, server: PostgresServer) -> None:
        self.stack = ExitStack()
        self.url = server.url(self.stack.enter_context(server.database()))
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
def test_postgres_and_its_twin_always_agree(postgres: PostgresServer) -> None:
    """Any order of events on PostgreSQL: the results are the twin's, and the books add up after each."""

    class PostgresMachine(LedgerMachine):
        def make_bench(self) -> PostgresBench:
            return PostgresBench(postgres)

        def teardown(self) -> None:
            super().teardown()
            self.bench.stack.close()  # type: ignore[attr-defined]

    quiet = settings(deadline=None, stateful_step_count=40, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(PostgresMachine, settings=settings(quiet, max_examples=examples(12)))
