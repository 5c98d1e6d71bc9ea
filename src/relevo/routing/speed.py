"""How fast a target has answered lately, and which of several to try first."""

from collections import deque
from collections.abc import Sequence
from typing import Final

_FAILURE_COSTS_S: Final = 10.0
"""A failure costs its caller about what the default deadline for a first token is."""
_STEADY_WEIGHT: Final = 0.6
"""What a new sample of a target in steady use counts: a change shows after two or three, noise is halved."""
_FORGOTTEN_AFTER: Final = 8
"""After so many choices without a sample, the next one counts alone: what was before says nothing."""
_EXPLORE_EVERY: Final = 8
"""One choice in so many goes to a target that would else not be tried: how would its recovery be seen?"""
_SAMPLES_KEPT: Final = 64
_SAMPLES_MIN: Final = 20
"""Fewer have no 95th percentile."""


class Speed:
    """Smoothed time to the first token and failure rate of one target."""

    def __init__(self) -> None:
        self.first_token_s: float | None = None
        """Smoothed. None: it has never answered."""
        self.failure_rate = 0.0
        """Smoothed, from 0 to 1."""
        self.sampled = False
        self._samples: deque[float] = deque(maxlen=_SAMPLES_KEPT)
        self._choices = 0
        """Choices since the last sample."""
        self.passed_over = 0
        """Choices since it was last put first to find out how it does."""

    @property
    def score_s(self) -> float:
        """What a call there costs its caller in time; less is better."""
        return (self.first_token_s or 0.0) + self.failure_rate * _FAILURE_COSTS_S

    def p95_s(self) -> float | None:
        """What 95 of 100 answers do not exceed. None: there are too few of them."""
        count = len(self._samples)
        return sorted(self._samples)[-(-count * 95 // 100) - 1] if count >= _SAMPLES_MIN else None

    def answered(self, first_token_s: float) -> None:
        """A sample: an answer that began after so many seconds."""
        self._samples.append(first_token_s)
        weight = self._weight()
        known_s = first_token_s if self.first_token_s is None else self.first_token_s
        self.first_token_s = known_s + (first_token_s - known_s) * weight
        self.failure_rate *= 1 - weight
        self._sampled()

    def failed(self) -> None:
        """A sample: a failure."""
        self.failure_rate += (1 - self.failure_rate) * self._weight()
        self._sampled()

    def chosen_among(self) -> None:
        """It was one of those among which a choice was made."""
        self._choices += 1
        self.passed_over += 1

    def _weight(self) -> float:
        if not self.sampled:
            return 1.0
        staleness = min(1.0, max(0, self._choices - 1) / (_FORGOTTEN_AFTER - 1))
        return _STEADY_WEIGHT + (1 - _STEADY_WEIGHT) * staleness

    def _sampled(self) -> None:
        self.sampled = True
        self._choices = 0
        self.passed_over = 0


def order(speeds: Sequence[Speed], new: Sequence[bool], blocked: Sequence[bool]) -> tuple[list[int], int | None]:
    """The order in which to try targets, and which of them was put first only to find out how it does.

    Args:
        speeds: Of all targets, as listed.
        new: Nothing is known of it, and no call that will tell is under way: it comes first.
        blocked: It would refuse the call: it comes last, and is not worth finding out about.
    """
    ranked = sorted(range(len(speeds)), key=lambda n: (blocked[n], not new[n], speeds[n].score_s))
    turn = _EXPLORE_EVERY * (len(speeds) - 1)  # each of the others once in this many: together, every 8th choice
    due = [n for n in ranked[1:] if speeds[n].passed_over >= turn and not blocked[n]]
    if not due or new[ranked[0]]:
        return ranked, None
    oldest = max(due, key=lambda n: speeds[n].passed_over)
    ranked.remove(oldest)
    return [oldest, *ranked], oldest
