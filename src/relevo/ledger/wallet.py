"""The one way in and out for credits: a hold before the first byte to a provider, its end before the answer's.

Calls of the ledger run in tasks of their own: a caller who leaves, or a deadline, never cuts one in half.
Holds that are at work are kept alive here, and those of processes that died are swept.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError
from relevo.core.ledger import (
    Claim,
    Claimed,
    Closed,
    Closing,
    HoldOrder,
    KeptAnswer,
    Keys,
    Ledger,
    Refused,
    Reserved,
    StoreUnavailable,
    Terms,
)
from relevo.core.limits import Beat
from relevo.core.types import Principal
from relevo.ledger.pricing import credits_of

HOLD_TTL_S: Final = 20.0
"""How long a hold outlives its process: with a sweep it is freed within 25 s."""
HEARTBEAT_S: Final = HOLD_TTL_S / 3
SWEEP_S: Final = 3.0
CLAIM_TTL_S: Final = HOLD_TTL_S
_RETRIES_S: Final = (0.05, 0.2, 0.5, 1.0, 2.0, 2.0)
"""Waits between tries of a closing. All closings are safe to repeat."""

_CLOSE_S: Final = 3.0

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Wallet:
    """Holds and idempotency keys of this process."""

    def __init__(
        self, ledger: Ledger, keys: Keys, clock: Clock, node: str, *, alone: bool, beats: Sequence[Beat] = ()
    ) -> None:
        """Begins with `start`.

        Args:
            ledger: Where the holds are.
            keys: Where the idempotency keys are.
            clock: When it is time for a sign of life.
            node: This process.
            alone: No other process uses the store, so others' holds are of the dead.
            beats: What else lives by the same signs of life, and ends with this.
        """
        self._ledger = ledger
        self._keys = keys
        self._clock = clock
        self.node = node
        self._alone = alone
        self._beats = tuple(beats)
        self._live: set[str] = set()
        self._claims: dict[str, Claim] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop_task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Free what a dead process left behind, then keep watch. Raises: StoreUnavailable."""
        if self._alone:
            while await self._ledger.expire_due((), self.node):
                pass
            await self._keys.forget(self.node, alone=True)
        for beat in self._beats:
            await beat.heartbeat()
        self._loop_task = asyncio.get_running_loop().create_task(self._watch(), name="relevo-wallet")

    async def aclose(self) -> None:
        """Let running calls of the ledger end, then stop. Bounded: what a store that is gone keeps is swept."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CLOSE_S)
        for task in tuple(self._tasks):
            task.cancel()
        if self._loop_task is not None:
            self._loop_task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop_task
        for beat in self._beats:
            await beat.aclose()

    async def reserve(self, owner: Principal, order: HoldOrder, terms: Terms, *, topup_url: str | None) -> Reserved:
        """Set credits aside; durable when this returns.

        Raises:
            GatewayError: `insufficient_credits`, `spend_limit`, `user_blocked`, or `unavailable`.
        """
        self._live.add(order.id)
        task = self._spawn(self._ledger.reserve(owner, order, terms))
        try:
            result = await asyncio.shield(task)
        except StoreUnavailable:
            self._undo(task, partial(self._close, order.id, Closing(charge_micro=0), terms))  # it may be there
            raise GatewayError(Code.UNAVAILABLE) from None
        except asyncio.CancelledError:
            self._undo(task, partial(self._close, order.id, Closing(charge_micro=0), terms))
            raise
        except BaseException:
            self._live.discard(order.id)
            raise
        if isinstance(result, Refused):
            self._live.discard(order.id)
            raise refusal(result, topup_url)
        return result

    async def close(self, hold_id: str, closing: Closing, terms: Terms) -> Closed:
        """End a hold; durable when this returns. Once begun it goes on, whatever becomes of its caller.

        Raises:
            GatewayError: `unavailable`: the store did not take it.
        """
        task = self._spawn(self._close(hold_id, closing, terms))
        try:
            return await asyncio.shield(task)
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None

    def release(self, hold_id: str, closing: Closing, terms: Terms) -> None:
        """End a hold behind the answer: nothing was delivered, and nobody waits for it."""
        self._spawn(self._quietly(self._close(hold_id, closing, terms)))

    async def claim(self, claim: Claim) -> Claimed:
        """Take an idempotency key. Raises: GatewayError: `unavailable`."""
        task = self._spawn(self._keys.claim(claim))
        try:
            claimed = await asyncio.shield(task)
        except StoreUnavailable:
            self.free(claim)  # its outcome may be unknown
            raise GatewayError(Code.UNAVAILABLE) from None
        except asyncio.CancelledError:
            self._undo(task, partial(self._keys.free, claim))
            raise
        if claimed.state == "new":
            self._claims[claim.request_id] = claim
        return claimed

    async def keep(self, kept: KeptAnswer) -> None:
        """Keep an answer that no hold belongs to. Raises: GatewayError: `unavailable`."""
        try:
            await asyncio.shield(self._spawn(self._keys.keep(kept)))
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None

    def free(self, claim: Claim) -> None:
        """Give a key back, behind the answer; one whose answer was kept stays as it is."""
        self._claims.pop(claim.request_id, None)
        self._spawn(self._quietly(self._keys.free(claim)))

    def done(self, claim: Claim) -> None:
        """The claim's answer was kept: it needs no sign of life any more."""
        self._claims.pop(claim.request_id, None)

    async def _close(self, hold_id: str, closing: Closing, terms: Terms) -> Closed:
        """Close, and try again while the store does not answer: the same closing twice is one."""
        try:
            for wait_s in _RETRIES_S:
                with contextlib.suppress(StoreUnavailable):
                    return await self._ledger.close(hold_id, closing, terms)
                await asyncio.sleep(wait_s)
            return await self._ledger.close(hold_id, closing, terms)
        finally:
            self._live.discard(hold_id)

    def _undo(self, done: asyncio.Task[Any], undoing: Callable[[], Awaitable[object]]) -> None:
        """Take back, behind whoever left or cannot know, what may have been done: once it has ended either way."""

        async def undo() -> None:
            await asyncio.wait({done})
            await self._quietly(undoing())

        self._spawn(undo())

    async def _quietly(self, work: Awaitable[object]) -> None:
        try:
            await work
        except LookupError as unknown:
            _log.debug("it had never been made: %s", unknown)
        except StoreUnavailable as error:
            _log.error("a hold or key stays until it is swept, the store does not answer: %s", error)

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _watch(self) -> None:
        """Heartbeats and sweeps, for as long as the process lives."""
        heartbeat_at_s = self._clock.now_s() + HEARTBEAT_S
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                if self._clock.now_s() >= heartbeat_at_s:
                    await self.heartbeat()  # and until it succeeds nothing is swept
                    heartbeat_at_s = self._clock.now_s() + HEARTBEAT_S
                await self.sweep()
            except StoreUnavailable as error:
                _log.warning("holds were not renewed or swept, again in %.0f s: %s", SWEEP_S, error)
            except Exception:  # noqa: BLE001 - a watch that ends would free no hold any more
                _log.exception("bug in the sweep, it goes on")

    async def heartbeat(self) -> None:
        """A sign of life for what is at work here."""
        if self._live:
            await self._ledger.renew(tuple(self._live), round(HOLD_TTL_S * 1000))
        if self._claims:
            await self._keys.renew_claims(tuple(self._claims.values()))
        for beat in self._beats:
            await beat.heartbeat()

    async def sweep(self) -> int:
        """Release holds past their time. How many."""
        expired = 0
        while freed := await self._ledger.expire_due(tuple(self._live)):  # a piece at a time, until none is left
            expired += freed
        await self._keys.forget(self.node)
        for beat in self._beats:
            await beat.sweep()
        if expired:
            _log.warning("%d holds of requests that never ended were released", expired)
        return expired


def refusal(refused: Refused, topup_url: str | None) -> GatewayError:
    """What the caller hears when no credits could be set aside."""
    if refused.why == "blocked":
        return GatewayError(Code.USER_BLOCKED)
    if refused.why == "daily_limit":
        return GatewayError(Code.SPEND_LIMIT, extra={"resets_at": refused.resets_at_ms})
    required, available = refused.required_micro, refused.available_micro
    return GatewayError(
        Code.INSUFFICIENT_CREDITS,
        required=credits_of(required),
        available=credits_of(available),
        extra={
            "required": credits_of(required),
            "available": credits_of(available),
            "missing": credits_of(required - available),
            "topup_url": topup_url,
        },
    )
