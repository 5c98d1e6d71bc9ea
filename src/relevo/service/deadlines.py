"""One timer for all phases of an attempt: connect, first token, idle, and the total over all attempts."""

import asyncio
from dataclasses import dataclass
from math import inf
from typing import Final, Self

from relevo.core.clock import Clock
from relevo.core.errors import Fault, Phase, UpstreamError

LAST_TARGET_FACTOR: Final = 3
"""The last target waits longer for its first token: after it there is nobody left to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Limits of one attempt, in seconds; `ends_at_s` is a moment on `Clock.now_s`, shared by all attempts."""

    connect_s: float
    first_token_s: float
    idle_s: float
    ends_at_s: float


class Watch:
    """Follows an attempt through its phases and fires when one takes too long.

    Use as an async context manager around the attempt, in the attempt's own task; a deadline that passes becomes an
    `UpstreamError`. Putting a deadline off costs an assignment, not a timer: a stream does it for every chunk.
    """

    def __init__(self, deadlines: Deadlines, clock: Clock) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self._ends_at_s = deadlines.ends_at_s
        self._due_s = inf
        self._fault = Fault.TOTAL_TIMEOUT
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = inf
        """When the timer rings. Invariant: not later than `_due_s`; it may ring early and is then set anew."""
        self._fired = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._started_s = clock.now_s()
        self.phase = Phase.CONNECT
        self.http_status: int | None = None
        """Status of the answer, once its headers are there."""
        self.first_token_s: float | None = None
        """Seconds from the attempt's start to its first token. None: there was none yet."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        assert self._task is not None  # noqa: S101 - a coroutine that awaits runs in a task
        self._cancelling = self._task.cancelling()
        self._arm(self._deadlines.connect_s, Fault.CONNECT_TIMEOUT)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._fired and self._task is not None:
            ours = self._task.uncancel() <= self._cancelling
            if ours and kind is not None and issubclass(kind, asyncio.CancelledError):
                raise UpstreamError(self._fault) from None

    def wall_s(self) -> float:
        """See `Clock.wall_s`."""
        return self._clock.wall_s()

    def reach(self, phase: Phase) -> None:
        """The attempt has come to `phase`. From SEND on, one wait covers everything up to the first token."""
        earlier, self.phase = self.phase, phase
        if phase is Phase.BODY:
            if self.first_token_s is None:
                self.first_token_s = self._clock.now_s() - self._started_s
            self._arm(self._deadlines.idle_s, Fault.IDLE_TIMEOUT)
        elif earlier is Phase.CONNECT and phase is not Phase.CONNECT:
            self._arm(self._deadlines.first_token_s, Fault.FIRST_TOKEN_TIMEOUT)

    def alive(self) -> None:
        """Bytes arrived. After the first token they put off the idle deadline; before it they change nothing."""
        if self.phase is Phase.BODY:
            self._arm(self._deadlines.idle_s, Fault.IDLE_TIMEOUT)

    def pause(self) -> None:
        """It is not the provider's turn now: its clock stands still until `alive`. The total goes on."""
        self._arm(inf, Fault.TOTAL_TIMEOUT)

    def end_within(self, wait_s: float) -> None:
        """Bring the end of everything forward."""
        self._ends_at_s = min(self._ends_at_s, self._clock.now_s() + wait_s)
        self._arm(self._due_s - self._clock.now_s(), self._fault)

    def _arm(self, wait_s: float, fault: Fault) -> None:
        now_s = self._clock.now_s()
        left_s = self._ends_at_s - now_s
        self._fault = fault if wait_s < left_s else Fault.TOTAL_TIMEOUT
        self._due_s = now_s + max(0.0, min(wait_s, left_s))
        if self._due_s < self._timer_s:
            self._set_timer(now_s)

    def _set_timer(self, now_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = self._due_s
        self._timer = asyncio.get_running_loop().call_later(max(0.0, self._due_s - now_s), self._ring)

    def _ring(self) -> None:
        now_s = self._clock.now_s()
        if now_s < self._due_s:
            self._set_timer(now_s)
            return
        self._fired = True
        if self._task is not None:
            self._task.cancel()
