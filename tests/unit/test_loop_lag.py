"""How late the event loop is, by a loop that is really blocked."""

import asyncio
import time

from relevo.core.clock import SystemClock
from relevo.telemetry.loop_lag import DEGRADED_S, TICK_S, LoopLag
from support.clock import FakeClock


async def measured(block_s: float) -> LoopLag:
    """A measurement over one block of the loop."""
    lag = LoopLag(SystemClock())
    task = asyncio.ensure_future(lag.run())
    while not lag.beats:
        await asyncio.sleep(0)
    beats = lag.beats
    time.sleep(block_s)  # noqa: ASYNC251 - that is the fault
    while lag.beats == beats:
        await asyncio.sleep(0)
    task.cancel()
    return lag


async def test_a_blocked_loop_is_measured() -> None:
    """Whatever holds the loop up shows, but for less than a tick."""
    lag = await measured(0.4)

    assert lag.worst_s() >= 0.4 - TICK_S
    assert lag.beats >= 2


async def test_the_worst_is_remembered_for_ten_seconds() -> None:
    """Half a second is not well; what is long ago is."""
    clock = FakeClock()
    lag = LoopLag(clock)
    lag._note(clock.now_s(), DEGRADED_S + 0.1)
    clock.pass_s(3)
    lag._note(clock.now_s(), 0.2)
    clock.pass_s(6.9)
    assert lag.degraded_s() == DEGRADED_S + 0.1
    clock.pass_s(0.2)
    assert lag.degraded_s() is None
    assert lag.worst_s() == 0.2
    clock.pass_s(5)
    assert lag.worst_s() == 0


async def test_what_is_overdue_now_counts_before_it_is_noted() -> None:
    """A probe that is answered first after a block is told of it."""
    clock = FakeClock()
    lag = LoopLag(clock)
    task = asyncio.ensure_future(lag.run())
    await asyncio.sleep(0)
    clock.pass_s(TICK_S + 2)

    assert lag.degraded_s() is not None
    task.cancel()
