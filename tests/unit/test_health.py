"""Who may be called: breakers, cooldowns, refused keys, the last target, probes, limits, budgets; by a clock of its own."""

import pytest

from relevo.core.errors import Fault, Harm
from relevo.routing.health import Budget, Health, Look, Refusal, Rules, TargetKey, Ticket
from support.dice import dice

KEY = TargetKey("gemini", "flash", "c1")
SISTER = TargetKey("gemini", "pro", "c1")
OTHER = TargetKey("qwen", "turbo", "c2")
SEEDS = range(200)


def health(rules: Rules | None = None, seed: int = 0) -> Health:
    return Health(rules or Rules(), dice(seed))


def entered(what: Ticket | Refusal) -> Ticket:
    assert isinstance(what, Ticket), what
    return what


def refused(what: Ticket | Refusal) -> Refusal:
    assert isinstance(what, Refusal)
    return what


def fail(one: Health, now_s: float, harm: Harm = Harm.FAILURE, *, key: TargetKey = KEY, last: bool = False) -> None:
    entered(one.enter(key, now_s, last=last)).failed(now_s, harm, Fault.SERVER_ERROR)


def opened(seed: int = 0) -> Health:
    one = health(seed=seed)
    fail(one, 0)
    fail(one, 4)
    return one


@pytest.mark.parametrize("step_s", [1.0, 2.5, 4.0, 7.0])
def test_an_outage_of_a_minute_costs_four_calls_and_is_over_in_thirty_seconds(step_s: float) -> None:
    """Calls 4 s apart: at most four of fifteen reach the dead target; it is in use within 30 s of its recovery."""
    for seed in SEEDS:
        one, start_s = health(seed=seed), dice(seed).uniform(0, 1e6)
        recovery_s, tries, back_s, at_s = start_s + 60, 0, None, start_s
        while back_s is None:
            ticket = one.enter(KEY, at_s)
            if isinstance(ticket, Ticket) and at_s < recovery_s:
                ticket.failed(at_s, Harm.FAILURE, Fault.CONNECT_FAILED)
                tries += 1
            elif isinstance(ticket, Ticket):
                ticket.ok(at_s)
                back_s = at_s
            at_s += step_s
        assert tries <= (4 if step_s >= 4 else 5), seed
        assert back_s - recovery_s <= 26 + step_s, seed
        assert one.look(KEY, at_s).state == "closed"


def test_a_target_that_can_be_probed_is_back_in_ten_seconds() -> None:
    """Whenever it recovers, a free probe finds out, and the next call goes there."""
    for seed in SEEDS:
        recovery_s = dice(seed).uniform(5, 120)
        one, back_s, tries = health(seed=seed), None, 0
        for tenth in range(2000):
            now_s = tenth / 10
            for key in one.probe_due(now_s):
                one.probed(key, now_s, ok=now_s >= recovery_s)
            if tenth % 40 == 0 and isinstance(ticket := one.enter(KEY, now_s), Ticket):
                if now_s >= recovery_s:
                    ticket.ok(now_s)
                    back_s = back_s or now_s
                else:
                    ticket.failed(now_s, Harm.FAILURE, Fault.SERVER_ERROR)
                    tries += 1
        assert back_s is not None
        assert back_s - recovery_s <= 10, seed
        assert tries <= 6, seed


@pytest.mark.parametrize("probed", [False, True])
def test_a_silent_outage_is_seen_before_its_deadlines(probed: bool) -> None:
    """A provider that says nothing for 10 s a call costs four calls of fifteen, too, and is soon in use again."""
    for seed in SEEDS:
        one, recovery_s, back_s, tries = health(seed=seed), 60.0, None, 0
        hanging: list[tuple[float, Ticket]] = []
        entered(one.enter(KEY, 0)).ok(0, first_token_s=0.2)
        for tenth in range(1500):
            now_s = tenth / 10
            while hanging and hanging[0][0] <= now_s:
                hanging.pop(0)[1].failed(now_s, Harm.FAILURE, Fault.FIRST_TOKEN_TIMEOUT)
            for key in one.probe_due(now_s) if probed else ():
                one.probed(key, now_s, ok=now_s >= recovery_s)
            if tenth % 40 == 0 and isinstance(ticket := one.enter(KEY, now_s), Ticket):
                if now_s >= recovery_s:
                    ticket.ok(now_s, first_token_s=0.2)
                    back_s = back_s or now_s
                else:
                    hanging.append((now_s + 10, ticket))
                    tries += 1
        assert tries <= 4, seed
        assert back_s is not None
        assert back_s - recovery_s <= (10 if probed else 30), seed


