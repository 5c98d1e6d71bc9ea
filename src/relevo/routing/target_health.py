"""All that is remembered of one target, and of what it shares with the others behind its key."""

from random import Random
from typing import Literal

from relevo.routing.breaker import Breaker
from relevo.routing.health_rules import Rules
from relevo.routing.limit import Limit, Throttle
from relevo.routing.silence import Silence
from relevo.routing.speed import Speed

State = Literal["closed", "open", "half_open", "cooling"]


class Access:
    """What all targets behind one key of a provider share."""

    def __init__(self, random: Random) -> None:
        self.breaker = Breaker(random)
        self.has_probe = True
        """Whether free probes are worth sending: until one has shown that there is no such thing here."""


class TargetHealth:
    """One target. `Health` makes and finds them, `Ticket` tells them how calls end."""

    def __init__(self, access: Access, random: Random, ceiling: int) -> None:
        self._random = random
        self._cooldowns = 0
        """429 in a row."""
        self.access = access
        self.breaker = Breaker(random)
        self.limit = Limit(ceiling)
        self.throttle = Throttle(random)
        self.speed = Speed()
        self.silence = Silence()
        self.cooling_until_s = 0.0
        self.cooling_for: str | None = None
        """Why it cools."""

    @property
    def breakers(self) -> tuple[Breaker, Breaker]:
        """Its own, and that of its key."""
        return self.breaker, self.access.breaker

    def blocked(self, now_s: float) -> bool:
        """Whether it would refuse a call that has somewhere else to go."""
        return now_s < self.cooling_until_s or any(breaker.blocks(now_s) for breaker in self.breakers)

    def lets_wait(self, now_s: float, rules: Rules) -> bool:
        """Whether so many of its calls wait in vain that one more, with somewhere else to go, is better spared."""
        needed = max(1, rules.failures - self.breaker.in_a_row)
        return self.silence.in_vain(now_s, self.speed.first_token_s, needed) >= needed

    def cool(self, now_s: float, reason: str, retry_after_s: float | None, rules: Rules) -> None:
        """It answered "later". Several calls that hear so at the same time count as one."""
        if now_s >= self.cooling_until_s:
            self._cooldowns += 1
        elif retry_after_s is None:
            return
        if retry_after_s is not None:
            wait_s = max(0.0, min(rules.retry_after_s_max, retry_after_s))
        else:
            # Equal jitter: full jitter may come to nothing, and a limit needs some time to refill.
            half_s = rules.backoff_s(self._cooldowns) / 2
            wait_s = half_s + self._random.uniform(0, half_s)
        self.cooling_until_s = max(self.cooling_until_s, now_s + wait_s)
        self.cooling_for = reason

    def warmed(self) -> None:
        """It answered: the next 429 is the first again."""
        self._cooldowns = 0

    def state(self, now_s: float) -> tuple[State, float | None, str | None]:
        """State, end and reason of the worst that is the matter with it."""
        states = [(breaker, breaker.state(now_s)) for breaker in self.breakers]
        opened = [breaker for breaker, state in states if state == "open"]
        if opened:
            longest = max(opened, key=lambda breaker: breaker.until_s)
            return "open", longest.until_s, longest.reason
        if now_s < self.cooling_until_s:
            return "cooling", self.cooling_until_s, self.cooling_for
        half = next((breaker for breaker, state in states if state == "half_open"), None)
        return ("half_open", None, half.reason) if half else ("closed", None, None)
