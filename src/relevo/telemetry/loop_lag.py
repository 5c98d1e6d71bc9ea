"""How late the event loop is: what blocks it blocks every answer at once."""

import asyncio
from collections import deque
from typing import Final

from relevo.core.clock import Clock

TICK_S: Final = 0.1
WINDOW_S: Final = 10.0
DEGRADED_S: Final = 0.5
"""A server whose loop was later than this is still there, and something is wrong with it."""


class LoopLag:
    """Sleeps again and again, and notes how much later than wanted it woke."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due_s: float | None = None
        self._worst: deque[tuple[float, float]] = deque()
        """(moment, lag) of the window; what a later and greater one outdoes is left out: the first is the worst."""
        self.beats = 0
        """Grows with every round, from the first on: a loop in which it stands still is stuck."""

    async def run(self) -> None:
        """Measure until cancelled."""
        try:
            while True:
                self._due_s = self._clock.now_s() + TICK_S
                self.beats += 1
                await asyncio.sleep(TICK_S)
                self._note(self._clock.now_s(), self._overdue_s())
        finally:
            self._due_s = None

    def worst_s(self) -> float:
        """The greatest lag of the last 10 s, in seconds, what is overdue right now included."""
        now_s = self._clock.now_s()
        self._forget(now_s)
        return max(self._overdue_s(), self._worst[0][1] if self._worst else 0.0)

    def degraded_s(self) -> float | None:
        """The worst lag where it is beyond what is well. None: all is well."""
        worst_s = self.worst_s()
        return worst_s if worst_s > DEGRADED_S else None

    def _overdue_s(self) -> float:
        return 0.0 if self._due_s is None else max(0.0, self._clock.now_s() - self._due_s)

    def _note(self, at_s: float, lag_s: float) -> None:
        while self._worst and self._worst[-1][1] <= lag_s:
            self._worst.pop()
        self._worst.append((at_s, lag_s))
        self._forget(at_s)

    def _forget(self, now_s: float) -> None:
        while self._worst and self._worst[0][0] < now_s - WINDOW_S:
            self._worst.popleft()