def test_a_target_that_is_slow_by_nature_is_not_taken_for_silent() -> None:
    """Two calls that wait no longer than usual keep nobody away, nor do those of a target never heard of."""
    one = health()
    for usual_s in (None, 20.0):
        if usual_s is not None:
            entered(one.enter(KEY, 0)).ok(20, first_token_s=usual_s)
        waiting = [entered(one.enter(KEY, 100)) for _ in range(5)]
        entered(one.enter(KEY, 130)).cancelled(130)
        for ticket in waiting:
            ticket.cancelled(130)


def test_a_call_that_hangs_from_before_a_recovery_keeps_nobody_away() -> None:
    """The half-open target's one call is silent, a probe says that it is back: another call finds out."""
    one = opened()
    hanging = entered(one.enter(KEY, 20))
    refused(one.enter(KEY, 21))
    assert one.probe_due(25) == [KEY]
    one.probed(KEY, 25, ok=True)
    second = entered(one.enter(KEY, 26))
    hanging.failed(30, Harm.FAILURE, Fault.FIRST_TOKEN_TIMEOUT)
    assert one.look(KEY, 30).state == "half_open"
    second.ok(31)
    assert one.look(KEY, 31).state == "closed"


def test_one_that_begins_and_breaks_off_rests_longer_each_time() -> None:
    """Its first token lets callers by; its end tells how it is."""
    one, calls = health(), 0
    for second in range(300):
        ticket = one.enter(KEY, second)
        if isinstance(ticket, Ticket):
            calls += 1
            ticket.answering(second)
            ticket.failed(second, Harm.FAILURE, Fault.CONNECTION_LOST)
    assert calls <= 16


def test_openings_grow_and_end() -> None:
    """10, 20, 25, 25 s and up to one more; a call that the half-open target answers closes it."""
    one, now_s, lengths = opened(), 4.0, []
    for _ in range(5):
        until_s = one.look(KEY, now_s).until_s
        assert until_s is not None
        lengths.append(until_s - now_s)
        assert one.look(KEY, until_s - 0.001).state == "open"
        now_s = until_s
        assert one.look(KEY, now_s).state == "half_open"
        fail(one, now_s)
    assert [int(length) for length in lengths] == [10, 20, 25, 25, 25]
    now_s += 26
    entered(one.enter(KEY, now_s)).ok(now_s)
    assert one.look(KEY, now_s).state == "closed"
    fail(one, now_s)
    assert one.look(KEY, now_s).state == "closed", "an outage that is over is not held against it"


def test_half_open_lets_one_call_by() -> None:
    """The others are refused until it ends; one that is cancelled makes way for the next."""
    one = opened()
    first = entered(one.enter(KEY, 20))
    assert refused(one.enter(KEY, 20)) == Refusal("breaker_open", None, "server_error")
    first.cancelled(21)
    second = entered(one.enter(KEY, 21))
    refused(one.enter(KEY, 21))
    second.answering(22)
    entered(one.enter(KEY, 22)).ok(22)
    second.failed(90, Harm.FAILURE, Fault.CONNECTION_LOST)
    assert one.look(KEY, 90).state == "closed"


def test_half_of_the_calls_of_a_minute_open_it_too() -> None:
    """Without two failures in a row: from five calls on, when half of them failed."""
    one = health()
    for second, ok in enumerate([True, False, True, False, True]):
        ticket = entered(one.enter(KEY, second))
        ticket.ok(second) if ok else ticket.failed(second, Harm.FAILURE, Fault.IDLE_TIMEOUT)
    assert one.look(KEY, 5).state == "closed"
    fail(one, 5)
    assert one.look(KEY, 5).state == "open"


def test_old_failures_are_forgotten() -> None:
    """What was more than a minute ago is no share of anything."""
    one = health()
    for minute in range(20):
        entered(one.enter(KEY, minute * 61)).ok(minute * 61)
        fail(one, minute * 61)
    assert one.look(KEY, 1200).state == "closed"


