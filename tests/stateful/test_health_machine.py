"""Any calls in any order: what must be true of the health of targets at every moment."""

import copy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from relevo.core.errors import Fault, Harm
from relevo.routing.health import Health, Rules, TargetKey, Ticket
from support.dice import dice
from support.soak import examples

KEYS = [TargetKey("p", "a", "c"), TargetKey("p", "b", "c"), TargetKey("q", "a", "c")]
targets = st.sampled_from(KEYS)


class HealthMachine(RuleBasedStateMachine):
    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.health = Health(Rules(ceiling=4), dice(7))
        self.now_s = 1000.0
        self.running = dict.fromkeys(KEYS, 0)
        self.known: dict[int, TargetKey] = {}

    @rule(seconds=st.floats(0, 700, allow_nan=False))
    def pass_time(self, seconds: float) -> None:
        self.now_s += seconds

    @rule(target=tickets, key=targets, last=st.booleans(), waited=st.booleans())
    def enter(self, key: TargetKey, *, last: bool, waited: bool) -> tuple[TargetKey, Ticket | None]:
        before = self.health.look(key, self.now_s)
        entered = self.health.enter(key, self.now_s, last=last, waited=waited)
        if isinstance(entered, Ticket):
            assert before.state != "open" or last
            assert before.state != "cooling" or waited
            self.running[key] += 1
            if before.state == "half_open" and not last:
                again = self.health.enter(key, self.now_s, waited=True)
                assert not isinstance(again, Ticket), "half-open lets one call by"
            return key, entered
        assert entered.reason != "breaker_open" or not last
        assert entered.reason != "cooling" or not waited
        assert entered.reason != "throttled" or last
        assert entered.until_s is None or entered.until_s > self.now_s
        assert self.health.look(key, self.now_s).in_flight == before.in_flight
        return key, None

    @rule(
        entered=consumes(tickets),
        how=st.sampled_from(["ok", "cancelled", *Harm]),
        seconds=st.none() | st.floats(0, 60),
        twice=st.booleans(),
    )
    def end(
        self, entered: tuple[TargetKey, Ticket | None], how: str, seconds: float | None, *, twice: bool
    ) -> None:
        key, ticket = entered
        if ticket is None:
            return
        if seconds is not None:
            ticket.answering(self.now_s)
        self._end(ticket, how, seconds)
        self.running[key] -= 1
        if twice:
            before = [self.health.look(each, self.now_s) for each in KEYS]
            self._end(ticket, "ok" if how == "cancelled" else "cancelled", seconds)
            self._end(ticket, Harm.KEY, seconds)
            assert [self.health.look(each, self.now_s) for each in KEYS] == before

    def _end(self, ticket: Ticket, how: str, seconds: float | None) -> None:
        if how == "ok":
            ticket.ok(self.now_s, seconds)
        elif how == "cancelled":
            ticket.cancelled(self.now_s)
        else:
            ticket.failed(self.now_s, Harm(how), Fault.SERVER_ERROR, seconds)

    @rule(ok=st.none() | st.booleans())
    def probe(self, ok: bool | None) -> None:
        for key in self.health.probe_due(self.now_s):
            assert self.health.look(key, self.now_s).state == "open"
            self.health.probed(key, self.now_s, ok)
        assert self.health.probe_due(self.now_s) == []

    @rule(count=st.integers(1, 3), peek=st.booleans())
    def choose(self, count: int, *, peek: bool) -> None:
        order = self.health.fastest(KEYS[:count], self.now_s, peek=peek)
        assert sorted(order) == list(range(count))

    @invariant()
    def counts_what_runs(self) -> None:
        for key in KEYS:
            look = self.health.look(key, self.now_s)
            assert look.in_flight == self.running[key]
            assert 2 <= look.limit <= 4
            assert 0 <= look.answered <= look.calls
            assert 0 <= look.failure_rate <= 1

    @invariant()
    def everything_ends(self) -> None:
        for key in KEYS:
            look = self.health.look(key, self.now_s)
            assert (look.until_s is not None) == (look.state in {"open", "cooling"})
            if look.until_s is not None:
                assert self.now_s < look.until_s <= self.now_s + 3600
                assert self.health.look(key, self.now_s + 3600).state in {"closed", "half_open"}

    @invariant()
    def looking_changes_nothing(self) -> None:
        twin = copy.deepcopy(self.health)
        for key in KEYS:
            self.health.look(key, self.now_s + 10_000)
        self.health.snapshot(self.now_s + 10_000)
        self.health.next_probe_s(self.now_s)
        assert [twin.look(key, self.now_s) for key in KEYS] == [self.health.look(key, self.now_s) for key in KEYS]
        assert twin.next_probe_s(self.now_s) == self.health.next_probe_s(self.now_s)


TestHealthMachine = HealthMachine.TestCase
TestHealthMachine.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)
