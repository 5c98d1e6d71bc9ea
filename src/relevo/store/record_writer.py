"""Writes the record behind the answers, many rows a transaction. An answer never waits for its row."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from relevo.core.clock import Clock
from relevo.core.ledger import StoreUnavailable
from relevo.core.record import Attempt, RequestRecord
from relevo.store.base import Many, Q, Steps, Store, Tx

QUEUE_ROWS_MAX: Final = 20_000
"""Requests waiting to be written; beyond it rows are dropped and counted, and answers go on."""
_BATCH_MAX: Final = 4096
GATHER_S: Final = 0.02
"""After the first row, how long to wait for more: a commit costs a flush, and nobody waits for these rows."""
GATHER_REMOTE_S: Final = 0.2
"""The same where each statement of a commit is a journey over the network."""
_PRUNE_EVERY_S: Final = 3600.0
_CLOSE_S: Final = 2.0
_MS_PER_DAY: Final = 86_400_000
_RETRY_S: Final = 0.05
_RETRY_S_MAX: Final = 2.0

_log = logging.getLogger(__name__)


class RecordWriter:
    """An `Observer` that keeps requests and their attempts in the store."""

    def __init__(self, store: Store, *, keep_days: int, clock: Clock, gather_s: float = GATHER_S) -> None:
        """Begins with `start`.

        Args:
            store: Where rows go.
            keep_days: Rows older than this are deleted, a piece at a time.
            clock: For their age.
            gather_s: How long the first row waits for others.
        """
        self._gather_s = gather_s
        self._store = store
        self._keep_days = keep_days
        self._clock = clock
        self._waiting: deque[RequestRecord] = deque()
        self._work = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0
        """Rows lost since the start: too many were waiting, or the store refused them."""
        self.healthy = True
        """Whether the last write succeeded; a refused batch is tried until it does."""

    def start(self) -> None:
        """Begin to write. Rows that come before this wait."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="relevo-record")

    def request_finished(self, record: RequestRecord, /) -> None:
        """See `Observer`. Returns at once; the row is on disk some milliseconds later."""
        if len(self._waiting) >= QUEUE_ROWS_MAX:
            self.dropped += 1
            return
        self._waiting.append(record)
        self._work.set()

    async def aclose(self) -> None:
        """Write what is waiting, then end. Bounded: a store that hangs does not hold up the exit."""
        self._closing.set()
        self._work.set()
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._task, _CLOSE_S)

    async def _run(self) -> None:
        prune_at_s = self._clock.now_s()
        while self._waiting or not self._closing.is_set():
            if self._clock.now_s() >= prune_at_s:
                prune_at_s = self._clock.now_s() + (0.01 if await self._prune() else _PRUNE_EVERY_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work.wait(), max(0.01, prune_at_s - self._clock.now_s()))
            if not self._work.is_set():
                continue
            await self._pause(self._gather_s)
            self._work.clear()
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(_BATCH_MAX, len(self._waiting)))]
                await self._keep(batch)

    async def _pause(self, wait_s: float) -> bool:
        """Wait, but not while closing. Whether it is closing."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), wait_s)
        return self._closing.is_set()

    async def _keep(self, records: list[RequestRecord]) -> None:
        """Write a batch, again and again while the store refuses it; meanwhile rows wait up to their bound."""
        wait_s = _RETRY_S
        while not await self._write(records):
            if await self._pause(wait_s):
                if not await self._write(records):
                    self.dropped += len(records)
                return
            wait_s = min(wait_s * 2, _RETRY_S_MAX)

    async def _write(self, records: list[RequestRecord]) -> bool:
        """Whether there is nothing left to do for these rows: they are on disk, or can never be."""
        try:
            await self._store.write(Tx(lambda _now_ms: _insert(records)))
        except StoreUnavailable as error:
            if self.healthy:
                _log.error("the record cannot be written, rows wait in memory: %s", error)
            self.healthy = False
            return False
        except Exception:  # noqa: BLE001 - whatever a driver says of a bad row
            if len(records) > 1:  # one of them does not fit the schema: it must not take the others along
                written = [await self._write([record]) for record in records]
                return all(written)
            self.dropped += 1
            _log.exception("a row does not fit the schema of the record")
        if not self.healthy:
            _log.warning("the record can be written again")
        self.healthy = True
        return True

    async def _prune(self) -> bool:
        """Delete a piece of what is too old. Whether there may be more."""
        before_ms = int(self._clock.wall_s() * 1000) - self._keep_days * _MS_PER_DAY
        try:
            return await self._store.write(Tx(lambda _now_ms: _delete_old(before_ms)))
        except StoreUnavailable as error:
            _log.warning("old rows of the record were not deleted, later again: %s", error)
            return False


def _insert(records: Sequence[RequestRecord]) -> Steps[None]:
    yield Many("insert_request", [_request_row(record) for record in records])
    attempts = [_attempt_row(record.id, attempt) for record in records for attempt in record.attempts]
    if attempts:
        yield Many("insert_attempt", attempts)


def _delete_old(before_ms: int) -> Steps[bool]:
    return bool((yield Q("delete_old", {"before_ms": before_ms})))


def _request_row(record: RequestRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "started_at_ms": record.started_at_ms,
        "issuer": record.issuer,
        "subject": record.subject,
        "task": record.task,
        "outcome": record.outcome,
        "code": record.code,
        "http_status": record.http_status,
        "ms": record.ms,
        "charged_micro": record.charged_micro,
        "demo": int(record.demo),
    }


def _attempt_row(request_id: str, attempt: Attempt) -> dict[str, Any]:
    usage = attempt.usage
    return {
        "request_id": request_id,
        "number": attempt.number,
        "provider": attempt.provider,
        "upstream_model": attempt.upstream_model,
        "outcome": attempt.outcome,
        "code": attempt.code,
        "phase": attempt.phase,
        "http_status": attempt.http_status,
        "upstream_code": attempt.upstream_code,
        "detail": attempt.detail,
        "ms": attempt.ms,
        "first_token_ms": attempt.first_token_ms,
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cached_input_tokens": usage.cached_input_tokens if usage else None,
        "reasoning_output_tokens": usage.reasoning_output_tokens if usage else None,
        "usage_estimated": int(attempt.usage_estimated),
        "cost_nano_usd": attempt.cost_nano_usd,
    }
