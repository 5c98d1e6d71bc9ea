"""`relevo admin`: the credential of the admin API."""

import click
import msgspec

from relevo.auth.admin_token import admin_token
from relevo.cli.common import config_option, examples, fail, json_option, load_or_exit


@click.group(
    epilog=examples('curl -H "Authorization: Bearer $(relevo admin token)" http://127.0.0.1:8788/admin/api/report')
)
def admin() -> None:
    """The admin API on the admin listener."""


@admin.command(epilog=examples("relevo admin token", "relevo admin token --rotate"))
@click.option("--rotate", is_flag=True, help="Make a new one: the old one ends at once.")
@config_option
@json_option
def token(config: str | None, *, rotate: bool, as_json: bool) -> None:
    """Print the token of /admin/api; it is made on first use, in a file of the data directory (mode 0600)."""
    data_dir = load_or_exit(config).data_dir
    try:
        text = admin_token(data_dir, rotate=rotate)
    except (OSError, ValueError) as error:
        fail(str(error))
    click.echo(msgspec.json.encode({"token": text}).decode() if as_json else text)
