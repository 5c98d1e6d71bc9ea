"""`relevo users`: whom the gateway serves no more."""

import click
import msgspec

from relevo.cli.common import config_option, examples, json_option
from relevo.cli.office import actor, in_office
from relevo.core.ledger import Block
from relevo.http.admin_json import ordered_json
from relevo.service.office import Office, Ordered

_REASON = click.option("--reason", default="", help="Why: it stands in the books.")


@click.group(epilog=examples("relevo users block ana --reason abuse", "relevo users unblock ana"))
def users() -> None:
    """Block users and admit them again. It counts from their next call on, for session tokens and keys."""


@users.command(epilog=examples("relevo users block ana --reason abuse"))
@click.argument("user")
@_REASON
@config_option
@json_option
def block(user: str, reason: str, config: str | None, *, as_json: bool) -> None:
    """Serve USER no more. Running answers end as they would; credits stay."""
    _order(config, user, reason, blocked=True, as_json=as_json)


@users.command(epilog=examples("relevo users unblock ana"))
@click.argument("user")
@_REASON
@config_option
@json_option
def unblock(user: str, reason: str, config: str | None, *, as_json: bool) -> None:
    """Serve USER again."""
    _order(config, user, reason, blocked=False, as_json=as_json)


def _order(config: str | None, user: str, reason: str, *, blocked: bool, as_json: bool) -> None:
    async def work(office: Office) -> Ordered:
        return await office.order(office.owner(user), Block(blocked=blocked), actor=actor(), reason=reason)

    ordered = in_office(config, work, make=blocked)
    if as_json:
        click.echo(msgspec.json.encode({**ordered_json(ordered), "blocked": blocked}).decode())
    else:
        new = " (new account)" if ordered.done.new_account else ""
        click.echo(f"{ordered.user}{new} is {'blocked' if blocked else 'served again'}")
