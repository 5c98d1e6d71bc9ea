"""The nouns of the limits of one user."""

from dataclasses import dataclass
from typing import Protocol

from relevo.core.types import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLimits:
    """What one user may do. 0: no limit."""

    requests_per_minute: int = 0
    concurrency: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Whether a request of a user may begin."""

    allowed: bool
    retry_after_ms: int = 0
    """When the next one may; 0 with `allowed` false: when one of the running ones ends."""
    blocked: bool = False


class Limiter(Protocol):
    """Counts the requests of users. `enter` that allowed is followed by one `leave`."""

    async def enter(self, owner: Principal, limits: UserLimits) -> Entered:
        """A request begins. Raises: StoreUnavailable."""

    def leave(self, owner: Principal, limits: UserLimits) -> None:
        """A request that was allowed has ended. Returns at once."""


class Beat(Protocol):
    """Something shared with other processes that must hear that this one lives."""

    async def heartbeat(self) -> None:
        """A sign of life. Raises: StoreUnavailable."""

    async def sweep(self) -> int:
        """Free what dead processes left behind. How much. Raises: StoreUnavailable."""

    async def aclose(self) -> None:
        """This process ends: give back at once what it had."""
