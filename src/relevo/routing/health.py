"""What is known of how each target does, across requests: who may be called now, and whom to ask first.

Pure: the time is an argument and chance is injected, so that a minute of outage is a test of a millisecond. One
process keeps its own; nothing is stored, and after a restart every target begins well. Keys, and with them all
memory, are bounded. Numbers and their reasons: `health_rules`.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Literal

from relevo.core.errors import Fault, Harm
from relevo.routing import speed
from relevo.routing.breaker import Pass
from relevo.routing.budget import Budget
from relevo.routing.health_rules import Rules
from relevo.routing.target_health import Access, State, TargetHealth
from relevo.routing.target_key import TARGETS_MAX, TargetKey

__all__ = ["Budget", "Harm", "Health", "Look", "Refusal", "Rules", "State", "TargetKey", "Ticket"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a target does at a moment."""

    state: State = "closed"
    until_s: float | None = None
    """When it is tried again: the end of its opening or cooling."""
    reason: str | None = None
    """Why it is not closed: the value of a `Fault`."""
    in_flight: int = 0
    limit: int
    """Calls at a time that it takes, as far as is known."""
    calls: int = 0
    """Ended calls of the last minute that say how it does."""
    answered: int = 0
    first_token_s: float | None = None
    """Smoothed. None: it has not answered yet."""
    failure_rate: float = 0.0
    """Smoothed, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a target is not to be called now."""

    reason: Literal["breaker_open", "cooling", "busy", "throttled"]
    until_s: float | None = None
    """When to come again. None: when a call that is under way ends."""
    cause: str | None = None
    """What broke it: the value of a `Fault`."""


class Ticket:
    """Leave to make one call. Exactly one of `ok`, `failed` and `cancelled` ends it; a second end changes nothing.

    Whoever holds it ends it, whatever happens: the only call of a half-open target keeps all others away.
    """

    def __init__(self, health: "Health", key: TargetKey, target: TargetHealth, now_s: float) -> None:
        self._health = health
        self._key = key
        self._target = target
        self._entered_s = now_s
        self._passes: tuple[Pass, ...] = tuple(breaker.enter(now_s) for breaker in target.breakers)
        self._ended = False
        target.limit.in_flight += 1
        target.silence.begin(self, now_s)
        trial = any(entered.trial is not None for entered in self._passes)
        health.note(key, now_s, changed=trial)

    def answering(self, now_s: float) -> None:
        """The first token is here, the end is not: the others need not wait for it. May be left out."""
        if not self._ended:
            self._target.silence.end(self)
            closed = [b.answering(p) for b, p in zip(self._target.breakers, self._passes, strict=True)]
            self._health.note(self._key, now_s, changed=any(closed))

    def ok(self, now_s: float, first_token_s: float | None = None) -> None:
        """The target answered.

        Args:
            now_s: The moment of the end.
            first_token_s: From the beginning of the call to its first token. None: an answer that came in one
                piece, for which its caller waited the whole time.
        """
        if self._end():
            target = self._target
            waited_s = now_s - self._entered_s if first_token_s is None else first_token_s
            target.limit.answered(now_s, waited_s)
            target.speed.answered(waited_s)
            target.throttle.accepted(now_s)
            target.warmed()
            closed = [b.ok(p, now_s) for b, p in zip(target.breakers, self._passes, strict=True)]
            self._leave()
            self._health.note(self._key, now_s, changed=any(closed))

    def failed(self, now_s: float, harm: Harm, reason: str, retry_after_s: float | None = None) -> None:
        """The call failed.

        Args:
            now_s: The moment of the end.
            harm: What that says of the target.
            reason: The value of the `Fault`.
            retry_after_s: After what time the provider wants to be asked again, for a COOLDOWN.
        """
        if not self._end():
            return
        target, (own, shared) = self._target, self._passes
        if harm is Harm.COOLDOWN or reason == Fault.OVERLOADED:
            target.limit.overloaded(now_s)
        if harm is Harm.NONE:
            target.throttle.accepted(now_s)
        else:
            target.speed.failed()
        changed = harm is Harm.COOLDOWN
        if harm is Harm.COOLDOWN:
            target.cool(now_s, reason, retry_after_s, self._health.rules)
        elif harm is Harm.KEY:
            known = target.access.breaker.state(now_s) != "closed"
            changed = target.access.breaker.failed(shared, now_s, harm, reason, self._health.rules)
            if changed and not known:
                self._health.alarm(self._key, reason)
        elif harm is not Harm.NONE:
            changed = target.breaker.failed(own, now_s, harm, reason, self._health.rules)
        self._leave()
        self._health.note(self._key, now_s, changed=changed)

    def cancelled(self, now_s: float) -> None:  # noqa: ARG002 - every end takes its moment
        """Nobody waits for the call any more: it says nothing of the target."""
        if self._end():
            self._leave()

    def _end(self) -> bool:
        first, self._ended = not self._ended, True
        return first

    def _leave(self) -> None:
        self._target.limit.in_flight -= 1
        self._target.silence.end(self)
        for breaker, entered in zip(self._target.breakers, self._passes, strict=True):
            breaker.left(entered)


