"""Writes the record behind the answers: one thread, one connection, as many rows a commit as are waiting."""

import logging
import queue
import threading
from pathlib import Path
from typing import Final

import apsw

from relevo.core.clock import Clock
from relevo.core.record import Attempt, RequestRecord
from relevo.store.queries import queries
from relevo.store.sqlite import open_writer

QUEUE_ROWS_MAX: Final = 20_000
"""Requests waiting to be written; beyond it rows are dropped and counted, and answers go on."""
_BATCH_MAX: Final = 4096
_GATHER_S: Final = 0.02
"""After the first row, how long to wait for more: a commit costs a flush, and nobody waits for these rows."""
_PRUNE_EVERY_S: Final = 3600.0
_CLOSE_S: Final = 10.0
_MS_PER_DAY: Final = 86_400_000
_RETRY_S: Final = 0.05
_RETRY_S_MAX: Final = 2.0

_log = logging.getLogger(__name__)


class RecordWriter:
    """An `Observer` that keeps requests and their attempts in SQLite."""

    def __init__(self, path: Path, *, keep_days: int, clock: Clock) -> None:
        """Opens the database at once, so that a bad path is an error of the start and not of a request.

        Raises:
            StoreError: The database cannot be used.
        """
        self._connection = open_writer(path)
        self._keep_days = keep_days
        self._clock = clock
        self._prune_at_s = 0.0
        self._queue: queue.SimpleQueue[RequestRecord | None] = queue.SimpleQueue()
        self._sql = queries("sqlite", "record.sql")
        self.dropped = 0
        """Rows lost since the start: the queue was full, or the disk refused them."""
        self.healthy = True
        """Whether the last write succeeded; a refused batch is tried until it does."""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relevo-record", daemon=True)
        self._thread.start()

    def request_finished(self, record: RequestRecord, /) -> None:
        """See `Observer`. Returns at once; the row is on disk some milliseconds later."""
        if self._queue.qsize() >= QUEUE_ROWS_MAX:
            self.dropped += 1
            return
        self._queue.put(record)

    def close(self) -> None:
        """Write what is waiting, then close. Bounded: a disk that hangs does not hold up the exit."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        running = True
        while running:
            try:
                batch: list[RequestRecord | None] = [self._queue.get(timeout=self._wait_s())]
            except queue.Empty:
                continue
            self._closing.wait(_GATHER_S)
            while len(batch) < _BATCH_MAX and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            running = None not in batch
            self._keep([record for record in batch if record is not None])
        self._connection.close()

    def _keep(self, records: list[RequestRecord]) -> None:
        """Write a batch, again and again while the disk refuses it; meanwhile the queue fills to its bound."""
        wait_s = _RETRY_S
        while not self._write(records):
            if self._closing.wait(wait_s):
                if not self._write(records):
                    self.dropped += len(records)
                return
            wait_s = min(wait_s * 2, _RETRY_S_MAX)

    def _write(self, records: list[RequestRecord]) -> bool:
        """Whether there is nothing left to do for these rows: they are on disk, or can never be."""
        try:
            with self._connection:
                self._connection.executemany(self._sql["insert_request"], map(_request_row, records))
                attempts = (_attempt_row(record.id, a) for record in records for a in record.attempts)
                self._connection.executemany(self._sql["insert_attempt"], attempts)
        except (apsw.ConstraintError, TypeError, ValueError, OverflowError):
            if len(records) > 1:  # one of them does not fit the schema: it must not take the others along
                written = [self._write([record]) for record in records]
                return all(written)
            self.dropped += 1
            _log.exception("a row does not fit the schema of the record")
        except apsw.Error as error:
            if self.healthy:
                _log.error("the record cannot be written, rows wait in memory: %s", error)
            self.healthy = False
            return False
        if not self.healthy:
            _log.warning("the record can be written again")
        self.healthy = True
        return True

    def _wait_s(self) -> float:
        """Prune if it is time to, and say how long the thread may then wait for rows."""
        now_s = self._clock.now_s()
        if now_s >= self._prune_at_s:
            self._prune_at_s = now_s + (0.01 if self._prune() else _PRUNE_EVERY_S)
        return max(0.01, self._prune_at_s - now_s)

    def _prune(self) -> bool:
        """Delete a piece of what is too old. Whether there may be more."""
        before_ms = int(self._clock.wall_s() * 1000) - self._keep_days * _MS_PER_DAY
        try:
            self._connection.execute(self._sql["delete_old"], {"before_ms": before_ms})
        except apsw.Error as error:
            _log.warning("old rows of the record were not deleted, later again: %s", error)
            return False
        return self._connection.changes() > 0


def _request_row(record: RequestRecord) -> tuple[str | int | None, ...]:
    return (
        record.id,
        record.started_at_ms,
        record.issuer,
        record.subject,
        record.task,
        record.outcome,
        record.code,
        record.http_status,
        record.ms,
        int(record.demo),
    )


def _attempt_row(request_id: str, attempt: Attempt) -> tuple[str | int | None, ...]:
    usage = attempt.usage
    return (
        request_id,
        attempt.number,
        attempt.provider,
        attempt.upstream_model,
        attempt.outcome,
        attempt.code,
        attempt.phase,
        attempt.http_status,
        attempt.upstream_code,
        attempt.detail,
        attempt.ms,
        usage.input_tokens if usage else None,
        usage.output_tokens if usage else None,
        usage.cached_input_tokens if usage else None,
        usage.reasoning_output_tokens if usage else None,
        attempt.cost_nano_usd,
    )
