"""`relevo log`: the record as a table that a person can read."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec
from rich.text import Text

from relevo.cli.common import config_option, examples, fail, json_option, load_or_exit
from relevo.cli.tables import print_table, printable, show, width
from relevo.core.clock import SystemClock
from relevo.core.errors import Blame
from relevo.core.ledger import StoreUnavailable
from relevo.core.record import Attempt, RequestRecord
from relevo.ledger.pricing import credits_of
from relevo.setup import Setup
from relevo.store.base import StoreError
from relevo.store.opening import make_reader
from relevo.store.record_reader import Filter, RecordReader

_POLL_S: Final = 0.3
_PAGE: Final = 1000
_NANO_USD: Final = 1_000_000_000
_COLUMNS: Final = ("time (UTC)", "user", "task", "target", "outcome", "ms", "tokens", "USD", "credits", "why")
_RIGHT: Final = ("ms", "tokens", "USD", "credits")
_STYLES: Final = {"ok": "green", "failed": "red", "skipped": "yellow"}

_TABLE_WIDTH_MIN: Final = 140

Show = Callable[[list[RequestRecord]], None]


@click.command(
    epilog=examples("relevo log", "relevo log --follow --user ana", "relevo log --failed --limit 200 --json")
)
@config_option
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Newest requests shown."
)
@click.option("--user", help="Only this user: the token's `sub`, or row:sub.")
@click.option("--failed", is_flag=True, help="Only requests that failed, or in which a try failed.")
@click.option("--follow", is_flag=True, help="Go on and show new requests as they end.")
@json_option
def log(config: str | None, limit: int, user: str | None, *, failed: bool, follow: bool, as_json: bool) -> None:
    """Show requests and, under each, its tries in order, oldest first. Works while the server runs."""
    setup = load_or_exit(config)
    wanted = _filter(setup, user, failed=failed)
    wide = width() >= _TABLE_WIDTH_MIN and not follow  # a table's columns cannot wait for rows to come
    print_rows = _print_json if as_json else _print_table if wide else _print_lines
    if not setup.config.file.record.keep_days:
        fail("[record] keep_days is 0: no request is written down")
    try:
        asyncio.run(_show(setup, wanted, limit, print_rows, follow=follow, quiet=as_json))
    except (StoreError, StoreUnavailable) as error:
        fail(str(error))


async def _show(setup: Setup, wanted: Filter, limit: int, print_rows: Show, *, follow: bool, quiet: bool) -> None:
    store = make_reader(setup.config.file.store.url, setup.data_dir, SystemClock())
    await store.start()
    reader = RecordReader(store)
    try:
        rows = await reader.latest(wanted, limit=limit)
        print_rows([record for _, record in rows])
        if not rows and not quiet:
            click.echo("No such request." if wanted != Filter() else "No request yet.", err=True)
        if follow:
            with contextlib.suppress(KeyboardInterrupt, asyncio.CancelledError):  # Ctrl-C ends the following
                await _follow(reader, wanted, rows[-1][0] if rows else 0, print_rows)
    finally:
        await store.aclose()


def _filter(setup: Setup, user: str | None, *, failed: bool) -> Filter:
    """`row:sub` where the row is one of the issuers; any other colon belongs to the `sub`."""
    if user is None:
        return Filter(failed=failed)
    row, colon, subject = user.partition(":")
    rows = setup.config.file.auth.issuers.keys() or {"local"}
    if colon and row in rows:
        return Filter(issuer=row, subject=subject, failed=failed)
    return Filter(subject=user, failed=failed)


async def _follow(reader: RecordReader, wanted: Filter, after: int, print_rows: Show) -> None:
    while True:
        rows = await reader.after(after, wanted, limit=_PAGE)
        if rows:
            after = rows[-1][0]
            print_rows([record for _, record in rows])
        await asyncio.sleep(_POLL_S)


def _print_table(records: list[RequestRecord]) -> None:
    if not records:
        return
    rows: list[tuple[str | Text, ...]] = []
    for record in records:
        rows.append(_request_row(record))
        rows.extend(_attempt_row(attempt) for attempt in record.attempts)
    print_table(_COLUMNS, rows, right=_RIGHT)


def _print_lines(records: list[RequestRecord]) -> None:
    """The same without columns, for narrow terminals and for rows that come one by one."""
    for record in records:
        when, user, task, _, outcome, ms, _, _, credits, why = _request_row(record)
        head = Text(f"{when} {printable(str(user))} {task} ").append_text(Text.assemble(outcome))
        lines = [head.append(f" {ms} ms {f'{credits} credits ' if credits else ''}{why}")]
        for attempt in record.attempts:
            _, _, _, target, outcome, ms, tokens, _, _, why = _attempt_row(attempt)
            line = Text(f"  {attempt.number} {target} ").append_text(Text.assemble(outcome))
            lines.append(line.append(f" {ms} ms {f'{tokens} tokens' if tokens else why}"))
        show(*lines)


def _request_row(record: RequestRecord) -> tuple[str | Text, ...]:
    served = record.served
    return (
        _time(record.started_at_ms),
        f"{record.issuer}:{record.subject}",
        record.task or "-",
        Text(served.provider if served else "-", "bold"),
        Text(record.outcome, _STYLES[record.outcome]),
        str(record.ms),
        _tokens(served),
        _usd(served.cost_nano_usd if served else None),
        "" if record.charged_micro is None else str(credits_of(record.charged_micro)),
        f"{record.http_status} {record.code}" if record.code else "",
    )


def _attempt_row(attempt: Attempt) -> tuple[str | Text, ...]:
    why = [str(attempt.http_status)] if attempt.http_status and attempt.outcome == "failed" else []
    why += [part for part in (attempt.code, attempt.upstream_code, attempt.detail) if part]
    if attempt.phase and not attempt.http_status:  # with a status the phase tells nothing more
        why.append(f"(phase {attempt.phase})")
    if attempt.blame in (Blame.US, Blame.CALLER):  # what is not marked is the provider's
        why.append(f"[{attempt.blame}]")
    return (
        "",
        "",
        f"  try {attempt.number}",
        f"{attempt.provider}/{attempt.upstream_model}",
        Text(attempt.outcome, _STYLES[attempt.outcome]),
        str(attempt.ms),
        _tokens(attempt),
        _usd(attempt.cost_nano_usd),
        "",
        " ".join(why),
    )


def _time(started_at_ms: int) -> str:
    return datetime.fromtimestamp(started_at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _tokens(attempt: Attempt | None) -> str:
    usage = attempt.usage if attempt else None
    return f"{usage.input_tokens}+{usage.output_tokens}" if usage else ""


def _usd(nano_usd: int | None) -> str:
    return f"{nano_usd / _NANO_USD:.6f}" if nano_usd is not None else ""


def _print_json(records: list[RequestRecord]) -> None:
    for record in records:
        row: dict[str, Any] = msgspec.to_builtins(record)
        for shown, attempt in zip(row["attempts"], record.attempts, strict=True):
            shown["blame"] = attempt.blame
        click.echo(msgspec.json.encode(row).decode())
