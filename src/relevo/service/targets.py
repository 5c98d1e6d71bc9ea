"""What an operator sees of the health of the configured targets; moments are of the wall clock here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from relevo.core.clock import Clock
from relevo.providers.registry import Provider
from relevo.routing.health import Health, Look
from relevo.routing.target_key import key_of
from relevo.routing.tasks import Task


class Offer(Protocol):
    """What a configuration offers."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks, by name."""

    @property
    def providers(self) -> Mapping[str, Provider]:
        """The providers, by name."""


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target at a moment."""

    provider: str
    upstream_model: str
    look: Look
    until_ms: int | None
    """The end of its opening or cooling, in milliseconds since 1970, rounded to the second."""


class Board:
    """How all targets do that any task names and that have their key, each once."""

    def __init__(self, health: Health, clock: Clock, offer: Callable[[], Offer]) -> None:
        """Args: offer: the configuration in force."""
        self._health = health
        self._clock = clock
        self._offer = offer

    def __call__(self) -> list[TargetState]:
        """All of them now, in the order of the configuration."""
        offer, now_s = self._offer(), self._clock.now_s()
        ahead_s = self._clock.wall_s() - now_s
        names = dict.fromkeys((t.provider, t.upstream_model) for task in offer.tasks.values() for t in task.targets)
        states = []
        for name, upstream_model in names:
            provider = offer.providers[name]
            if provider.ready:
                look = self._health.look(key_of(provider, upstream_model), now_s)
                until_ms = None if look.until_s is None else round(look.until_s + ahead_s) * 1000
                states.append(TargetState(name, upstream_model, look, until_ms))
        return states
