"""Time is injected, so that no test sleeps and no module reads the clock behind our back."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where every layer gets the time from."""

    def now_s(self) -> float:
        """Seconds on a clock that never goes back; for deadlines and durations only."""

    def wall_s(self) -> float:
        """Seconds since 1970 (UTC), which an operator may set back; for rows and tokens."""


class SystemClock:
    """The machine's clock. `now_s` is the clock of the event loop, so both can be compared."""

    def now_s(self) -> float:
        """See `Clock.now_s`."""
        return time.monotonic()

    def wall_s(self) -> float:
        """See `Clock.wall_s`."""
        return time.time()
