"""Asking a second target while the first is late: the sooner whole answer counts, the other is broken off."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T | None]]


async def race(first: Work[T], second: Work[T], *, after_s: float, late: Callable[[], bool]) -> T | None:
    """The result of whichever has one first, of the first if both have it at once. None: neither has.

    Args:
        first: Begun at once.
        second: Begun beside it, if the first is still late after a time.
        after_s: That time.
        late: Asked then: whether a second is worth its price.
    """
    running = [_begin(first)]
    try:
        done, _ = await asyncio.wait(running, timeout=after_s)
        if not done and late():
            running.append(_begin(second))
        while running:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in running if task.done()]:
                running.remove(task)
                result = task.result()
                if result is not None:
                    return result
        return None
    finally:
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)


def _begin(work: Work[T]) -> asyncio.Task[T | None]:
    return asyncio.get_running_loop().create_task(work())
