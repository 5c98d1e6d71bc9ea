"""How many calls the last minutes had, and how many of them were good."""

from collections import deque
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    slot: int
    calls: int = 0
    good: int = 0


class Window:
    """Counts over the last `length_s` seconds, forgotten bucket by bucket: bounded, whatever the traffic."""

    def __init__(self, length_s: float, buckets: int) -> None:
        self._bucket_s = length_s / buckets
        self._buckets: deque[_Bucket] = deque(maxlen=buckets)
        self._count = buckets

    def add(self, now_s: float, *, calls: int = 0, good: int = 0) -> None:
        """Count `calls`, or `good` ones among those counted before."""
        slot = self._slot(now_s)
        if not self._buckets or self._buckets[-1].slot < slot:
            self._buckets.append(_Bucket(slot))
        self._buckets[-1].calls += calls
        self._buckets[-1].good += good

    def counts(self, now_s: float) -> tuple[int, int]:
        """Calls, and good ones, up to now."""
        oldest = self._slot(now_s) - self._count + 1
        young = [bucket for bucket in self._buckets if bucket.slot >= oldest]
        return sum(bucket.calls for bucket in young), sum(bucket.good for bucket in young)

    def clear(self) -> None:
        """Forget everything."""
        self._buckets.clear()

    def _slot(self, now_s: float) -> int:
        return int(now_s // self._bucket_s)
