"""`order = "fastest"`: targets in the order of their measured health, which is followed within 20 calls of a change."""

from collections.abc import Callable

import pytest

from relevo.core.errors import Fault, Harm
from relevo.routing.health import Health, Rules, TargetKey, Ticket
from support.dice import dice

SEEDS = range(100)
World = Callable[[int], tuple[float | None, ...]]
"""The true time to the first token of each target at a call; None: it fails."""


def keys(count: int) -> list[TargetKey]:
    return [TargetKey(f"p{n}", "m", "c") for n in range(count)]


def play(world: World, calls: int, seed: int) -> list[int]:
    """One call a second, each to the first of the order that lets it by, with noise of 30 %: who was asked first."""
    targets, random = keys(len(world(0))), dice(seed)
    health, asked = Health(Rules(), dice(seed)), []
    for call in range(calls):
        first = True
        for n in health.fastest(targets, call):
            ticket = health.enter(targets[n], call)
            if not isinstance(ticket, Ticket):
                continue
            if first:
                asked.append(n)
                first = False
            true_s = world(call)[n]
            if true_s is not None:
                ticket.ok(call, true_s * random.uniform(0.7, 1.3))
                break
            ticket.failed(call, Harm.FAILURE, Fault.SERVER_ERROR)
    return asked


def changed(before: tuple[float | None, ...], after: tuple[float | None, ...]) -> World:
    return lambda call: before if call < 100 else after


CHANGES: dict[str, tuple[tuple[float | None, ...], tuple[float | None, ...], int]] = {
    "the best slows down (2)": ((0.5, 1.0), (3.0, 1.0), 1),
    "the best slows down (3)": ((0.5, 1.0, 2.5), (3.0, 1.0, 2.5), 1),
    "another gets better (2)": ((1.0, 3.0), (1.0, 0.4), 1),
    "another gets better (3)": ((1.0, 3.0, 3.0), (1.0, 3.0, 0.4), 2),
    "the best fails (2)": ((0.5, 1.0), (None, 1.0), 1),
    "the best fails (3)": ((0.5, 1.0, 2.5), (None, 1.0, 2.5), 1),
    "the slow one fails (3)": ((0.5, 3.0, 1.5), (0.5, None, 1.5), 0),
    "both others turn around (3)": ((0.5, 1.5, 3.0), (6.0, 3.0, 1.2), 2),
}


@pytest.mark.parametrize("name", CHANGES)
def test_it_follows_measured_health_within_twenty_calls_of_a_change(name: str) -> None:
    """After 20 calls the best one comes first, but for the eighth that finds out how the others do."""
    before, after, best = CHANGES[name]
    for seed in SEEDS:
        asked = play(changed(before, after), 160, seed)
        later = asked[120:]
        assert sum(n != best for n in later) <= len(later) / 8 + 1, (seed, asked[100:])


def test_what_was_never_called_comes_first_as_listed() -> None:
    """Once each: while the call that will tell is under way, the next caller is not sent after it."""
    health, targets = Health(Rules(), dice(0)), keys(3)
    assert health.fastest(targets, 0) == [0, 1, 2]
    tickets = [health.enter(targets[0], 0)]
    assert health.fastest(targets, 0) == [1, 2, 0]
    tickets.append(health.enter(targets[1], 0))
    tickets.append(health.enter(targets[2], 0))
    assert health.fastest(targets, 0) == [0, 1, 2]
    for ticket, seconds in zip(tickets, (3, 2, 1), strict=True):
        assert isinstance(ticket, Ticket)
        ticket.ok(0, seconds)
    assert health.fastest(targets, 0) == [2, 1, 0]


def test_every_target_is_tried_now_and_then() -> None:
    """One call in eight goes to the others, to each in its turn."""
    for count in (2, 3, 5):
        asked = play(lambda _call, count=count: (0.2, *[5.0] * (count - 1)), 801, 1)  # type: ignore[misc]
        others = [asked.count(n) for n in range(1, count)]
        assert 90 <= sum(others) <= 112
        assert max(others) - min(others) <= 1


@pytest.mark.parametrize("truth", [(1.0, 2.0), (2.0, 1.0), (1.0, 2.0, 2.0), (2.0, 1.9, 1.0)])
def test_noise_does_not_make_it_swing(truth: tuple[float, ...]) -> None:
    """Where one target is twice as fast as the rest, noise of 30 % sends nobody elsewhere but the eighth call."""
    best = truth.index(min(truth))
    for seed in SEEDS:
        asked = play(lambda _call: truth, 300, seed)[20:]
        assert sum(n != best for n in asked) <= len(asked) / 8 + 1, seed


def test_one_odd_call_does_not_turn_the_order_around_for_long() -> None:
    """A single failure of the best costs it at most the choices until it is tried again."""
    for seed in SEEDS:
        asked = play(lambda call: (None if call == 100 else 0.5, 1.5), 200, seed)
        assert asked[120:].count(0) >= 80 - 80 / 8 - 1, seed


def test_what_is_open_or_cooling_comes_last_and_is_not_tried_out() -> None:
    """It would refuse the call; as soon as it may be called, its turn comes."""
    health, targets = Health(Rules(), dice(0)), keys(2)
    for n, seconds in ((0, 0.1), (1, 1.0)):
        ticket = health.enter(targets[n], 0)
        assert isinstance(ticket, Ticket)
        ticket.ok(0, seconds)
    ticket = health.enter(targets[0], 0)
    assert isinstance(ticket, Ticket)
    ticket.failed(0, Harm.COOLDOWN, Fault.RATE_LIMITED, 60)
    assert all(health.fastest(targets, 1) == [1, 0] for _ in range(50))
    assert health.fastest(targets, 61) == [0, 1]


def test_a_look_at_the_order_is_no_choice() -> None:
    """`relevo explain` and quotes do not use up anybody's turn."""
    health, targets = Health(Rules(), dice(0)), keys(2)
    for n, seconds in ((0, 0.1), (1, 1.0)):
        ticket = health.enter(targets[n], 0)
        assert isinstance(ticket, Ticket)
        ticket.ok(0, seconds)
    assert all(health.fastest(targets, 1, peek=True) == [0, 1] for _ in range(50))
    orders = [health.fastest(targets, 1) for _ in range(9)]
    assert orders.count([1, 0]) == 1
