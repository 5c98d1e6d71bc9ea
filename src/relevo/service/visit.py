"""One request of a known caller, from its first byte to its row in the record."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from relevo.core.clock import Clock
from relevo.core.errors import CallerGone, Code, GatewayError
from relevo.core.record import Attempt, Observer, RequestRecord
from relevo.core.types import Principal

REPLAYED: Final = "replayed"
"""Code of an answer that was given again: it stands where else nothing stands."""
CANCELLED: Final = "cancelled"
"""Code of a request that ended because its connection or the server did."""
_CLIENT_CLOSED: Final = 499
_OK: Final = 200
_BUG: Final = 500


class Visit:
    """Collects what happens to a request; on leaving its `with` block tells all observers, whatever happened."""

    def __init__(
        self,
        principal: Principal,
        request_id: str,
        clock: Clock,
        observers: Sequence[Observer],
        *,
        demo: bool,
    ) -> None:
        self._clock = clock
        self._observers = observers
        self._started_s = clock.now_s()
        self._wall_s = clock.wall_s()
        self._demo = demo
        self.principal = principal
        self.id = request_id
        self.task: str | None = None
        self.attempts: list[Attempt] = []
        self.hops = 0
        """How many relevos the request has come through before this one."""
        self.facts: dict[str, object] = {}
        """What else the caller of a failed request is told: the credits that a part of an answer cost."""
        self.opened = False
        """Its answer has begun: whatever comes, its status is 200."""
        self.charged_micro: int | None = None
        self.replayed = False
        """The answer had been given before, to the same idempotency key: no target was asked."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code, status = _outcome(error)
        if error is None and self.replayed:
            code = REPLAYED
        record = RequestRecord(
            id=self.id,
            started_at_ms=int(self._wall_s * 1000),
            issuer=self.principal.issuer,
            subject=self.principal.subject,
            task=self.task,
            outcome="ok" if error is None else "failed",
            code=code,
            http_status=_OK if self.opened and status != _CLIENT_CLOSED else status,
            ms=self.elapsed_ms(),
            attempts=tuple(self.attempts),
            charged_micro=self.charged_micro,
            demo=self._demo,
        )
        for observer in self._observers:
            observer.request_finished(record)

    def elapsed_ms(self, since_s: float | None = None) -> int:
        """Milliseconds since a moment on `Clock.now_s`, or since the request began."""
        return round((self._clock.now_s() - (self._started_s if since_s is None else since_s)) * 1000)


def _outcome(error: BaseException | None) -> tuple[str | None, int]:
    if error is None:
        return None, _OK
    if isinstance(error, GatewayError):
        return error.code.value, error.status
    if isinstance(error, asyncio.CancelledError | CallerGone):
        return CANCELLED, _CLIENT_CLOSED
    return Code.INTERNAL_ERROR.value, _BUG
