"""Calls that have not brought a token yet: a target that lets several wait in vain is not sent more of them.

A silent provider fails only when a deadline passes. Until then every further call would wait as long, and a caller
who has somewhere else to go need not.
"""

from collections.abc import Hashable
from itertools import islice
from typing import Final

_USUAL_FACTOR: Final = 4
_SILENT_S_MIN: Final = 2.0
"""A call is in vain, so far, when it has waited for 4 times the target's usual time, and no less than this."""


class Silence:
    """The calls of one target that wait for their first token, the oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, float] = {}

    def begin(self, call: Hashable, now_s: float) -> None:
        """A call has begun."""
        self._waiting[call] = now_s

    def end(self, call: Hashable) -> None:
        """Its first token is here, or it has ended."""
        self._waiting.pop(call, None)

    def in_vain(self, now_s: float, usual_s: float | None, at_most: int) -> int:
        """How many wait in vain, as far as that can be said: nothing is known of a target that never answered.

        Args:
            now_s: The moment.
            usual_s: Its usual time to the first token.
            at_most: More than this need not be counted.
        """
        if usual_s is None:
            return 0
        since_s = now_s - max(_SILENT_S_MIN, _USUAL_FACTOR * usual_s)
        return sum(begun_s <= since_s for begun_s in islice(self._waiting.values(), at_most))
