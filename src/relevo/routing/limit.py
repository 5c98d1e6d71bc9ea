"""How many calls at a time a target takes, found out from how it answers; and how many a dead one gets at all."""

from math import inf
from random import Random
from typing import Final

from relevo.routing.window import Window

_SHRINK: Final = 0.7
_SHRINK_EVERY_S: Final = 1.0
"""One overload refuses many calls at the same time: they count as one."""
_FLOOR: Final = 2
"""Less than this, and one long answer would shut out everybody else."""
_SLOW: Final = 2.0
"""So many times its usual time to the first token is a sign of overload."""
_SHORT_WEIGHT: Final = 0.2
_LONG_WEIGHT: Final = 0.01
_SAMPLES_MIN: Final = 20
"""Before so many answers there is no usual time."""
_THROTTLE_S: Final = 120
_THROTTLE_BUCKETS: Final = 12
_ACCEPTS_FACTOR: Final = 2
_PASS_EVERY_S: Final = 1.0
_THROTTLE_CALLS_MIN: Final = 10
"""Fewer calls than this in two minutes are no storm, whatever share of them fails."""


class Limit:
    """Additive increase, multiplicative decrease: starts at the ceiling and shrinks on signs of overload only."""

    def __init__(self, ceiling: int) -> None:
        self.in_flight = 0
        self._ceiling = ceiling
        self._limit = float(ceiling)
        self._known_good = 0.0
        """Up to here each answer raises the limit: half of what was there before the overload."""
        self._successes = 0
        self._shrunk_s = -inf
        self._short_s = self._long_s = 0.0
        self._samples = 0

    @property
    def limit(self) -> int:
        """Calls at a time."""
        return int(self._limit)

    @property
    def full(self) -> bool:
        """Whether one more call is too many."""
        return self.in_flight >= self.limit

    def set_ceiling(self, ceiling: int) -> None:
        """A reload changed the ceiling. What was found out below it stays."""
        untouched = self._limit == self._ceiling
        self._ceiling = ceiling
        self._limit = float(ceiling) if untouched else min(self._limit, ceiling)

    def answered(self, now_s: float, first_token_s: float) -> None:
        """A call was answered, and is still counted in `in_flight`. `limit` of these raise the limit by 1."""
        if self._slowed(first_token_s):
            self.overloaded(now_s)
            return
        self._successes += 1
        if self._successes >= self._limit or self._limit < self._known_good:
            self._limit = min(self._ceiling, self._limit + 1)
            self._successes = 0

    def overloaded(self, now_s: float) -> None:
        """A sign of overload."""
        if now_s - self._shrunk_s >= _SHRINK_EVERY_S:
            self._shrunk_s = now_s
            self._successes = 0
            self._known_good = self._limit / 2
            self._limit = max(min(_FLOOR, self._ceiling), self._limit * _SHRINK)

    def _slowed(self, first_token_s: float) -> bool:
        """Whether answers begin late, on average, while the limit is in use: one long prompt is no overload."""
        self._samples += 1
        self._short_s += (first_token_s - self._short_s) * max(_SHORT_WEIGHT, 1 / self._samples)
        self._long_s += (first_token_s - self._long_s) * max(_LONG_WEIGHT, 1 / self._samples)
        in_use = self.in_flight * 2 >= self._limit
        return in_use and self._samples > _SAMPLES_MIN and self._short_s > _SLOW * self._long_s


class Throttle:
    """Spares a dead target most of the calls that have nowhere else to go.

    The formula is Google's: a call is turned away with probability (requests - 2 accepts) / (requests + 1), over
    two minutes, requests counted before they are sent (sre.google/sre-book/handling-overload, 2026-11). One call a
    second passes whatever it says, so that a recovery is seen at once.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._window = Window(_THROTTLE_S, _THROTTLE_BUCKETS)
        self._passed_s = -inf

    @property
    def next_s(self) -> float:
        """The moment from which on a call passes for certain."""
        return self._passed_s + _PASS_EVERY_S

    def turns_away(self, now_s: float) -> bool:
        """Whether a call that wants to begin is turned away. It is counted either way, by `wanted`."""
        requests, accepts = self._window.counts(now_s)
        if requests < _THROTTLE_CALLS_MIN:
            return False
        share = (requests - _ACCEPTS_FACTOR * accepts) / (requests + 1)
        return now_s < self.next_s and self._random.random() < share

    def wanted(self, now_s: float) -> None:
        """A call wants to begin."""
        self._window.add(now_s, calls=1)

    def passed(self, now_s: float) -> None:
        """It begins."""
        self._passed_s = now_s

    def accepted(self, now_s: float) -> None:
        """It was not turned away by the target."""
        self._window.add(now_s, good=1)
