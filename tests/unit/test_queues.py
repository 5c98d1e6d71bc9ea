"""Waiting for a target that has enough to do: a place that is given reaches somebody who is still there."""

import asyncio

from relevo.routing.target_key import TargetKey
from relevo.service.queues import Queues

KEY = TargetKey("a", "a-model", "")


async def waiting(queues: Queues, number: int) -> list[asyncio.Task[bool]]:
    """So many callers in the queue, the newest last."""
    tasks = [asyncio.ensure_future(queues.wait(KEY, 60)) for _ in range(number)]
    while len(queues) < number:
        await asyncio.sleep(0)
    return tasks


async def test_a_place_given_to_one_who_leaves_in_that_instant_goes_to_the_next() -> None:
    """Else a free place would stay unused until the next call of the target ends."""
    queues = Queues()
    older, newest = await waiting(queues, 2)
    queues.free(KEY)
    newest.cancel()

    assert await older
    assert newest.cancelled()
    assert len(queues) == 0


async def test_one_who_leaves_before_its_turn_takes_nothing() -> None:
    """The place that comes later is for those who stayed."""
    queues = Queues()
    older, newest = await waiting(queues, 2)
    newest.cancel()
    await asyncio.wait({newest})
    assert len(queues) == 1
    queues.free(KEY)

    assert await older
    assert len(queues) == 0