class Health:
    """How every target does. Times are on `Clock.now_s`."""

    def __init__(
        self,
        rules: Rules,
        random: Random,
        *,
        on_change: Callable[[TargetKey, Look], None] = lambda _key, _look: None,
        on_alarm: Callable[[TargetKey, str], None] = lambda _key, _reason: None,
    ) -> None:
        """Nothing is known yet.

        Args:
            rules: The numbers.
            random: For jitter.
            on_change: Told of a target that has opened, closed, become half-open by a probe, or begun to cool.
                Of a refused key, only the target hears that found out.
            on_alarm: Told once of each outage of a key, with its reason: somebody has to repair it.
        """
        self.rules = rules
        self._random = random
        self._on_change = on_change
        self.alarm: Final = on_alarm
        self._targets: OrderedDict[TargetKey, TargetHealth] = OrderedDict()
        self._accesses: OrderedDict[tuple[str, str], Access] = OrderedDict()
        self._broken: dict[TargetKey, TargetHealth] = {}
        """Those whose own breaker is not closed."""

    def use(self, rules: Rules) -> None:
        """Judge by these numbers from now on. What is open or cooling stays so until its time."""
        self.rules = rules
        for key, target in self._targets.items():
            target.limit.set_ceiling(rules.ceiling_of(key.provider))

    def look(self, key: TargetKey, now_s: float) -> Look:
        """How a target does. Changes nothing."""
        target = self._targets.get(key)
        access = self._accesses.get((key.provider, key.credential))
        if target is None:  # never called, but its key may be known to be refused
            target = TargetHealth(access or Access(self._random), self._random, self.rules.ceiling_of(key.provider))
        state, until_s, reason = target.state(now_s)
        calls, answered = target.breaker.counts(now_s)
        return Look(
            state=state,
            until_s=until_s,
            reason=reason,
            in_flight=target.limit.in_flight,
            limit=target.limit.limit,
            calls=calls,
            answered=answered,
            first_token_s=target.speed.first_token_s,
            failure_rate=target.speed.failure_rate,
        )

    def snapshot(self, now_s: float) -> list[tuple[TargetKey, Look]]:
        """How all targets do that were ever called and are remembered."""
        return [(key, self.look(key, now_s)) for key in self._targets]

    def enter(self, key: TargetKey, now_s: float, *, last: bool = False, waited: bool = False) -> Ticket | Refusal:
        """Ask whether a target may be called now.

        Args:
            key: The target.
            now_s: The moment.
            last: There is nothing else to try: what is open is tried all the same, a dead target about once a
                second.
            waited: The caller has waited for the end of its cooling, and goes now in any case.
        """
        target = self._target(key)
        blocking = [breaker for breaker in target.breakers if breaker.blocks(now_s)]
        if blocking and not last:
            worst = max(blocking, key=lambda breaker: breaker.until_s)
            return Refusal("breaker_open", worst.until_s if now_s < worst.until_s else None, worst.reason)
        if not last and target.lets_wait(now_s, self.rules):
            return Refusal("breaker_open", None, Fault.FIRST_TOKEN_TIMEOUT)
        if now_s < target.cooling_until_s and not waited:
            return Refusal("cooling", target.cooling_until_s, target.cooling_for)
        if target.limit.full:
            return Refusal("busy")
        target.throttle.wanted(now_s)
        in_vain = target.lets_wait(now_s, self.rules) and now_s < target.throttle.next_s
        if blocking and (in_vain or target.throttle.turns_away(now_s)):
            return Refusal("throttled", target.throttle.next_s, blocking[0].reason)
        target.throttle.passed(now_s)
        return Ticket(self, key, target, now_s)

    def fastest(self, keys: Sequence[TargetKey], now_s: float, *, peek: bool = False) -> list[int]:
        """The order in which to try targets so that the first answer comes soonest, as positions in `keys`.

        A target that was never called comes first, and every eighth choice is one that would else not be tried.

        Args:
            keys: The targets, as listed.
            now_s: The moment.
            peek: The order is only shown: this is no choice.
        """
        targets = [self._target(key) for key in keys]
        blocked = [target.blocked(now_s) for target in targets]
        if not peek:
            for target in targets:
                target.speed.chosen_among()
        new = [not target.speed.sampled and not target.limit.in_flight for target in targets]
        ranked, explored = speed.order([target.speed for target in targets], new, blocked)
        if explored is not None and not peek:
            targets[explored].speed.passed_over = 0
        return ranked

    def p95_first_token_s(self, key: TargetKey) -> float | None:
        """What 95 of 100 answers of a target need at most until their first token. None: before 20 answers."""
        target = self._targets.get(key)
        return target.speed.p95_s() if target else None

    def probe_due(self, now_s: float) -> list[TargetKey]:
        """An open target of each key to which a free probe is to be sent now; each once in `Rules.probe_s`."""
        due: dict[Access, TargetKey] = {}
        for key, target in self._broken.items():
            if target.access.has_probe and target.breaker.probe_due(now_s):
                due.setdefault(target.access, key)
        for target in self._broken.values():
            if target.access in due:
                target.breaker.probe_again_at(now_s + self.rules.probe_s)
        return list(due.values())

    def next_probe_s(self, now_s: float) -> float | None:
        """The moment at which `probe_due` next names a target. None: not before something else happens."""
        moments = [t.breaker.probe_at_s(now_s) for t in self._broken.values() if t.access.has_probe]
        return min((moment_s for moment_s in moments if moment_s is not None), default=None)

    def probed(self, key: TargetKey, now_s: float, ok: bool | None) -> None:  # noqa: FBT001 - one fact
        """How a free probe ended, for all open targets behind the same key.

        True makes them half-open at once. None: this provider has no free probes, and is never asked again.
        """
        access = self._accesses.get((key.provider, key.credential))
        if access is None:
            return
        if ok is None:
            access.has_probe = False
            return
        for other, target in list(self._broken.items()):
            if target.access is access:
                self.note(other, now_s, changed=target.breaker.probed(now_s, ok=ok))

    def note(self, key: TargetKey, now_s: float, *, changed: bool) -> None:
        """For tickets: something has happened to a target."""
        if not changed:
            return
        target = self._targets.get(key)
        if target is not None and target.breaker.state(now_s) != "closed":
            self._broken[key] = target
        else:
            self._broken.pop(key, None)
        self._on_change(key, self.look(key, now_s))

    def forget(self, provider: str) -> None:
        """What was known of a provider holds no longer. Calls under way end as strangers."""
        for known in [key for key in self._targets if key.provider == provider]:
            del self._targets[known]
            self._broken.pop(known, None)
        for where in [where for where in self._accesses if where[0] == provider]:
            del self._accesses[where]

    def _target(self, key: TargetKey) -> TargetHealth:
        where = (key.provider, key.credential)
        access = self._accesses.get(where)
        if access is None:
            access = self._accesses[where] = Access(self._random)
        target = self._targets.get(key)
        if target is None:
            target = TargetHealth(access, self._random, self.rules.ceiling_of(key.provider))
            self._targets[key] = target
        self._targets.move_to_end(key)
        self._accesses.move_to_end(where)
        if len(self._targets) > TARGETS_MAX:
            oldest, _ = self._targets.popitem(last=False)
            self._broken.pop(oldest, None)
        if len(self._accesses) > TARGETS_MAX:
            self._accesses.popitem(last=False)
        return target
