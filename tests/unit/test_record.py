"""The record: what is written behind an answer is read back whole, pruned by age, and never in the way."""

import asyncio
import contextlib
import io
import json
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from relevo.cli.log import _attempt_row, _print_json
from relevo.core.record import Attempt, RequestRecord
from relevo.core.types import Usage
from relevo.store import record_writer, sqlite
from relevo.store.base import StoreError
from relevo.store.queries import migrations, queries
from relevo.store.record_reader import Filter, RecordReader
from relevo.store.record_writer import RecordWriter
from relevo.store.sqlite import SqliteReader, SqliteStore, open_writer
from relevo.telemetry.log import LineSink, RequestLog
from support.clock import FakeClock

DAY_MS = 86_400_000


def record(number: int, *, at_ms: int = 1_000_000_000_000, subject: str = "ana", ok: bool = True) -> RequestRecord:
    attempts = (
        Attempt(number=1, provider="a", upstream_model="m", outcome="failed", code="rate_limited", phase="first_event",
                http_status=429, upstream_code="limit", detail="why", ms=5),
        Attempt(number=2, provider="b", upstream_model="m", outcome="ok", ms=7, cost_nano_usd=12,
                usage=Usage(input_tokens=4, output_tokens=3, cached_input_tokens=2, reasoning_output_tokens=1)),
    )  # fmt: skip
    return RequestRecord(
        id=f"req_{number:04}", started_at_ms=at_ms, issuer="local", subject=subject, task="T",
        outcome="ok" if ok else "failed", code=None if ok else "all_providers_failed",
        http_status=200 if ok else 500, ms=12, attempts=attempts if number % 2 == 0 else attempts[1:], demo=ok,
        charged_micro=20_000_000 if ok else None,
    )  # fmt: skip


async def read(path: Path, wanted: Filter | None = None, **options: int) -> list[RequestRecord]:
    store = SqliteReader(path, FakeClock())
    rows = await RecordReader(store).latest(wanted or Filter(), **{"limit": 100, **options})
    await store.aclose()
    return [row for _, row in rows]


@asynccontextmanager
async def writing(path: Path, keep_days: int = 90, clock: FakeClock | None = None) -> AsyncIterator[RecordWriter]:
    clock = clock or FakeClock(1_000_000_000)
    store = SqliteStore(path, clock)
    writer = RecordWriter(store, keep_days=keep_days, clock=clock)
    writer.start()
    yield writer
    await writer.aclose()
    await store.aclose()


async def test_rows_come_back_as_they_went_in(tmp_path: Path) -> None:
    """Every field of a request and of its tries survives the disk, in the order of writing."""
    path = tmp_path / "r.db"
    rows = [record(number, ok=number != 3) for number in range(1, 6)]
    async with writing(path) as writer:
        for row in rows:
            writer.request_finished(row)

    assert await read(path) == rows
    assert await read(path, limit=2) == rows[-2:]
    assert await read(path, Filter(failed=True)) == [rows[1], rows[2], rows[3]]
    assert await read(path, Filter(subject="bob")) == []
    assert await read(path, Filter(issuer="local", subject="ana")) == rows


async def test_following_passes_nothing_over(tmp_path: Path) -> None:
    """What comes after a place comes page by page in its order, however much there is."""
    path = tmp_path / "r.db"
    async with writing(path) as writer:
        for number in range(25):
            writer.request_finished(record(number))
    store = SqliteReader(path, FakeClock())
    reader, place, seen = RecordReader(store), 0, []
    while page := await reader.after(place, Filter(), limit=10):
        place = page[-1][0]
        seen += [row.id for _, row in page]
    await store.aclose()

    assert seen == [f"req_{number:04}" for number in range(25)]


async def test_the_record_is_for_its_owner_only(tmp_path: Path) -> None:
    """It names users: no other account of the machine reads it."""
    async with writing(tmp_path / "r.db"):
        pass

    assert (tmp_path / "r.db").stat().st_mode & 0o077 == 0


async def test_rows_older_than_keep_days_are_deleted_with_their_tries(tmp_path: Path) -> None:
    """A row and its tries go when their time is over; younger ones stay."""
    path = tmp_path / "r.db"
    clock = FakeClock()
    now_ms = int(clock.wall * 1000)
    async with writing(path, 2, clock) as writer:
        for number, age_days in enumerate((3, 1, 0)):
            writer.request_finished(record(number, at_ms=now_ms - age_days * DAY_MS))
    assert len(await read(path)) == 3
    async with writing(path, 2, clock):
        assert await eventually(path, 2)

    assert [row.id for row in await read(path)] == ["req_0001", "req_0002"]
    assert apsw.Connection(str(path)).execute("SELECT count(*) FROM attempt").get == 3


async def test_a_full_queue_drops_rows_and_counts_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that cannot keep up costs rows, counted, and never an answer's time."""
    monkeypatch.setattr(record_writer, "QUEUE_ROWS_MAX", 5)
    async with writing(tmp_path / "r.db") as writer:
        for number in range(20):  # the loop does not run meanwhile: nothing is taken from the queue
            writer.request_finished(record(number))

    assert writer.dropped == 15
    assert len(await read(tmp_path / "r.db")) == 5


