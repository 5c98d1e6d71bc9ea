"""The command line: one file per group of commands, loaded only when it is asked for."""

import importlib
from typing import Final

import click

from relevo import __version__

_COMMANDS: Final[dict[str, str]] = {
    "serve": "relevo.cli.serve:serve",
    "init": "relevo.cli.setup:init",
    "check": "relevo.cli.setup:check",
    "explain": "relevo.cli.explain:explain",
    "schema": "relevo.cli.setup:schema",
    "token": "relevo.cli.token:token",
    "log": "relevo.cli.log:log",
    "credits": "relevo.cli.credits:credits_",
    "users": "relevo.cli.users:users",
    "keys": "relevo.cli.keys:keys",
    "ledger": "relevo.cli.books:ledger",
    "report": "relevo.cli.books:report",
    "backup": "relevo.cli.backup:backup",
    "restore": "relevo.cli.backup:restore",
    "admin": "relevo.cli.admin:admin",
    "demo": "relevo.cli.demo:demo",
    "scan": "relevo.cli.scan:scan",
    "migrate": "relevo.cli.migrate:migrate",
}


class _LazyGroup(click.Group):
    """Imports a command's module when it is used: `relevo serve` must not wait for the tables of `relevo log`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 - a fact about the table above
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `relevo serve`: without a key and without a file it starts in demo mode.",
)
@click.version_option(__version__, prog_name="relevo")
def main() -> None:
    """A self-hosted AI gateway: keys, order, fallback and the record stay on your server."""
