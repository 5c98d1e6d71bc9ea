"""The limits of users, counted in PostgreSQL for all processes together."""

import asyncio
import logging
from typing import Any, Final

from relevo.core.ledger import Row, StoreUnavailable
from relevo.core.limits import Entered, UserLimits
from relevo.core.types import Principal
from relevo.store.base import Q, Steps, Store, Tx

LEASE_S: Final = 20.0
"""A process that has not been seen for so long counts for nothing."""
_MINUTE_US: Final = 60_000_000

_log = logging.getLogger(__name__)


class SharedLimiter:
    """See `core.limits.Limiter`."""

    def __init__(self, store: Store, node: str) -> None:
        self._store = store
        self._node = node
        self._tasks: set[asyncio.Task[Any]] = set()

    async def enter(self, owner: Principal, limits: UserLimits) -> Entered:
        """See `Limiter.enter`."""
        per_minute = limits.requests_per_minute
        values = {
            **self._whose(owner),
            "step_us": _MINUTE_US // per_minute if per_minute else 0,
            "concurrency": limits.concurrency,
        }
        entered = await self._store.write(
            Tx(lambda _now_ms: _enter(values), quick=Q("enter_use", values), of_row=_entered)
        )
        if entered.blocked and entered.allowed:
            self.leave(owner, limits)
            return Entered(allowed=False, blocked=True)
        return entered

    def leave(self, owner: Principal, limits: UserLimits) -> None:  # noqa: ARG002 - the protocol's signature
        """See `Limiter.leave`."""
        task = asyncio.get_running_loop().create_task(self._leave(owner))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Let those who leave be gone."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def beat(self) -> None:
        """A sign of life; and what dead processes were counted for ends. Raises: StoreUnavailable."""
        await self._store.write(Tx(lambda _now_ms: _beat(self._node)))

    async def _leave(self, owner: Principal) -> None:
        try:
            step = Q("leave_use", self._whose(owner))
            await self._store.write(Tx(lambda _now_ms: _one(step), quick=step, of_row=lambda _row: None))
        except StoreUnavailable as error:
            _log.warning("a request stays counted until this process ends, the store does not answer: %s", error)

    def _whose(self, owner: Principal) -> dict[str, Any]:
        return {"issuer": owner.issuer, "subject": owner.subject, "node": self._node}


def _enter(values: dict[str, Any]) -> Steps[Entered]:
    rows = yield Q("enter_use", values)
    return _entered(rows[0])


def _entered(row: Row) -> Entered:
    moved, blocked, over_us = row
    return Entered(
        allowed=bool(moved), blocked=bool(blocked), retry_after_ms=0 if moved else max(0, -(-over_us // 1000))
    )


def _one(step: Q) -> Steps[None]:
    yield step


def _beat(node: str) -> Steps[None]:
    yield Q("see_node", {"node": node})
    for (dead,) in (yield Q("dead_nodes", {"lease_ms": round(LEASE_S * 1000)})):
        yield Q("clear_node", {"node": dead})
    yield Q("forget_idle_users")
