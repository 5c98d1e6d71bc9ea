"""The spine: a wish comes in, the targets of its task are tried in order, the first whole answer goes out."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from relevo.auth.api_keys import permit
from relevo.catalog.prices import PriceTable
from relevo.config.schema import Timeouts
from relevo.core.clock import Clock
from relevo.core.errors import Code, Fault, GatewayError, UpstreamError
from relevo.core.ledger import Balance, Claimed, Ledger, StoreUnavailable
from relevo.core.limits import Limiter, UserLimits
from relevo.core.record import Attempt, Observer
from relevo.core.secret import Redactor
from relevo.core.types import Call, ChatWish, Completion, Principal, Target, ToolCall
from relevo.ledger.wallet import Wallet
from relevo.providers.models import SILENT_FIRST_TOKEN_S, thinks_in_silence
from relevo.providers.registry import Provider
from relevo.routing.estimate import images_in
from relevo.routing.plan import Plan, choose_task, make_plan, unable
from relevo.routing.tasks import Task
from relevo.service.attempt import run_attempt
from relevo.service.deadlines import LAST_TARGET_FACTOR, Deadlines, Watch
from relevo.service.limits import refusal
from relevo.service.once import Once
from relevo.service.payment import Cashier, Credits, Offer, Quote
from relevo.service.prepare import expected_cost, prepare
from relevo.service.visit import CANCELLED, Visit
from relevo.upstream.base import Transport

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer, and how it came about."""

    completion: Completion
    target: Target
    task: str
    attempts: tuple[Attempt, ...]
    ignored: tuple[str, ...]
    """Fields of the caller that a lock of the task ignored."""
    request_id: str
    credits: Credits | None = None
    """None: credits are off."""
    replayed: bool = False
    """It had been given before, to the same call with the same idempotency key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the spine reaches the world through. Injected by `app.py`."""

    transport: Transport
    clock: Clock
    observers: Sequence[Observer]
    ledger: Ledger
    wallet: Wallet
    limiter: Limiter


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What one configuration says of chat calls."""

    tasks: Mapping[str, Task]
    providers: Mapping[str, Provider]
    prices: PriceTable
    timeouts: Timeouts
    limits: UserLimits
    demo: bool = False


class ChatService:
    """Answers chat calls by one configuration. A reload makes a new one; running calls keep theirs."""

    def __init__(self, settings: Settings, ports: Ports, cashier: Cashier | None = None) -> None:
        """Args: cashier: who takes the money. None: credits are off."""
        self.settings = settings
        self.tasks = settings.tasks
        self.providers = settings.providers
        self.prices = settings.prices
        self.demo = settings.demo
        self.wallet = ports.wallet
        self.cashier = cashier
        self._timeouts = settings.timeouts
        self._limits = settings.limits
        self._ports = ports
        self._redactor = Redactor([p.api_key for p in settings.providers.values() if p.api_key])

    def visit(self, principal: Principal, request_id: str) -> Visit:
        """Open a request of a known caller. Use as a context manager: it is written down when it ends."""
        return Visit(principal, request_id, self._ports.clock, self._ports.observers, demo=self.demo)

    @asynccontextmanager
    async def admitted(self, owner: Principal, *, rate: bool = True) -> AsyncIterator[None]:
        """The time in which a request counts against the limits of its user.

        Args:
            owner: The user.
            rate: It counts against the requests a minute, too.

        Raises:
            GatewayError: `rate_limited`, `user_blocked`, `unavailable`.
        """
        limiter = self._ports.limiter
        limits = self._limits if rate else replace(self._limits, requests_per_minute=0)
        try:
            entered = await limiter.enter(owner, limits)
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None
        if not entered.allowed:
            raise refusal(entered, limits)
        try:
            yield
        finally:
            limiter.leave(owner, limits)

    async def balance(self, owner: Principal) -> Balance | None:
        """A caller's account. None: credits are off.

        Raises:
            GatewayError: `unavailable`.
        """
        if self.cashier is None:
            return None
        try:
            return await self._ports.ledger.balance(owner, self.cashier.terms)
        except StoreUnavailable:
            raise GatewayError(Code.UNAVAILABLE) from None

    def quote(self, owner: Principal, wish: ChatWish) -> tuple[Plan, Quote]:
        """What a wish would cost at most. Nobody is called, nothing is set aside; raises as `chat` before a try."""
        plan = self.plan(wish)
        permit(owner, plan.task.name)
        if refused := unable(plan):
            raise refused
        call, _ = prepare(wish, plan.task)
        if self.cashier is None:
            offers = tuple(Offer(step=step, required_micro=None if step.skipped else 0) for step in plan.steps)
            return plan, Quote(offers=offers, required_micro=0)
        return plan, self.cashier.quote(plan, call)

    def plan(self, wish: ChatWish) -> Plan:
        """What would be tried. Raises as `chat` does for an unknown task, provider or model."""
        if wish.task is None and (wish.provider or wish.requested_model):
            wish = replace(wish, task=choose_task(wish, self.tasks, self._price_of(wish)).name)
        return make_plan(wish, self.tasks, self.providers, expected_cost(wish, self.tasks, self.prices))

    def _price_of(self, wish: ChatWish) -> Callable[[Task], float]:
        """What a wish would cost at most in a task: a pin without one is charged by the dearest that holds it."""

        def price(task: Task) -> float:
            if self.cashier is None:
                return task.credits or 0
            plan = make_plan(replace(wish, task=task.name), self.tasks, self.providers)
            return self.cashier.quote(plan, prepare(wish, task)[0]).required_micro

        return price

    async def chat(self, visit: Visit, wish: ChatWish, once: Once | None = None) -> Answer:
        """Answer a wish.

        Args:
            visit: The request of a known caller.
            wish: What it wants.
            once: The idempotency key that it names. None: it names none.

        Raises:
            GatewayError: The wish cannot be planned or paid, every target blamed it, or nothing answered.
        """
        plan = self.plan(wish)
        visit.task = plan.task.name
        permit(visit.principal, plan.task.name)
        if refused := unable(plan):
            raise refused
        call, ignored = prepare(wish, plan.task)
        if once is None:
            return await self._answer(visit, plan, call, ignored, None)
        claimed = await self.wallet.claim(once.claim)
        match claimed.state:
            case "answered":
                visit.replayed = True
                return self._again(once, claimed)
            case "in_flight":
                raise GatewayError(Code.IDEMPOTENCY_IN_FLIGHT)
            case "mismatch":
                raise GatewayError(Code.IDEMPOTENCY_MISMATCH, field="Idempotency-Key")
        try:
            answer = await self._answer(visit, plan, call, ignored, once)
        except BaseException:
            self.wallet.free(once.claim)
            raise
        self.wallet.done(once.claim)
        return answer

    async def _answer(self, visit: Visit, plan: Plan, call: Call, ignored: list[str], once: Once | None) -> Answer:
        """Hold, ask, settle. The hold is durable before the first byte, the charge before this returns."""
        payment = None
        if self.cashier is not None:
            payment = await self.cashier.hold(visit.principal, visit.id, plan, call)
            plan = payment.plan
        try:
            completion, target = await self._first_answer(visit, plan, call)
            answer = Answer(
                completion=completion,
                target=target,
                task=plan.task.name,
                attempts=tuple(visit.attempts),
                ignored=tuple(ignored),
                request_id=visit.id,
            )
            kept = once.seal(answer) if once else None
            if payment is not None:
                credits = await payment.settle(visit.attempts, kept)
                visit.charged_micro = credits.charged_micro
                return replace(answer, credits=credits)
            if kept is not None:
                await self.wallet.keep(kept)
        except BaseException:
            if payment is not None:  # after a charge this changes nothing: the first closing counts
                payment.release(visit.attempts)
                visit.charged_micro = payment.charged_micro
            raise
        return answer

    def _again(self, once: Once, claimed: Claimed) -> Answer:
        """An answer that was kept, with the credits that its caller was told."""
        assert claimed.sealed is not None  # noqa: S101 - the state says so
        answer: Answer = once.open(claimed.sealed, claimed.request_id, Answer)
        credits = None
        if claimed.charged_micro is not None and claimed.available_micro is not None:
            credits = Credits(charged_micro=claimed.charged_micro, remaining_micro=claimed.available_micro)
        return replace(answer, credits=credits, replayed=True)

    async def _first_answer(self, visit: Visit, plan: Plan, call: Call) -> tuple[Completion, Target]:
        """Try every target once, in order, while the one deadline over all of them lasts."""
        ends_at_s = self._ports.clock.now_s() + self._timeouts.total_s
        failures: list[UpstreamError] = []
        last = max((i for i, step in enumerate(plan.steps) if step.skipped is None), default=-1)
        for index, step in enumerate(plan.steps):
            skipped = step.skipped
            if skipped is None and self._ports.clock.now_s() >= ends_at_s:
                skipped = "deadline"
            if skipped is not None:
                visit.attempts.append(_skip(index + 1, step.target, skipped))
                continue
            try:
                completion = await self._try(
                    visit,
                    index + 1,
                    step.target,
                    call,
                    self._deadlines(step.target, index == last, ends_at_s),
                )
            except UpstreamError as error:
                failures.append(error)
            else:
                return completion, step.target
        raise _nothing_answered(failures, visit.attempts)

    def _deadlines(self, target: Target, last: bool, ends_at_s: float) -> Deadlines:  # noqa: FBT001 - position
        limits = self._timeouts
        first_token_s = target.first_token_s
        if first_token_s is None:
            first_token_s = limits.first_token_s
            if thinks_in_silence(target.name):
                first_token_s = max(first_token_s, SILENT_FIRST_TOKEN_S)
            if target.stream_upstream is False:
                # A plain answer comes at once and whole: its first byte may take as long as all of it.
                first_token_s = max(first_token_s, limits.idle_s)
        if last:
            first_token_s *= LAST_TARGET_FACTOR
        return Deadlines(
            connect_s=limits.connect_s, first_token_s=first_token_s, idle_s=limits.idle_s, ends_at_s=ends_at_s
        )

    async def _try(self, visit: Visit, number: int, target: Target, call: Call, deadlines: Deadlines) -> Completion:
        """One attempt and its note, however it ends."""
        provider = self.providers[target.provider]
        started_s = self._ports.clock.now_s()
        watch = Watch(deadlines, self._ports.clock)
        note: dict[str, Any] = {"outcome": "failed", "code": CANCELLED}
        try:
            async with watch:
                completion = self._without_secrets(
                    await run_attempt(call, target, provider, self._ports.transport, watch)
                )
        except UpstreamError as error:
            note = self._failure(error, watch)
            raise
        except asyncio.CancelledError:
            note.update(phase=watch.phase.value, http_status=watch.http_status)
            raise
        except Exception as bug:
            # A bug in one target's path must not take the answer of the next one away.
            _log.exception("bug while asking %s", target.name)
            fault = UpstreamError(Fault.INTERNAL, detail=type(bug).__name__)
            note = self._failure(fault, watch)
            raise fault from bug
        else:
            note = {
                "outcome": "ok",
                "http_status": 200,
                "usage": completion.usage,
                "cost_nano_usd": self.prices.cost_nano_usd(target, completion, images=images_in(call.messages)),
            }
            return completion
        finally:
            visit.attempts.append(
                Attempt(
                    number=number,
                    provider=target.provider,
                    upstream_model=target.upstream_model,
                    ms=visit.elapsed_ms(started_s),
                    **note,
                )
            )

    def _without_secrets(self, completion: Completion) -> Completion:
        """The answer with our keys blanked out, should its provider repeat one."""
        clean = self._redactor.clean
        return replace(
            completion,
            content=clean(completion.content),
            tool_calls=tuple(
                ToolCall(clean(c.id), clean(c.name), clean(c.arguments)) for c in completion.tool_calls
            ),
        )

    def _failure(self, error: UpstreamError, watch: Watch) -> dict[str, Any]:
        code = error.upstream_code
        return {
            "outcome": "failed",
            "code": error.fault.value,
            "phase": watch.phase.value,
            "http_status": watch.http_status,
            "upstream_code": self._redactor.clean(code) if code else None,
            "detail": self._redactor.clean(error.detail) or None,
        }


def _skip(number: int, target: Target, reason: str) -> Attempt:
    return Attempt(
        number=number,
        provider=target.provider,
        upstream_model=target.upstream_model,
        outcome="skipped",
        code=reason,
    )


def _nothing_answered(failures: list[UpstreamError], attempts: list[Attempt]) -> GatewayError:
    """500, or 400 where every target that was asked blamed the request."""
    extra = {"attempts": attempts}
    faults = {failure.fault for failure in failures}
    if failures and all(failure.blames_request for failure in failures):
        if faults == {Fault.CONTEXT_LENGTH_EXCEEDED}:
            return GatewayError(Code.CONTEXT_LENGTH_EXCEEDED, extra=extra)
        if faults == {Fault.CONTENT_FILTERED}:
            return GatewayError(Code.CONTENT_FILTERED, extra=extra)
        return GatewayError(Code.INVALID_REQUEST, "invalid_request.refused", extra=extra)
    return GatewayError(Code.ALL_PROVIDERS_FAILED, extra=extra)
