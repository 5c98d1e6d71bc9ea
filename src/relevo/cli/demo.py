"""`relevo demo`: break and heal the simulated providers while the server runs."""

import click
import msgspec

from relevo.cli.common import config_option, examples, fail, json_option, load_or_exit
from relevo.demo.control import DemoNotRunning, tell
from relevo.demo.faults import MODES, STATUSES, Break
from relevo.demo.server import PATHS

_PROVIDER = click.argument("provider", type=click.Choice(list(PATHS)))


@click.group(
    epilog=examples("relevo demo break gemini --status 429", "relevo demo heal gemini", "relevo demo status")
)
def demo() -> None:
    """Break and heal the simulated providers of a server in demo mode."""


@demo.command(
    "break", epilog=examples("relevo demo break gemini --status 429", "relevo demo break qwen --mode cut")
)
@_PROVIDER
@click.option("--status", type=click.Choice([str(s) for s in STATUSES]), help="Answer with this HTTP status.")
@click.option(
    "--mode",
    type=click.Choice([mode for mode in MODES if mode != "status"]),
    help="silent: never answer; slow: a word every 500 ms; cut: half a stream; html: a proxy's page; "
    "half-json, no-usage, empty: as named.",
)
@config_option
@json_option
def break_(provider: str, status: str | None, mode: str | None, config: str | None, *, as_json: bool) -> None:
    """Make PROVIDER fail until it is healed. Without an option it answers 503. A stream under way breaks off."""
    if status and mode:
        fail("give --status or --mode, not both")
    wanted = msgspec.convert({"mode": mode or "status", "status": int(status or 503)}, Break)
    _report(_tell(config, "PUT", provider, wanted), as_json=as_json)


@demo.command(epilog=examples("relevo demo heal gemini", "relevo demo heal all"))
@click.argument("provider", type=click.Choice([*PATHS, "all"]))
@config_option
@json_option
def heal(provider: str, config: str | None, *, as_json: bool) -> None:
    """Let PROVIDER answer again (or `all` of them)."""
    broken: dict[str, Break] = {}
    for name in PATHS if provider == "all" else (provider,):
        broken = _tell(config, "DELETE", name, None)
    _report(broken, as_json=as_json)


@demo.command(epilog=examples("relevo demo status"))
@config_option
@json_option
def status(config: str | None, *, as_json: bool) -> None:
    """Show which simulated providers are broken."""
    _report(_tell(config, "GET", "", None), as_json=as_json)


def _tell(config: str | None, method: str, provider: str, body: Break | None) -> dict[str, Break]:
    data_dir = load_or_exit(config).data_dir
    try:
        return tell(data_dir, method, provider, body)
    except DemoNotRunning as error:
        fail(str(error))


def _report(broken: dict[str, Break], *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(broken).decode())
        return
    for name in PATHS:
        state = broken.get(name)
        how = "answers" if state is None else f"broken: {state.status if state.mode == 'status' else state.mode}"
        click.echo(f"{name:<9} {how}")
