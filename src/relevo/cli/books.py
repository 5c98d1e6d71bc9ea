"""`relevo ledger verify` and `relevo report`: whether the books add up, and what they say."""

import asyncio
import sys
from typing import Any

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
from relevo.wiring import make_reports, read_apart


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
    differences = _differences(found)
    if as_json:
        click.echo(msgspec.json.encode(_audit_json(found, differences)).decode())
    else:
        _print_audit(found, differences)
    sys.exit(FOUND_PROBLEMS if differences else 0)


def _differences(found: Audit) -> list[Difference]:
    """Those of accounts, and that users and house together hold something."""
    total = found.balance_micro + sum(found.houses.values())
    if not total:
        return list(found.differences)
    together = Difference(issuer="", subject="", what="users and house together", stands=total, should_be=0)
    return [*found.differences, together]


def _audit_json(found: Audit, differences: list[Difference]) -> dict[str, Any]:
    """The same for programs: every amount in micro-credits, as its key says."""
    return {
        "ok": not differences,
        "differences": [_difference_json(difference) for difference in differences],
        "stale_holds": [_difference_json(stale) for stale in found.stale_holds],
        "accounts": found.accounts,
        "entries": found.entries,
        "holds": found.holds,
        "open_holds": found.open_holds,
        "balance_micro": found.balance_micro,
        "houses_micro": found.houses,
    }


def _difference_json(difference: Difference) -> dict[str, Any]:
    return {"user": _who(difference), **msgspec.to_builtins(difference)}


def _print_audit(found: Audit, differences: list[Difference]) -> None:
    click.echo(
        f"checked {found.accounts} accounts, {found.entries} entries, {found.holds} holds ({found.open_holds} open)"
    )
    click.echo(f"users hold {credits_of(found.balance_micro)} credits; the house's accounts:")
    for house, amount in found.houses.items():
        click.echo(f"  {house:<10} {credits_of(amount)}")
    for stale in found.stale_holds:
        click.echo(f"warning: {_who(stale)}: {printable(stale.what)}: the next server that runs frees it")
    for difference in differences:
        stands, should_be = difference.stands, difference.should_be
        click.echo(
            f"DIFFERENCE: {_who(difference)}: {printable(difference.what)} is {stands}, should be {should_be}"
        )
    bad = len(differences)
    click.echo("all adds up" if not bad else f"{bad} difference{'s' * (bad > 1)} (in micro-credits)")


def _who(difference: Difference) -> str:
    return printable(f"{difference.issuer}:{difference.subject}") if difference.issuer else "all accounts"


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
    if setup.credits is None:
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