def test_calls_from_before_an_outage_change_nothing_after_it() -> None:
    """A hundred calls that a dying target left hanging do not open it again when they end."""
    one = health()
    hanging = [entered(one.enter(KEY, 0)) for _ in range(100)]
    fail(one, 1)
    fail(one, 1)
    for ticket in hanging[:50]:
        ticket.failed(5, Harm.FAILURE, Fault.CONNECTION_LOST)
    assert one.look(KEY, 5).until_s is not None
    assert one.look(KEY, 5).until_s < 13  # type: ignore[operator]
    entered(one.enter(KEY, 20)).ok(20)
    for ticket in hanging[50:]:
        ticket.failed(25, Harm.FAILURE, Fault.CONNECTION_LOST)
    assert one.look(KEY, 25).state == "closed"
    assert one.look(KEY, 25).in_flight == 0


def test_what_says_nothing_of_the_target_changes_nothing() -> None:
    """A refused request or a caller who left is no failure."""
    one = health()
    for second in range(20):
        entered(one.enter(KEY, second)).failed(second, Harm.NONE, Fault.REQUEST_REFUSED)
        entered(one.enter(KEY, second)).cancelled(second)
    assert one.look(KEY, 20) == Look(state="closed", limit=1000)


def test_a_probe_that_was_wrong_is_not_believed_again() -> None:
    """Models are listed, chats fail: from then on the timer alone decides, until the outage is over."""
    one = opened()
    assert one.probe_due(8.9) == []
    assert one.next_probe_s(8.9) == 9
    assert one.probe_due(9) == [KEY]
    assert one.probe_due(9) == []
    one.probed(KEY, 9.5, ok=True)
    assert one.look(KEY, 9.5).state == "half_open"
    fail(one, 10)
    assert one.probe_due(20) == []
    assert one.next_probe_s(20) is None
    one.probed(KEY, 20, ok=True)
    assert one.look(KEY, 20).state == "open"
    entered(one.enter(KEY, 40)).ok(40)
    fail(one, 41)
    fail(one, 41)
    assert one.probe_due(46) == [KEY]


def test_a_provider_without_free_probes_is_asked_once() -> None:
    """What is found out of one model holds for all behind the same key."""
    one = opened()
    fail(one, 5, key=SISTER)
    fail(one, 5, key=SISTER)
    assert one.probe_due(10) == [KEY]
    one.probed(KEY, 10, ok=None)
    assert one.probe_due(100) == []
    assert one.next_probe_s(100) is None


def test_open_targets_behind_a_key_share_a_probe() -> None:
    """Whenever each of them opened: one is named for all, and all hear the result; other keys do not."""
    one = opened()
    for key, now_s in ((SISTER, 6), (OTHER, 6)):
        fail(one, now_s, key=key)
        fail(one, now_s, key=key)
    assert one.probe_due(9) == [KEY]
    one.probed(KEY, 9, ok=False)
    assert one.probe_due(11) == [OTHER]
    assert one.probe_due(14) == [KEY]
    one.probed(KEY, 14, ok=True)
    assert [one.look(key, 14).state for key in (KEY, SISTER, OTHER)] == ["half_open", "half_open", "open"]


def test_a_429_cools_until_the_moment_it_names() -> None:
    """It counts as no failure, and its moment is believed up to an hour."""
    one = health()
    for second in range(10):
        entered(one.enter(KEY, second * 10)).failed(second * 10, Harm.COOLDOWN, Fault.RATE_LIMITED, 7)
        until_s = second * 10 + 7
        assert refused(one.enter(KEY, until_s - 0.1, last=True)) == Refusal("cooling", until_s, "rate_limited")
        assert one.look(KEY, until_s - 0.1).state == "cooling"
        assert one.look(KEY, until_s).state == "closed"
    entered(one.enter(KEY, 100)).failed(100, Harm.COOLDOWN, Fault.RATE_LIMITED, 1e9)
    assert one.look(KEY, 100).until_s == 3700
    entered(one.enter(KEY, 200, last=True, waited=True)).ok(200)


