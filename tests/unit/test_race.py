"""A call and its hedge: whose answer counts."""

import asyncio

from relevo.service.hedge import race


async def test_of_two_answers_at_once_the_first_counts() -> None:
    """The one that is charged for is the one that is delivered: the first whole answer in the order of the tries."""
    loop, kept = asyncio.get_running_loop(), []

    async def say(what: str, both: asyncio.Event) -> str:
        kept.append(asyncio.current_task())  # so that no two rounds find their tasks in the same places of memory
        await both.wait()
        return what

    for _ in range(50):
        both = asyncio.Event()

        def late(both: asyncio.Event = both) -> bool:
            loop.call_soon(loop.call_soon, both.set)  # once the second has begun, too
            return True

        first, second = (lambda what=what, both=both: say(what, both) for what in ("first", "second"))
        assert await race(first, second, after_s=0, late=late) == "first"
