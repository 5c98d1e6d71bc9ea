"""`relevo credits`: give, take back, show. Every order is an act with its actor, reason, before and after."""

import click
import msgspec

from relevo.cli.common import FOUND_PROBLEMS, AmountCommand, config_option, examples, fail, json_option
from relevo.cli.importing import import_
from relevo.cli.office import actor, amount_micro, in_office, is_relative, moment_ms
from relevo.cli.tables import print_table
from relevo.core.ledger import Balance, Change, Entry, Grant, GrantKind, Refund, Revoke
from relevo.http.admin_json import history_json, ordered_json
from relevo.http.chat_answer import balance_json, moment
from relevo.ledger.pricing import credits_of
from relevo.service.office import Office, Ordered, name_of

_USER = click.argument("user")
_REASON = click.option("--reason", default="", help="Why: it stands in the history.")
_KEY = click.option("--key", help="Do it once under this key, however often it is repeated.")


@click.group(
    "credits",
    epilog=examples("relevo credits grant ana 500 --bucket purchase", "relevo credits show ana"),
)
def credits_() -> None:
    """Give credits, take them back, show accounts. USER is the token's `sub`, or row:sub."""


@credits_.command(
    cls=AmountCommand,
    epilog=examples(
        "relevo credits grant ana 500 --bucket purchase --reason 'invoice 17' --key invoice-17",
        "relevo credits grant app:ana 50 --expires 30d",
    ),
)
@_USER
@click.argument("amount")
@click.option(
    "--bucket", type=click.Choice(["bonus", "purchase"]), default="bonus", show_default=True, help="What they are."
)
@click.option("--expires", help="When what is left of them ends: 30d, 2030-01-31. Default: never.")
@_REASON
@_KEY
@config_option
@json_option
def grant(
    user: str, amount: str, bucket: GrantKind, expires: str | None, reason: str, key: str | None,
    config: str | None, *, as_json: bool,
) -> None:  # fmt: skip
    """Give USER an AMOUNT of credits. The account is made if there is none."""
    if key and is_relative(expires):
        fail(f"with --key write a date in place of --expires {expires}: repeated, it must mean the same")
    change = Grant(kind=bucket, amount_micro=amount_micro(amount), expires_at_ms=moment_ms(expires))
    _order(config, user, change, reason, key, as_json=as_json)


@credits_.command(cls=AmountCommand, epilog=examples("relevo credits revoke ana 100 --reason 'granted twice'"))
@_USER
@click.argument("amount")
@_REASON
@_KEY
@config_option
@json_option
def revoke(user: str, amount: str, reason: str, key: str | None, config: str | None, *, as_json: bool) -> None:
    """Take an AMOUNT back from USER, of what is available; never more than that."""
    _order(config, user, Revoke(amount_micro=amount_micro(amount)), reason, key, as_json=as_json)


@credits_.command(epilog=examples("relevo credits refund ana stripe:cs_live_a1b2 --reason 'payment refunded'"))
@_USER
@click.argument("key")
@_REASON
@config_option
@json_option
def refund(user: str, key: str, reason: str, config: str | None, *, as_json: bool) -> None:
    """Undo the grant of this KEY (`relevo credits history` shows it), as far as it has not been spent."""
    _order(config, user, Refund(grant_key=key), reason, None, as_json=as_json)


def _order(config: str | None, user: str, change: Change, reason: str, key: str | None, *, as_json: bool) -> None:
    async def work(office: Office) -> Ordered:
        return await office.order(office.owner(user), change, actor=actor(), reason=reason, key=key)

    ordered = in_office(config, work, make=isinstance(change, Grant))
    if as_json:
        grant = change if isinstance(change, Grant) else None
        click.echo(msgspec.json.encode(ordered_json(ordered, grant)).decode())
        return
    done = ordered.done
    again = ", done before under this key: nothing was changed now" if done.replayed else ""
    new = " (new account)" if done.new_account else ""
    click.echo(
        f"{ordered.user}{new}: {credits_of(done.moved_micro):+} credits, balance {credits_of(done.before_micro)}"
        f" → {credits_of(done.after_micro)} (key {ordered.key}){again}"
    )


@credits_.command(epilog=examples("relevo credits show ana", "relevo credits show app:ana --json"))
@_USER
@config_option
@json_option
def show(user: str, config: str | None, *, as_json: bool) -> None:
    """Show the account of USER: balance, what running calls hold, and what it is made of, in spend order."""

    async def work(office: Office) -> tuple[str, Balance | None]:
        owner = office.owner(user)
        return name_of(owner), await office.balance(owner)

    name, balance = in_office(config, work)
    if balance is None:
        fail(f"there is no account of {name}: `relevo credits grant` makes it", FOUND_PROBLEMS)
    if as_json:
        shown = {"user": name, "blocked": balance.blocked, **balance_json(balance)}
        click.echo(msgspec.json.encode(shown).decode())
        return
    click.echo(
        f"{name}: {credits_of(balance.available_micro)} credits available"
        f" (balance {credits_of(balance.balance_micro)}, held {credits_of(balance.held_micro)})"
        + (", BLOCKED" if balance.blocked else "")
    )
    rows = [
        (bucket.kind, str(credits_of(bucket.remaining_micro)), moment(bucket.expires_at_ms) or "never")
        for bucket in balance.buckets
    ]
    if rows:
        print_table(("kind", "left", "expires"), rows, right=("left",))


@credits_.command(epilog=examples("relevo credits history ana --limit 20", "relevo credits history ana --json"))
@_USER
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Newest movements.")
@config_option
@json_option
def history(user: str, limit: int, config: str | None, *, as_json: bool) -> None:
    """Show what happened to the account of USER, newest first: its movements, and when it was blocked."""

    async def work(office: Office) -> tuple[str, bool, list[Entry]]:
        owner = office.owner(user)
        entries = list(await office.ledger.history(owner, limit))
        return name_of(owner), bool(entries) or await office.ledger.exists(owner), entries

    name, exists, entries = in_office(config, work)
    if not exists:
        fail(f"there is no account of {name}", FOUND_PROBLEMS)
    if as_json:
        for row in history_json(entries):
            click.echo(msgspec.json.encode(row).decode())
        return
    if not entries:
        click.echo("No movement yet.")
        return
    print_table(
        ("#", "time (UTC)", "kind", "credits", "balance", "key or request", "by", "reason"),
        [
            (
                "" if entry.seq is None else str(entry.seq),
                (moment(entry.at_ms) or "").replace("T", " ").removesuffix("Z"),
                entry.kind,
                f"{credits_of(entry.amount_micro):+}" if entry.amount_micro else "",
                str(credits_of(entry.balance_micro)),
                entry.act_key or entry.hold_id or "",
                entry.actor,
                entry.reason,
            )
            for entry in entries
        ],
        right=("#", "credits", "balance"),
    )


credits_.add_command(import_)
