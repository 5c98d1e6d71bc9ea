"""Waiting for a target that has enough to do: a bounded queue each, the newest caller first.

The newest first, because whoever has waited longest is the likeliest to have given up (FAULTS §4.2).
"""

import asyncio
from collections import defaultdict
from typing import Final

from relevo.routing.target_key import TargetKey

WAITING_MAX: Final = 64
"""Callers waiting for one target; one more is turned away at once."""
WAIT_S: Final = 1.0


class Queues:
    """Callers waiting for a free place, by target."""

    def __init__(self) -> None:
        self._waiting: defaultdict[TargetKey, list[asyncio.Future[None]]] = defaultdict(list)

    async def wait(self, key: TargetKey, wait_s: float = WAIT_S) -> bool:
        """Wait for a place. Whether one may be free now; the place itself is still to be taken."""
        waiting = self._waiting[key]
        if len(waiting) >= WAITING_MAX:
            return False
        place = asyncio.get_running_loop().create_future()
        waiting.append(place)
        try:
            async with asyncio.timeout(wait_s):
                await place
        except TimeoutError:
            return _given(place)
        except asyncio.CancelledError:
            if _given(place):
                self.free(key)  # to the next: who was woken and leaves must not take the place with it
            raise
        finally:
            if place in waiting:
                waiting.remove(place)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]
        return True

    def free(self, key: TargetKey) -> None:
        """A call of this target has ended: somebody may take its place."""
        waiting = self._waiting.get(key)
        while waiting:
            place = waiting.pop()
            if not place.done():
                place.set_result(None)
                return

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())


def _given(place: asyncio.Future[None]) -> bool:
    return place.done() and not place.cancelled()
