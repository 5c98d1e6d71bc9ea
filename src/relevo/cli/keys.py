"""`relevo keys`: credentials of programs, which spend the account of a user."""

import click
import msgspec

from relevo.cli.common import FOUND_PROBLEMS, config_option, examples, fail, json_option
from relevo.cli.office import actor, in_office, moment_ms
from relevo.cli.tables import print_table
from relevo.core.api_keys import ApiKey
from relevo.core.clock import SystemClock
from relevo.http.admin_json import api_key_json
from relevo.http.chat_answer import moment
from relevo.service.office import Office, name_of


@click.group(
    epilog=examples(
        "relevo keys create --owner ana --name batch --expires 90d --task CHAT",
        "relevo keys list",
        "relevo keys revoke key_0123456789abcdef",
    )
)
def keys() -> None:
    """API keys (`rv-…`): for programs, in place of a session token, as Authorization: Bearer or x-api-key."""


@keys.command(epilog=examples("relevo keys create --owner ana --name batch --expires 90d --task CHAT"))
@click.option("--owner", required=True, help="Whose account it spends: a `sub`, or row:sub.")
@click.option("--name", default="", help="What it is for.")
@click.option("--expires", help="When it ends: 90d, 2030-01-31. Default: never.")
@click.option("--task", "tasks", multiple=True, help="A task it may use; repeat it for more. Default: all.")
@config_option
@json_option
def create(
    owner: str, name: str, expires: str | None, tasks: tuple[str, ...], config: str | None, *, as_json: bool
) -> None:
    """Make a key and print it. This is the only time that it is shown."""
    expires_ms = moment_ms(expires)
    if expires_ms is not None and expires_ms <= SystemClock().wall_s() * 1000:
        fail(f"--expires {expires} has passed already")

    async def work(office: Office) -> tuple[str, ApiKey]:
        return await office.create_key(
            office.owner(owner), name=name, tasks=tasks or None, expires_ms=expires_ms, actor=actor()
        )

    text, key = in_office(config, work, make=True)
    if as_json:
        click.echo(msgspec.json.encode({**api_key_json(key), "key": text}).decode())
        return
    click.echo(text)
    click.echo(
        f"{key.id} spends the credits of {name_of(key.owner)}. The key is not shown again: keep it.", err=True
    )


@keys.command("list", epilog=examples("relevo keys list", "relevo keys list --owner ana --json"))
@click.option("--owner", help="Only keys of this user.")
@config_option
@json_option
def list_(owner: str | None, config: str | None, *, as_json: bool) -> None:
    """List keys: what they may do, never the keys themselves."""

    async def work(office: Office) -> list[ApiKey]:
        return list(await office.api_keys.all_of(office.owner(owner) if owner else None))

    found = in_office(config, work)
    if as_json:
        click.echo(msgspec.json.encode([api_key_json(key) for key in found]).decode())
        return
    if not found:
        click.echo("No key yet.")
        return
    now_ms = SystemClock().wall_s() * 1000
    print_table(
        ("id", "owner", "name", "ends in", "tasks", "made", "expires", "state"),
        [
            (
                key.id,
                name_of(key.owner),
                key.name,
                f"…{key.last4}",
                "all" if key.tasks is None else ", ".join(key.tasks),
                moment(key.created_ms) or "",
                moment(key.expires_ms) or "never",
                "revoked" if key.revoked_ms else "expired" if (key.expires_ms or now_ms + 1) <= now_ms else "good",
            )
            for key in found
        ],
    )


@keys.command(epilog=examples("relevo keys revoke key_0123456789abcdef"))
@click.argument("key_id", metavar="ID")
@config_option
@json_option
def revoke(key_id: str, config: str | None, *, as_json: bool) -> None:
    """End a key, from its next call on. It cannot be brought back."""

    async def work(office: Office) -> ApiKey | None:
        return await office.api_keys.revoke(key_id, actor())

    key = in_office(config, work)
    if key is None:
        fail(f"there is no key {key_id}: `relevo keys list` shows them", FOUND_PROBLEMS)
    click.echo(msgspec.json.encode(api_key_json(key)).decode() if as_json else f"{key.id} is revoked")
