"""The nouns of the operator's report: what was sold, what it cost, what came and went."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """What one task brought and cost."""

    task: str
    answers: int
    sold_micro: int
    """Credits charged."""
    cost_nano_usd: int
    """What providers charge us for the answers that were given."""
    written_off_nano_usd: int
    """What tries cost us (or may have) that brought no answer; nobody paid for them."""
    unknown_cost: int
    """Answers whose price is not known: in `answers`, but not in `cost_nano_usd`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A stretch of time up to now."""

    since_ms: int
    until_ms: int
    tasks: Sequence[TaskReport]
    moved_micro: Mapping[str, int]
    """Sum of entries by kind, signed as users see them: `expire` and `revoke` are negative."""
