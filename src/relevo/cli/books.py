"""`relevo ledger verify` and `relevo report`: whether the books add up, and what they say."""

import asyncio
import sys

import click
import msgspec

from relevo.cli.common import FOUND_PROBLEMS, config_option, examples, fail, json_option, load_or_exit
from relevo.cli.tables import print_table, printable
from relevo.core.clock import SystemClock
from relevo.core.ledger import StoreUnavailable
from relevo.http.admin_json import report_json
from relevo.ledger.pricing import credits_of
from relevo.setup import Setup
from relevo.store.audit import Audit, Difference, audit
from relevo.store.base import StoreError, Tx
from relevo.wiring import credits_enabled, make_reports, read_apart


@click.group(epilog=examples("relevo ledger verify"))
def ledger() -> None:
    """The books of credits."""


@ledger.command(epilog=examples("relevo ledger verify", "relevo ledger verify --json"))
@config_option
@json_option
def verify(config: str | None, *, as_json: bool) -> None:
    """Recompute every balance from the entries. Exit code 0: all adds up; 1: a difference; 2: could not run."""
    setup = load_or_exit(config)
    try:
        found: Audit = asyncio.run(read_apart(setup, SystemClock(), Tx(audit)))
    except (StoreError, StoreUnavailable) as error:
        fail(str(error))
    total = found.balance_micro + sum(found.houses.values())
    if as_json:
        shown = {"ok": not found.differences and not total, **msgspec.to_builtins(found)}
        click.echo(msgspec.json.encode(shown).decode())
    else:
        _print_audit(found, total)
    sys.exit(FOUND_PROBLEMS if found.differences or total else 0)


def _print_audit(found: Audit, total_micro: int) -> None:
    click.echo(
        f"checked {found.accounts} accounts, {found.entries} entries, {found.holds} holds ({found.open_holds} open)"
    )
    click.echo(f"users hold {credits_of(found.balance_micro)} credits; the house's accounts:")
    for house, amount in found.houses.items():
        click.echo(f"  {house:<10} {credits_of(amount)}")
    for stale in found.stale_holds:
        click.echo(f"warning: {_who(stale)}: {printable(stale.what)}: the next server that runs frees it")
    for difference in found.differences:
        stands, should_be = difference.stands, difference.should_be
        click.echo(
            f"DIFFERENCE: {_who(difference)}: {printable(difference.what)} is {stands}, should be {should_be}"
        )
    if total_micro:
        click.echo(f"DIFFERENCE: users and house together hold {credits_of(total_micro)} credits, should be 0")
    bad = len(found.differences) + bool(total_micro)
    click.echo("all adds up" if not bad else f"{bad} differences (in micro-credits)")


def _who(difference: Difference) -> str:
    return printable(f"{difference.issuer}:{difference.subject}")


@click.command(epilog=examples("relevo report", "relevo report --days 7 --json"))
@click.option("--days", type=click.IntRange(1, 3660), default=30, show_default=True, help="How far back.")
@config_option
@json_option
def report(days: int, config: str | None, *, as_json: bool) -> None:
    """Show by task what was sold and what it cost, and what was given and expired. Works while the server runs."""
    setup = load_or_exit(config)
    try:
        made = asyncio.run(make_reports(setup, SystemClock())(days))
    except (StoreError, StoreUnavailable) as error:
        fail(str(error))
    section = setup.config.file.credits
    shown = report_json(made, section.usd_per_credit if section else 0.001)
    if as_json:
        click.echo(msgspec.json.encode(shown).decode())
        return
    click.echo(f"{shown['since']} to {shown['until']}; a credit is {shown['usd_per_credit']:g} USD")
    _print_report(setup, shown)


def _print_report(setup: Setup, shown: dict[str, object]) -> None:
    tasks = shown["tasks"]
    assert isinstance(tasks, list)  # noqa: S101 - as report_json made it
    if not credits_enabled(setup):
        click.echo("Credits are off: answers and costs of the record, and nothing sold.")
    print_table(
        ("task", "answers", "credits sold", "cost USD", "written off USD", "margin USD", "of unknown cost"),
        [
            (
                str(task["task"]),
                str(task["answers"]),
                str(task["credits_sold"]),
                f"{task['cost_usd']:.6f}",
                f"{task['written_off_usd']:.6f}",
                f"{task['margin_usd']:.6f}",
                str(task["answers_of_unknown_cost"]),
            )
            for task in tasks
        ],
        right=("answers", "credits sold", "cost USD", "written off USD", "margin USD", "of unknown cost"),
    )
    granted = shown["granted"]
    assert isinstance(granted, dict)  # noqa: S101 - as report_json made it
    click.echo("granted: " + ", ".join(f"{kind} {amount}" for kind, amount in granted.items()))
    click.echo(f"expired: {shown['expired']}, revoked: {shown['revoked']}, refunded: {shown['refunded']}")
