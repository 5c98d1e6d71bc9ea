"""Keeps callers away from what is broken, and finds out with one call at a time whether it still is."""

from dataclasses import dataclass
from math import inf
from random import Random
from typing import Final, Literal

from relevo.core.errors import Harm
from relevo.routing.health_rules import Rules
from relevo.routing.window import Window

_WINDOW_S: Final = 60
_BUCKETS: Final = 10

BreakerState = Literal["closed", "open", "half_open"]


@dataclass(frozen=True, slots=True)
class Pass:
    """With it a call goes by a breaker. What it finds out counts only while the breaker's state is the same."""

    era: int
    trial: int | None
    """Number of the call that a half-open breaker lets by alone. None: it is not such a call."""


class Breaker:
    """Closed; or open until a moment, then half-open: one call goes by, and by its end closes it or opens it again.

    Calls that began before the last opening or closing tell of another time: what becomes of them is ignored.
    Otherwise a hundred calls that a dying target leaves hanging would open it again after its recovery.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._window = Window(_WINDOW_S, _BUCKETS)
        self._in_a_row = 0
        self._openings = 0
        self._era = 0
        self._trials = 0
        self._relieved = False
        """A call's answer has begun since the opening: callers go by, and the next failure opens it again."""
        self._trial: int | None = None
        """The call by which a half-open breaker finds out. None: the next one will be it."""
        self._probe_at_s = inf
        self._probe_said_ok = False
        self.until_s = 0.0
        """The end of the opening, on the clock of `now_s`."""
        self.harm = Harm.NONE
        self.reason: str | None = None
        """Why it is not closed."""

    def state(self, now_s: float) -> BreakerState:
        """Its state at this moment."""
        if not self._openings or self._relieved:
            return "closed"
        return "open" if now_s < self.until_s else "half_open"

    def blocks(self, now_s: float) -> bool:
        """Whether a call has to stay away: it is open, or its one call is under way."""
        return self.state(now_s) == "open" or self._trial is not None

    @property
    def in_a_row(self) -> int:
        """Failures since the last answer."""
        return self._in_a_row

    def counts(self, now_s: float) -> tuple[int, int]:
        """Calls of the last minute, and how many of them were answered."""
        return self._window.counts(now_s)

    def enter(self, now_s: float) -> Pass:
        """A call goes by, whether or not it is blocked."""
        if self.state(now_s) != "half_open" or self._trial is not None:
            return Pass(self._era, None)
        self._trials += 1
        self._trial = self._trials
        return Pass(self._era, self._trial)

    def answering(self, entered: Pass) -> bool:
        """A call's answer has begun. Whether callers may go by from now on: none need wait for the answer's end."""
        relieves = entered.era == self._era and self._openings > 0 and not self._relieved
        if relieves:
            self._relieved, self._trial = True, None
        return relieves

    def ok(self, entered: Pass, now_s: float) -> bool:
        """A call was answered. Whether this closed the breaker."""
        if entered.era != self._era:
            return False
        closes = self._openings > 0 and not self._relieved
        if self._openings:
            self._close()
        self._window.add(now_s, calls=1, good=1)
        self._in_a_row = 0
        return closes

    def failed(self, entered: Pass, now_s: float, harm: Harm, reason: str, rules: Rules) -> bool:
        """A call failed by this harm: FAILURE, ROUTE or KEY. Whether this opened the breaker."""
        if entered.era != self._era:
            return False
        if self._openings:
            opens = self._relieved or (entered.trial is not None and entered.trial == self._trial)
        else:
            self._window.add(now_s, calls=1)
            self._in_a_row += 1
            opens = harm is not Harm.FAILURE or self._are_enough(now_s, rules)
        if opens:
            self._open(now_s, harm, reason, rules)
        return opens

    def left(self, entered: Pass) -> None:
        """A call ended and said nothing. The next one may try in its place."""
        if entered.trial is not None and entered.trial == self._trial and entered.era == self._era:
            self._trial = None

    def probe_due(self, now_s: float) -> bool:
        """Whether a free probe could close an opening early, and it is time for one."""
        moment_s = self.probe_at_s(now_s)
        return moment_s is not None and moment_s <= now_s

    def probe_at_s(self, now_s: float) -> float | None:
        """The moment of the next free probe. None: none is of use any more before the next opening."""
        shortens = now_s < self.until_s and self._probe_at_s < self.until_s
        relieves = (
            self._trial is not None and self._probe_at_s < inf
        )  # the one call may hang from before a recovery
        return self._probe_at_s if self.harm is Harm.FAILURE and (shortens or relieves) else None

    def probe_again_at(self, moment_s: float) -> None:
        """A free probe has been sent: the next one not before this moment, unless probes are not believed."""
        if self._probe_at_s < inf:
            self._probe_at_s = moment_s

    def probed(self, now_s: float, *, ok: bool) -> bool:
        """A free probe ended. Whether this made the breaker half-open."""
        if not ok or self.harm is not Harm.FAILURE or self._probe_at_s == inf:
            return False
        if self.state(now_s) == "half_open":
            self._trial = None  # it says nothing yet: another call finds out beside it
            return False
        self._probe_said_ok = True
        self.until_s = now_s
        return True

    def _are_enough(self, now_s: float, rules: Rules) -> bool:
        if self._in_a_row >= rules.failures:
            return True
        calls, good = self._window.counts(now_s)
        return calls >= rules.calls_min and calls - good >= rules.failure_share * calls

    def _open(self, now_s: float, harm: Harm, reason: str, rules: Rules) -> None:
        self._openings = self._openings + 1 if harm is self.harm else 1
        self.harm, self.reason = harm, reason
        self.until_s = now_s + rules.opening_s(harm, self._openings) + self._random.uniform(0, rules.open_jitter_s)
        # A probe that was wrong once in an outage (models are listed, chats fail) would be wrong every 5 s.
        self._probe_at_s = inf if self._probe_said_ok else now_s + rules.probe_s
        self._turn()

    def _close(self) -> None:
        self._openings = self._in_a_row = 0
        self._window.clear()  # an outage that is over is not held against its target
        self._probe_at_s, self._probe_said_ok = inf, False
        self.until_s, self.harm, self.reason = 0.0, Harm.NONE, None
        self._turn()

    def _turn(self) -> None:
        self._era += 1
        self._trial = None
        self._relieved = False