async def test_a_locked_database_delays_rows_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process holds the lock rows wait and the store is not ready; afterwards all are there."""
    monkeypatch.setattr(sqlite, "_BUSY_MS", 1)
    path = tmp_path / "r.db"
    async with writing(path) as writer:
        other = apsw.Connection(str(path))
        other.set_busy_timeout(10_000)  # the writer may be deleting old rows just now
        other.execute("BEGIN IMMEDIATE")
        writer.request_finished(record(1))
        assert await settled(lambda: not writer.healthy)
        writer.request_finished(record(2))
        other.execute("ROLLBACK")
        other.close()
        assert await settled(lambda: writer.healthy)

    assert [row.id for row in await read(path)] == ["req_0001", "req_0002"]
    assert writer.dropped == 0


async def test_a_row_that_cannot_be_written_takes_no_other_along(tmp_path: Path) -> None:
    """A row that the schema refuses is counted and logged; its neighbours are kept."""
    path = tmp_path / "r.db"
    async with writing(path) as writer:
        for row in (record(1), replace(record(3), charged_micro=-1), record(2)):
            writer.request_finished(row)

    assert [row.id for row in await read(path)] == ["req_0001", "req_0002"]
    assert (writer.dropped, writer.healthy) == (1, True)


@pytest.mark.parametrize("content", [b"this is no database, but a text that somebody put there" * 30, None])
def test_a_path_that_is_no_database_is_an_error_of_the_start(content: bytes | None, tmp_path: Path) -> None:
    """A file of another kind, or a folder, is named at the start and left as it is."""
    path = tmp_path / "r.db"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    with pytest.raises(StoreError, match=r"r\.db"):
        SqliteStore(path, FakeClock())
    assert content is None or path.read_bytes() == content


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """An older relevo does not touch what a newer one wrote."""
    open_writer(tmp_path / "r.db").pragma("user_version", 999)

    with pytest.raises(StoreError, match="made by a newer relevo"):
        open_writer(tmp_path / "r.db")


def test_the_connection_is_as_durable_as_it_says(tmp_path: Path) -> None:
    """WAL, a flush with every commit, and foreign keys are really in force."""
    connection = open_writer(tmp_path / "r.db")

    assert [connection.pragma(name) for name in ("journal_mode", "synchronous", "foreign_keys")] == ["wal", 2, 1]


def test_migrations_are_numbered_without_a_gap() -> None:
    """Number n is the n-th file, so `user_version` says exactly what was applied."""
    assert [number for number, _ in migrations("sqlite")] == list(range(1, len(migrations("sqlite")) + 1))


def test_every_named_statement_is_valid_on_the_schema(tmp_path: Path) -> None:
    """Each statement of the SQL files compiles against the migrated schema."""
    connection = open_writer(tmp_path / "r.db")
    for sql in queries("sqlite").values():
        holes = dict.fromkeys(re.findall(r"(?<!:):(\w+)", sql), 0)
        connection.execute("EXPLAIN " + sql, holes)


def test_the_sqlite_in_use_has_no_wal_reset_bug() -> None:
    """Versions before 3.51.3 can corrupt a WAL database with more than one connection."""
    assert tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) >= (3, 51, 3)


def test_a_broken_log_costs_lines_and_no_answers() -> None:
    """Lines that cannot be written are counted; whoever waits for the answer does not notice."""
    stream = io.StringIO()
    sink = LineSink(stream)
    log = RequestLog(sink)
    log.request_finished(record(2))
    sink.close()
    written = stream.getvalue()
    stream.close()
    log.request_finished(record(2))
    sink.close()

    assert written.count("\n") == 1
    assert sink.dropped == 1


def test_a_log_that_nobody_reads_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full pipe blocks the thread that writes, and only it; what does not fit is counted."""
    monkeypatch.setattr("relevo.telemetry.log.LINES_WAITING_MAX", 100)
    monkeypatch.setattr("relevo.telemetry.log._CLOSE_S", 0.05)
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        sink = LineSink(pipe)
        for _ in range(2000):
            sink.put("x" * 1000)
        sink.close()

        assert sink.dropped > 1000
        os.close(reading)  # the reader goes: the blocked write fails, and the thread ends
        assert wait_until(lambda: threading.active_count() == 1 or "relevo-log" not in
                          {thread.name for thread in threading.enumerate()})  # fmt: skip
        with contextlib.suppress(BrokenPipeError):
            pipe.close()


async def settled(condition: Callable[[], bool], limit_s: float = 10) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0)
    return condition()


async def eventually(path: Path, rows: int, limit_s: float = 10) -> bool:
    """Whether the record comes to hold this many rows."""
    end = time.monotonic() + limit_s
    while (found := len(await read(path))) != rows and time.monotonic() < end:
        await asyncio.sleep(0)
    return found == rows


def wait_until(condition: Callable[[], bool], limit_s: float = 10) -> bool:
    end = time.monotonic() + limit_s
    while not condition() and time.monotonic() < end:
        os.sched_yield()
    return condition()


@pytest.mark.parametrize(
    ("outcome", "code", "blame", "mark"),
    [
        ("failed", "credential_refused", "us", "[us]"),
        ("failed", "content_filtered", "caller", "[caller]"),
        ("failed", "overloaded", "provider", ""),
        ("failed", "cancelled", None, ""),
        ("skipped", "no_key", None, ""),
        ("ok", None, None, ""),
    ],
)
def test_a_try_says_whose_fault_it_was(outcome: Any, code: str | None, blame: str | None, mark: str) -> None:
    """The log marks what is not the provider's, its JSON has it always."""
    attempt = Attempt(number=1, provider="a", upstream_model="m", outcome=outcome, code=code)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        _print_json([replace(record(1), attempts=(attempt,))])

    assert json.loads(printed.getvalue())["attempts"][0]["blame"] == blame
    assert str(_attempt_row(attempt)[-1]).endswith(mark)
    assert ("[" in str(_attempt_row(attempt)[-1])) is bool(mark)
