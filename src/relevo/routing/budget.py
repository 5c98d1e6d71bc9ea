"""What repeats and hedges may add to the load. The first try of a target is never its business."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from relevo.routing.target_key import TARGETS_MAX, TargetKey

_START: Final = 10.0
"""A server that has just started may repeat a few calls before it has seen any."""
_CAP: Final = 100.0
"""What quiet hours save up is bounded: an outage after them must not bring a storm."""
_PER_FIRST_TRY: Final = 0.05
_PER_SECOND: Final = 0.5
"""Together: from 10 calls a second on, a dead provider raises the calls to it by at most 10 %."""


@dataclass(slots=True)
class _Bucket:
    tokens: float = _START
    filled_s: float | None = None

    def fill(self, now_s: float) -> None:
        """Add what time has brought."""
        since_s = now_s if self.filled_s is None else self.filled_s
        self.tokens = min(_CAP, self.tokens + max(0.0, now_s - since_s) * _PER_SECOND)
        self.filled_s = max(now_s, since_s)

    def earn(self) -> None:
        self.tokens = min(_CAP, self.tokens + _PER_FIRST_TRY)


class Budget:
    """A token bucket for each target, and one over all: a repeat or a hedge takes a token from both."""

    def __init__(self) -> None:
        self._all = _Bucket()
        self._targets: OrderedDict[TargetKey, _Bucket] = OrderedDict()

    def first(self, key: TargetKey) -> None:
        """A first try of a target begins: it earns a share of a repeat."""
        self._all.earn()
        self._of(key).earn()

    def take(self, key: TargetKey, now_s: float) -> bool:
        """Whether a target may be asked once more for the same request. Takes the tokens if so."""
        buckets = (self._all, self._of(key))
        for bucket in buckets:
            bucket.fill(now_s)
        allowed = all(bucket.tokens >= 1 for bucket in buckets)
        for bucket in buckets if allowed else ():
            bucket.tokens -= 1
        return allowed

    def _of(self, key: TargetKey) -> _Bucket:
        bucket = self._targets.setdefault(key, _Bucket())
        self._targets.move_to_end(key)
        if len(self._targets) > TARGETS_MAX:
            self._targets.popitem(last=False)
        return bucket
