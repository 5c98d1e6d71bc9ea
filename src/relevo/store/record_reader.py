"""Reads the record for people: the newest requests, each with its tries in order."""

from dataclasses import dataclass, replace

from relevo.core.ledger import Row
from relevo.core.record import Attempt, RequestRecord
from relevo.core.types import Usage
from relevo.store.base import Q, Steps, Store, Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which requests to show. None: all."""

    subject: str | None = None
    issuer: str | None = None
    failed: bool = False
    """Only requests that failed, or in which a try failed."""


class RecordReader:
    """The record of a store, usable while the server writes."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def latest(self, wanted: Filter, *, limit: int) -> list[tuple[int, RequestRecord]]:
        """The newest requests, oldest first, each with its place in the record. Raises: StoreUnavailable."""
        return (await self._read("latest_requests", wanted, limit=limit))[::-1]

    async def after(self, place: int, wanted: Filter, *, limit: int) -> list[tuple[int, RequestRecord]]:
        """What came next after a place, in order. Raises: StoreUnavailable."""
        return await self._read("requests_after", wanted, limit=limit, after=place)

    async def _read(self, name: str, wanted: Filter, **place: int) -> list[tuple[int, RequestRecord]]:
        values = {"subject": wanted.subject, "issuer": wanted.issuer, "failed": int(wanted.failed), **place}

        def steps(_now_ms: int) -> Steps[list[tuple[int, RequestRecord]]]:
            found = []
            for row in (yield Q(name, values)):
                record = _request(row[1:])
                attempts = yield Q("attempts_of", {"request_id": record.id})
                found.append((row[0], replace(record, attempts=tuple(map(_attempt, attempts)))))
            return found

        return await self._store.read(Tx(steps))


def _request(row: Row) -> RequestRecord:
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
        "charged_micro",
        "demo",
    )
    return RequestRecord(**{**dict(zip(names, row, strict=True)), "demo": bool(row[-1])})


def _attempt(row: Row) -> Attempt:
    names = (
        "number", "provider", "upstream_model", "outcome", "code", "phase", "http_status", "upstream_code",
        "detail", "ms", "first_token_ms", "cost_nano_usd",
    )  # fmt: skip
    *facts, input_tokens, output_tokens, cached, reasoning, estimated = row
    usage = None
    if input_tokens is not None:
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_input_tokens=cached,
            reasoning_output_tokens=reasoning,
        )
    return Attempt(**dict(zip(names, facts, strict=True)), usage=usage, usage_estimated=bool(estimated))
