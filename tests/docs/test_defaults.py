"""The defaults of deadlines, breaker, repeats and limits: tested once each, as values, against what the guide says."""

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from relevo.config.schema import Breaker, File, Limits, Retries, Timeouts
from relevo.routing.health import Rules

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "configuration.md"
DEFAULTS: dict[type[Any], dict[str, float]] = {
    Timeouts: {"connect_s": 3, "first_token_s": 10, "idle_s": 60, "total_s": 300},
    Breaker: {"failures": 2, "open_s": 10, "open_s_max": 25, "probe_s": 5},
    Retries: {"wait_s": 5, "last_wait_s": 20},
    Limits: {
        "body_bytes": 10_000_000,
        "user_requests_per_minute": 60,
        "user_concurrency": 20,
        "user_credits_per_day": 0,
        "requests_in_flight": 10_000,
        "connections_per_ip": 0,
    },
}
NOT_IN_FORCE = {"connections_per_ip"}


@pytest.mark.parametrize("section", DEFAULTS, ids=lambda section: section.__name__)
def test_the_defaults_are_those_of_the_contract(section: type[Any]) -> None:
    """Nobody who writes nothing gets another number; and a file without the section has them."""
    assert msgspec.to_builtins(section()) == DEFAULTS[section]
    assert getattr(File(), section.__name__.lower()) == section()


@pytest.mark.parametrize("section", DEFAULTS, ids=lambda section: section.__name__)
def test_the_guide_says_the_defaults(section: type[Any]) -> None:
    """Every key that is in force stands there, with its default."""
    name, shown = section.__name__.lower(), {}
    for block in re.findall(r"```toml\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        shown.update(tomllib.loads(block).get(name, {}))
    assert shown == {key: value for key, value in DEFAULTS[section].items() if key not in NOT_IN_FORCE}


def test_the_rules_of_health_begin_with_the_same_numbers() -> None:
    """Who makes them without a configuration gets its defaults."""
    rules, section = Rules(), Breaker()
    assert (rules.failures, rules.open_s, rules.open_s_max, rules.probe_s) == (
        section.failures,
        section.open_s,
        section.open_s_max,
        section.probe_s,
    )
