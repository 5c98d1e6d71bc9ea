"""`relevo explain`: the plan of a task, without calling anybody."""

import click
import msgspec

from relevo.cli.common import config_option, examples, fail, json_option, load_or_exit
from relevo.cli.tables import print_table
from relevo.config.problems import did_you_mean
from relevo.core.types import ChatWish, Params, Target
from relevo.providers.registry import retired_advice
from relevo.routing.plan import Step, make_plan
from relevo.setup import Setup

_NANO_USD_PER_USD = 1_000_000_000
_SKIPPED = {"no_key": "skipped: it has no key"}


@click.command(epilog=examples("relevo explain --task CHAT", "relevo explain --task LONG_CONTENT --json"))
@config_option
@click.option("--task", help="Name of the task. Default: the first one, which calls without a task get.")
@click.option("--user", help="For whom. Plans are the same for all users in this version.")
@json_option
def explain(config: str | None, task: str | None, user: str | None, *, as_json: bool) -> None:
    """Print the plan of a task: order, limits, prices, what is skipped and why. Nobody is called."""
    setup = load_or_exit(config)
    name = task or next(iter(setup.tasks))
    if name not in setup.tasks:
        fail(f'no task "{name}": there are {", ".join(setup.tasks)}.{did_you_mean(name, setup.tasks)}')
    plan = make_plan(ChatWish(messages=(), params=Params(), task=name), setup.tasks, setup.providers)
    rows = [_row(setup, number, step) for number, step in enumerate(plan.steps, start=1)]
    if as_json:
        shown = {"task": name, "user": user, "order": "listed", "demo": setup.demo, "targets": rows}
        click.echo(msgspec.json.encode(shown).decode())
        return
    click.echo(f"Task {name}, targets as listed" + (f", for {user}" if user else ""))
    if setup.demo:
        click.echo("Demo mode: these providers are simulated.")
    print_table(
        ("#", "provider", "model", "max_tokens", "USD per Mtok in/out", "state"),
        [
            (
                str(row["number"]),
                str(row["provider"]),
                str(row["model"]),
                str(row["max_tokens"] or "provider's own"),
                _price_text(row["price_usd_per_mtok"]),
                str(row["state"]),
            )
            for row in rows
        ],
        right=("#", "max_tokens"),
    )


def _row(setup: Setup, number: int, step: Step) -> dict[str, object]:
    target = step.target
    return {
        "number": number,
        "provider": target.provider,
        "model": target.upstream_model,
        "max_tokens": target.max_tokens,
        "price_usd_per_mtok": _price(setup, target),
        "skipped": None if setup.demo else step.skipped,
        "state": _state(setup, step),
    }


def _price(setup: Setup, target: Target) -> dict[str, float] | None:
    price = setup.prices.of(target)
    if price is None:
        return None
    return {
        "input": price.input_nano_usd_per_mtok / _NANO_USD_PER_USD,
        "output": price.output_nano_usd_per_mtok / _NANO_USD_PER_USD,
    }


def _price_text(price: object) -> str:
    return f"{price['input']:g} / {price['output']:g}" if isinstance(price, dict) else "unknown"


def _state(setup: Setup, step: Step) -> str:
    if setup.demo:
        return "simulated"
    if step.skipped:
        return _SKIPPED.get(step.skipped, f"skipped: {step.skipped}")
    return retired_advice(setup.providers[step.target.provider], step.target.upstream_model) or "ready"