def test_a_429_without_a_moment_backs_off_by_equal_jitter() -> None:
    """Half the wait is certain, and it doubles up to 20 s; an answer begins anew; a burst counts once."""
    for seed in range(50):
        one, now_s = health(seed=seed), 0.0
        for longest_s in (1, 2, 4, 8, 16, 20, 20):
            burst = [entered(one.enter(KEY, now_s)) for _ in range(5)]
            for ticket in burst:
                ticket.failed(now_s, Harm.COOLDOWN, Fault.RATE_LIMITED)
            until_s = one.look(KEY, now_s).until_s
            assert until_s is not None
            assert longest_s / 2 <= until_s - now_s <= longest_s
            now_s = until_s
        entered(one.enter(KEY, now_s)).ok(now_s)
        entered(one.enter(KEY, now_s)).failed(now_s, Harm.COOLDOWN, Fault.RATE_LIMITED)
        until_s = one.look(KEY, now_s).until_s
        assert until_s is not None
        assert until_s - now_s <= 1


def test_a_refused_key_closes_all_its_targets_and_alarms_once() -> None:
    """60 s, doubled up to 10 minutes; one call of any target tries again; other keys are not touched."""
    alarms: list[tuple[TargetKey, str]] = []
    one = Health(Rules(), dice(1), on_alarm=lambda key, reason: alarms.append((key, reason)))
    now_s, lengths = 0.0, []
    for key in (KEY, SISTER, KEY, SISTER, KEY, KEY):
        entered(one.enter(key, now_s)).failed(now_s, Harm.KEY, Fault.CREDENTIAL_REFUSED)
        for closed in (KEY, SISTER):
            assert refused(one.enter(closed, now_s)).cause == "credential_refused"
            assert one.look(closed, now_s).state == "open"
        until_s = one.look(TargetKey("gemini", "never called", "c1"), now_s).until_s
        assert until_s is not None
        lengths.append(int(until_s - now_s))
        now_s = until_s
    assert lengths == [60, 120, 240, 480, 600, 600]
    assert alarms == [(KEY, "credential_refused")]
    entered(one.enter(OTHER, 1)).ok(1)
    entered(one.enter(TargetKey("gemini", "flash", "renewed"), 1)).ok(1)
    entered(one.enter(SISTER, now_s)).ok(now_s)
    entered(one.enter(KEY, now_s)).failed(now_s, Harm.KEY, Fault.QUOTA_EXHAUSTED)
    assert len(alarms) == 2


def test_a_missing_model_closes_one_target_only() -> None:
    """The others behind the same key go on; no free probe can tell that it is back."""
    one = health()
    fail(one, 0, Harm.ROUTE)
    assert one.look(KEY, 59).state == "open"
    entered(one.enter(SISTER, 1)).ok(1)
    assert one.probe_due(30) == []


def test_the_last_target_is_tried_although_it_is_open() -> None:
    """About once a second while it is dead; an answer closes it at once."""
    for seed in range(20):
        one = opened(seed)
        passed = 0
        for tenth in range(600):
            now_s = 5 + tenth / 10
            ticket = one.enter(KEY, now_s, last=True)
            if isinstance(ticket, Ticket):
                passed += 1
                ticket.failed(now_s, Harm.FAILURE, Fault.SERVER_ERROR)
            else:
                assert ticket.reason == "throttled"
                assert ticket.until_s is not None
                assert now_s < ticket.until_s <= now_s + 1
        assert 59 <= passed <= 80, passed
        entered(one.enter(KEY, 70, last=True)).ok(70)
        assert one.look(KEY, 70).state == "closed"
        for _ in range(100):
            entered(one.enter(KEY, 70, last=True)).ok(70)


def test_the_limit_shrinks_once_a_second_and_grows_slowly() -> None:
    """Times 0.7 on a 429 or an overload, never under two; one more after as many answers as it allows."""
    one = health(Rules(ceilings={"gemini": 10}))
    running = [entered(one.enter(KEY, 0)) for _ in range(10)]
    assert refused(one.enter(KEY, 0, last=True)) == Refusal("busy")
    for ticket in running:
        ticket.failed(0, Harm.COOLDOWN, Fault.RATE_LIMITED, 0)
    assert one.look(KEY, 0).limit == 7
    entered(one.enter(KEY, 1)).failed(1, Harm.FAILURE, Fault.OVERLOADED)
    assert one.look(KEY, 1).limit == 4
    for _ in range(5):
        entered(one.enter(KEY, 1)).ok(1)
    assert one.look(KEY, 1).limit == 5
    for second in range(2, 20):
        entered(one.enter(KEY, second)).failed(second, Harm.COOLDOWN, Fault.RATE_LIMITED, 0)
    assert one.look(KEY, 20).limit == 2
    assert one.look(OTHER, 20).limit == 1000


