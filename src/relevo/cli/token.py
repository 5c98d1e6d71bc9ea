"""`relevo token`."""

import click

from relevo.auth.dev_secret import ISSUER, has_development_secret, sign
from relevo.cli.common import config_option, duration_s, examples, fail, load_or_exit
from relevo.core.clock import SystemClock
from relevo.setup import issuers_of

_SUBJECT_MAX = 255


@click.command(
    epilog=examples(
        "relevo token --user ana",
        "relevo token --user ana --ttl 7d",
        'curl -H "Authorization: Bearer $(relevo token --user ana)" …',
    )
)
@config_option
@click.option("--user", required=True, help="The token's `sub`: who it speaks for.")
@click.option("--ttl", default="1h", show_default=True, help="How long it is good for: 30m, 1h, 7d.")
def token(config: str | None, user: str, ttl: str) -> None:
    """Print a session token signed with the local development secret.

    For development only: once an issuer is configured, your platform signs the tokens and this is refused.
    """
    setup = load_or_exit(config)
    if not setup.needs_loopback:
        rows = ", ".join(setup.config.file.auth.issuers)
        fail(f"session tokens come from your issuers ({rows}); the development secret is no longer accepted")
    if not 0 < len(user) <= _SUBJECT_MAX or not user.isprintable():
        fail(f"--user takes 1 to {_SUBJECT_MAX} printable characters")
    if not has_development_secret(setup.data_dir):
        click.echo(
            f"made a new development secret in {setup.data_dir}: a server in another folder does not know it",
            err=True,
        )
    try:
        secret = issuers_of(setup)[ISSUER].secret
    except (OSError, ValueError) as error:
        fail(str(error))
    click.echo(sign(secret, user, now_s=SystemClock().wall_s(), ttl_s=duration_s(ttl)))
