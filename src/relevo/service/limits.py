"""Limits of one user: requests a minute, and how many at a time. A token bucket by its next free moment (GCRA)."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Protocol

from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError
from relevo.core.limits import Entered, UserLimits
from relevo.core.types import Principal

_USERS_MAX: Final = 100_000
"""Users remembered at a time; whoever is forgotten begins with a full minute, which bounds memory."""
_MINUTE_S: Final = 60.0


class IsBlocked(Protocol):
    """Where it stands who is blocked."""

    async def is_blocked(self, owner: Principal) -> bool:
        """Whether a user is blocked. Raises: StoreUnavailable."""


@dataclass(slots=True)
class _Use:
    free_at_s: float = 0.0
    """The moment up to which this user's requests are used up; in the past: none are."""
    running: int = field(default=0)


class MemoryLimiter:
    """The limits of one process."""

    def __init__(self, clock: Clock, blocks: IsBlocked) -> None:
        self._clock = clock
        self._blocks = blocks
        self._users: OrderedDict[tuple[str, str], _Use] = OrderedDict()

    async def enter(self, owner: Principal, limits: UserLimits) -> Entered:
        """See `Limiter.enter`."""
        if await self._blocks.is_blocked(owner):
            return Entered(allowed=False, blocked=True)
        use = self._use(owner)
        if limits.concurrency and use.running >= limits.concurrency:
            return Entered(allowed=False)
        if limits.requests_per_minute:
            now_s = self._clock.now_s()
            next_s = max(use.free_at_s, now_s) + _MINUTE_S / limits.requests_per_minute
            if next_s - now_s > _MINUTE_S + 1e-6:
                return Entered(allowed=False, retry_after_ms=max(1, round((next_s - now_s - _MINUTE_S) * 1000)))
            use.free_at_s = next_s
        use.running += 1
        return Entered(allowed=True)

    def leave(self, owner: Principal, limits: UserLimits) -> None:  # noqa: ARG002 - the protocol's signature
        """See `Limiter.leave`."""
        use = self._users.get((owner.issuer, owner.subject))
        if use is not None:
            use.running -= 1

    def _use(self, owner: Principal) -> _Use:
        key = (owner.issuer, owner.subject)
        use = self._users.setdefault(key, _Use())
        self._users.move_to_end(key)
        if len(self._users) > _USERS_MAX:
            idle = next((key for key, known in self._users.items() if not known.running), None)
            if idle is not None:
                del self._users[idle]
        return use


def refusal(entered: Entered, limits: UserLimits) -> GatewayError:
    """What a user hears whose request may not begin."""
    if entered.blocked:
        return GatewayError(Code.USER_BLOCKED)
    if not entered.retry_after_ms:
        return GatewayError(
            Code.RATE_LIMITED, "rate_limited.concurrency", limit=limits.concurrency, extra={"retry_after_s": 1}
        )
    retry_after_s = -(-entered.retry_after_ms // 1000)
    return GatewayError(Code.RATE_LIMITED, retry_after_s=retry_after_s, extra={"retry_after_s": retry_after_s})