@pytest.mark.parametrize(("held", "limit"), [(7, 7), (0, 10)])
def test_a_limit_in_use_shrinks_when_answers_slow_down(held: int, limit: int) -> None:
    """Answers that begin at over twice the usual time are a sign of overload; a few long prompts are not."""
    one = health(Rules(ceiling=10))
    for second in range(100):
        entered(one.enter(KEY, second)).ok(second, 1.0)
    running = [entered(one.enter(KEY, 100)) for _ in range(held)]
    for _ in range(8):
        if isinstance(ticket := one.enter(KEY, 100), Ticket):
            ticket.ok(100, 5.0)
    assert one.look(KEY, 100).limit == limit
    for ticket in running:
        ticket.cancelled(100)


def test_new_rules_are_in_force_at_once() -> None:
    """A reload may lower or raise the ceiling; what is open stays open."""
    one = opened()
    one.use(Rules(ceiling=3, failures=1))
    assert one.look(KEY, 5).limit == 3
    assert one.look(KEY, 5).state == "open"
    fail(one, 5, key=OTHER)
    assert one.look(OTHER, 5).state == "open"


def test_a_ticket_ends_once() -> None:
    """Whatever comes after the first end changes nothing."""
    one = health()
    ticket = entered(one.enter(KEY, 0))
    ticket.ok(1)
    before = one.look(KEY, 1)
    ticket.ok(1)
    ticket.cancelled(1)
    ticket.answering(1)
    for harm in Harm:
        ticket.failed(1, harm, Fault.SERVER_ERROR)
    assert one.look(KEY, 1) == before
    assert before.in_flight == 0


def test_changes_are_told() -> None:
    """Opening, half-open by a probe, its one call, closing, cooling: each once."""
    told: list[tuple[str, str | None]] = []
    one = Health(Rules(), dice(0), on_change=lambda _key, look: told.append((look.state, look.reason)))
    fail(one, 0)
    fail(one, 0)
    one.probe_due(5)
    one.probed(KEY, 5, ok=False)
    one.probe_due(10)
    one.probed(KEY, 10, ok=True)
    entered(one.enter(KEY, 10)).ok(10)
    entered(one.enter(KEY, 10)).failed(10, Harm.COOLDOWN, Fault.RATE_LIMITED, 3)
    assert told == [
        ("open", "server_error"),
        ("half_open", "server_error"),
        ("half_open", "server_error"),
        ("closed", None),
        ("cooling", "rate_limited"),
    ]


def test_the_95th_percentile_needs_twenty_answers() -> None:
    """Before that a hedge would be a guess."""
    one = health()
    assert one.p95_first_token_s(KEY) is None
    for number in range(1, 21):
        assert one.p95_first_token_s(KEY) is None
        entered(one.enter(KEY, 0)).ok(0, number / 10)
    assert one.p95_first_token_s(KEY) == 1.9


def test_memory_is_bounded() -> None:
    """Ten thousand targets are remembered; those that were not called for longest go."""
    one, budget = opened(), Budget()
    for number in range(10_050):
        key = TargetKey("p", str(number), str(number))
        entered(one.enter(key, 5)).ok(5)
        budget.first(key)
    assert len(one.snapshot(5)) == 10_000
    assert one.look(KEY, 5).state == "closed"
    assert one.probe_due(100) == []
    assert one.next_probe_s(100) is None


def test_repeats_of_a_dead_provider_add_a_tenth_at_most() -> None:
    """At 10 and more calls a second, whatever the callers want; the first ten are free."""
    for rate in (10, 30, 100):
        budget, repeats = Budget(), 0
        for call in range(rate * 60):
            budget.first(KEY)
            repeats += sum(budget.take(KEY, call / rate) for _ in range(3))
        assert repeats <= 10 + 0.1 * rate * 60


def test_a_budget_is_per_target_and_over_all() -> None:
    """A dead target's repeats are no reason to refuse another one its own, until all together are too many."""
    budget = Budget()
    assert [budget.take(KEY, 0) for _ in range(11)] == [True] * 10 + [False]
    assert not budget.take(OTHER, 0)
    assert budget.take(OTHER, 2)
    for _ in range(10_000):
        budget.first(OTHER)
    assert sum(budget.take(OTHER, 3) for _ in range(200)) == 100
