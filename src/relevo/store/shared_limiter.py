"""Limits of users over all processes of one PostgreSQL database: one statement a request, in the user's row.

Each running request has a ticket there that names its process. A process keeps its tickets valid by a sign of
life (`heartbeat`); those of one that was killed end with its lease.
"""

import asyncio
import logging
from collections import defaultdict
from functools import partial
from typing import Final

from relevo.core.ids import node_id
from relevo.core.ledger import Row, StoreUnavailable
from relevo.core.limits import Entered, UserLimits
from relevo.core.types import Principal
from relevo.store.base import Many, Q, Steps, Store, Tx

LEASE_MS: Final = 24_000
"""How long the tickets of a process outlive it."""
_MINUTE_US: Final = 60_000_000

Owner = tuple[str, str]
_log = logging.getLogger(__name__)


class SharedLimiter:
    """See `core.limits.Limiter`. `heartbeat` every third of `LEASE_MS`, and `sweep` now and then, keep it right."""

    def __init__(self, store: Store, node: str) -> None:
        """Args: node: this process, by a name that no other one ever had."""
        self._store = store
        self._node = node
        self._tickets: defaultdict[Owner, list[str]] = defaultdict(list)
        self._leaving: list[tuple[Owner, str]] = []
        self._flushing: asyncio.Task[None] | None = None
        self._number = 0
        self._prefix = node_id()

    async def enter(self, owner: Principal, limits: UserLimits) -> Entered:
        """See `Limiter.enter`."""
        key = (owner.issuer, owner.subject)
        entered, ticket = await self._ask(key, limits)
        if not entered.allowed and not entered.retry_after_ms and any(left == key for left, _ in self._leaving):
            await self._flushed()  # its earlier request has ended, the row only does not know yet
            entered, ticket = await self._ask(key, limits)
        if entered.allowed and limits.concurrency:
            self._tickets[key].append(ticket)
        return entered

    def leave(self, owner: Principal, limits: UserLimits) -> None:  # noqa: ARG002 - the protocol's signature
        """See `Limiter.leave`. The row hears of it behind the answer, many at a time."""
        key = (owner.issuer, owner.subject)
        tickets = self._tickets.get(key)
        if not tickets:  # entered while concurrency had no limit
            return
        self._leaving.append((key, tickets.pop()))
        if not tickets:
            del self._tickets[key]
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush(), name="relevo-limits")

    async def heartbeat(self) -> None:
        """A sign of life of this process, and what could not be told before. Raises: StoreUnavailable."""
        await self._store.write(Tx(partial(_steps, step=Q("renew_node", {"node": self._node, "ttl_ms": LEASE_MS}))))
        if self._leaving:
            await self._flushed()

    async def sweep(self) -> int:
        """Forget dead processes, and users who are at rest; a piece at a time. Raises: StoreUnavailable."""
        await self._store.write(Tx(partial(_steps, step=Q("delete_due_nodes"))))
        await self._store.write(Tx(partial(_steps, step=Q("delete_idle_users"))))
        return 0

    async def aclose(self) -> None:
        """Give everything back at once, in place of letting the lease end. A store that is gone is no error."""
        if self._flushing is not None:
            await self._flushing
        try:
            await self._store.write(Tx(partial(_steps, step=Q("end_node", {"node": self._node}))))
        except StoreUnavailable as error:
            _log.warning("the requests of this process count until its lease ends: %s", error)

    async def _ask(self, key: Owner, limits: UserLimits) -> tuple[Entered, str]:
        self._number += 1
        ticket = f"{self._prefix}.{self._number}"
        per_minute = limits.requests_per_minute
        asked = Q(
            "enter_user",
            {
                "issuer": key[0], "subject": key[1], "node": self._node, "ticket": ticket,
                "gap_us": _MINUTE_US // per_minute if per_minute else 0, "concurrency": limits.concurrency,
            },
        )  # fmt: skip
        asking = asyncio.ensure_future(self._store.write(Tx(partial(_row, step=asked), quick=asked, of_row=tuple)))
        try:
            return _entered(await asyncio.shield(asking)), ticket
        except BaseException:  # whoever asked has gone, or the answer was lost: the row may have the ticket
            asking.add_done_callback(lambda done: self._give_up(done, key, ticket))
            raise

    def _give_up(self, asked: asyncio.Future[Row], key: Owner, ticket: str) -> None:
        if not asked.cancelled():
            asked.exception()  # it has been told, or nobody is there to be told
        self._leaving.append((key, ticket))
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush(), name="relevo-limits")

    async def _flushed(self) -> None:
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush(), name="relevo-limits")
        await asyncio.shield(self._flushing)

    async def _flush(self) -> None:
        try:
            while self._leaving:
                batch = sorted(self._leaving)  # in one order everywhere: two processes never wait in a circle
                rows = [{"issuer": key[0], "subject": key[1], "ticket": ticket} for key, ticket in batch]
                told = Many("leave_user", rows)
                await self._store.write(Tx(partial(_steps, step=told)))
                gone = set(batch)
                self._leaving = [left for left in self._leaving if left not in gone]
        except StoreUnavailable as error:
            _log.warning("ended requests still count, the next sign of life tells them: %s", error)
        finally:
            self._flushing = None


def _entered(row: Row) -> Entered:
    verdict, wait_ms = row
    if verdict == "ok":
        return Entered(allowed=True)
    if verdict == "rate":
        return Entered(allowed=False, retry_after_ms=max(1, wait_ms))
    return Entered(allowed=False, blocked=verdict == "blocked")


def _steps(_now_ms: int, step: Q | Many) -> Steps[None]:
    yield step


def _row(_now_ms: int, step: Q) -> Steps[Row]:
    return (yield step)[0]
