"""Reads the record for people: the newest requests, each with its tries in order."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import apsw

from relevo.core.record import Attempt, RequestRecord
from relevo.core.types import Usage
from relevo.store.queries import queries
from relevo.store.sqlite import StoreError, open_reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which requests to show. None: all."""

    subject: str | None = None
    issuer: str | None = None
    failed: bool = False
    """Only requests that failed, or in which a try failed."""


class RecordReader:
    """One connection for reading, usable while the server writes."""

    def __init__(self, path: Path) -> None:
        """Raises: StoreError: there is no record, or it cannot be read."""
        self._connection = open_reader(path)
        self._sql = queries("sqlite", "record.sql")

    def latest(self, wanted: Filter, *, limit: int) -> list[tuple[int, RequestRecord]]:
        """The newest requests, oldest first, each with its place in the record. Raises: StoreError."""
        return self._read("latest_requests", wanted, limit=limit)[::-1]

    def after(self, place: int, wanted: Filter, *, limit: int) -> list[tuple[int, RequestRecord]]:
        """What came next after a place, in order. Raises: StoreError."""
        return self._read("requests_after", wanted, limit=limit, after=place)

    def _read(self, name: str, wanted: Filter, **place: int) -> list[tuple[int, RequestRecord]]:
        values = {"subject": wanted.subject, "issuer": wanted.issuer, "failed": int(wanted.failed), **place}
        try:
            rows = list(self._connection.execute(self._sql[name], values))
            return [(row[0], self._with_attempts(_request(row[1:]))) for row in rows]
        except apsw.Error as error:
            raise StoreError(f"the record cannot be read: {error}") from error

    def _with_attempts(self, record: RequestRecord) -> RequestRecord:
        rows = self._connection.execute(self._sql["attempts_of"], (record.id,))
        return replace(record, attempts=tuple(_attempt(row) for row in rows))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _request(row: tuple[Any, ...]) -> RequestRecord:
    names = (
        "id",
        "started_at_ms",
        "issuer",
        "subject",
        "task",
        "outcome",
        "code",
        "http_status",
        "ms",
        "demo",
    )
    return RequestRecord(**{**dict(zip(names, row, strict=True)), "demo": bool(row[-1])})


def _attempt(row: tuple[Any, ...]) -> Attempt:
    names = (
        "number", "provider", "upstream_model", "outcome", "code", "phase", "http_status", "upstream_code",
        "detail", "ms",
    )  # fmt: skip
    values = dict(zip(names, row[:10], strict=True))
    tokens, cost = row[10:14], row[14]
    usage = None
    if tokens[0] is not None:
        usage = Usage(
            input_tokens=tokens[0],
            output_tokens=tokens[1],
            cached_input_tokens=tokens[2],
            reasoning_output_tokens=tokens[3],
        )
    return Attempt(**values, usage=usage, cost_nano_usd=cost)
