"""What a process takes on: so many requests at a time, and only while its memory has room. Beyond it, a prompt 503.

The check comes before a body is read and before the store is asked: turning away must cost next to nothing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Final

from relevo.core.errors import Code, GatewayError

_RETRY_S: Final = (1, 5)
"""Those who are turned away together must not come back together."""


class Gate:
    """The way in for new work. One a process; it outlives every configuration."""

    def __init__(self, memory_full: Callable[[], bool], shed: Callable[[str], None], dice: Random) -> None:
        """Nobody is in yet.

        Args:
            memory_full: Whether new work would endanger what runs.
            shed: Told the reason (`draining`, `requests`, `memory`) of every request that is turned away.
            dice: Spreads the moments at which they come back.
        """
        self._memory_full = memory_full
        self._shed = shed
        self._dice = dice
        self.running = 0
        """Requests that are in."""
        self.closed = False
        """The server is ending: nobody comes in any more."""

    @contextmanager
    def place(self, requests_max: int) -> Iterator[None]:
        """The time in which a request is in.

        Args:
            requests_max: How many may be in at a time. 0: no limit.

        Raises:
            GatewayError: `unavailable`, with a `retry-after`.
        """
        reason = self._reason(requests_max)
        if reason is not None:
            self._shed(reason)
            raise GatewayError(Code.UNAVAILABLE, extra={"retry_after_s": self._dice.randint(*_RETRY_S)})
        self.running += 1
        try:
            yield
        finally:
            self.running -= 1

    def _reason(self, requests_max: int) -> str | None:
        if self.closed:
            return "draining"
        if requests_max and self.running >= requests_max:
            return "requests"
        # With nobody in, memory is as free as it will ever be: who waited for more would wait for ever.
        if self.running and self._memory_full():
            return "memory"
        return None
