"""One timer for all phases of an attempt: connect, first token, idle, and the total over all attempts."""

import asyncio
from dataclasses import dataclass
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

    Use as an async context manager around the attempt; a deadline that passes becomes an `UpstreamError`.
    """

    def __init__(self, deadlines: Deadlines, clock: Clock) -> None:
        self._deadlines = deadlines
        self._clock = clock
        self._guard = asyncio.timeout(None)
        self._fault = Fault.TOTAL_TIMEOUT
        self.phase = Phase.CONNECT
        self.http_status: int | None = None
        """Status of the answer, once its headers are there."""

    async def __aenter__(self) -> Self:
        await self._guard.__aenter__()
        self._arm(self._deadlines.connect_s, Fault.CONNECT_TIMEOUT)
        return self

    async def __aexit__(self, *failure: object) -> None:
        try:
            await self._guard.__aexit__(*failure)  # type: ignore[arg-type]
        except TimeoutError:
            raise UpstreamError(self._fault) from None

    def wall_s(self) -> float:
        """See `Clock.wall_s`."""
        return self._clock.wall_s()

    def reach(self, phase: Phase) -> None:
        """The attempt has come to `phase`. From SEND on, one wait covers everything up to the first token."""
        earlier, self.phase = self.phase, phase
        if phase is Phase.BODY:
            self._arm(self._deadlines.idle_s, Fault.IDLE_TIMEOUT)
        elif earlier is Phase.CONNECT and phase is not Phase.CONNECT:
            self._arm(self._deadlines.first_token_s, Fault.FIRST_TOKEN_TIMEOUT)

    def alive(self) -> None:
        """Bytes arrived. After the first token they put off the idle deadline; before it they change nothing."""
        if self.phase is Phase.BODY:
            self._arm(self._deadlines.idle_s, Fault.IDLE_TIMEOUT)

    def _arm(self, wait_s: float, fault: Fault) -> None:
        left_s = self._deadlines.ends_at_s - self._clock.now_s()
        self._fault = fault if wait_s < left_s else Fault.TOTAL_TIMEOUT
        self._guard.reschedule(asyncio.get_running_loop().time() + max(0.0, min(wait_s, left_s)))
