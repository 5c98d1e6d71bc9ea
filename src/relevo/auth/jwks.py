"""Keys of issuers, fetched when they are needed and kept: nobody waits for an issuer whose keys are known.

The rules, and what went wrong where they were not kept:

* A set is in force for what its Cache-Control says, 60 s to 10 minutes. It is renewed before that, behind the
  callers. If it cannot be renewed, known keys stay in force for 24 hours; nothing that an issuer answers by
  mistake (an error, a page, an empty set) empties it.
* A `kid` that nobody has heard of may bring about one fetch in 30 s, and is then remembered for 60 s. Strangers
  make up as many as they like.
* However many callers wait, one fetch is under way.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from relevo.auth.keys import Key, KeySetError, read_keys
from relevo.core.clock import Clock
from relevo.core.errors import Code, GatewayError, UpstreamError

Fetch = Callable[[str], Awaitable[tuple[bytes, str]]]
"""GETs a URL: body and Cache-Control of a 200. Bounds size and time; raises `UpstreamError` for all else."""

_TTL_S_MIN: Final = 60.0
_TTL_S_MAX: Final = 600.0
"""Supabase: no longer than 10 minutes, or a revoked key lives on
(https://supabase.com/docs/guides/auth/signing-keys, 2026-11)."""
_TTL_S_UNTOLD: Final = 300.0
_EARLY: Final = 0.8
"""Part of its time after which a set is renewed behind the callers."""
_STALE_S_MAX: Final = 24 * 3600.0
_RETRY_S: Final = 30.0
_RETRY_COLD_S: Final = 2.0
"""Pause between fetches while there is no key at all; callers are told to come back after as long."""
_LATELY_S: Final = 90.0
"""A failure longer ago than this says nothing of the issuer now."""
_PATIENCE_S: Final = 1.0
"""Longest wait for a renewal when nobody called for so long that the set is out of its time."""
_UNKNOWN_S: Final = 60.0
_UNKNOWN_MAX: Final = 1000
_NEVER: Final = float("-inf")
_MAX_AGE: Final = re.compile(r"(?:^|[,\s])max-age\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)
_UNCACHED: Final = re.compile(r"(?:^|[,\s])no-(?:store|cache)\b", re.IGNORECASE)


def ttl_s(cache_control: str) -> float:
    """How long a set is in force."""
    if _UNCACHED.search(cache_control):
        return _TTL_S_MIN
    told = _MAX_AGE.search(cache_control)
    return min(max(float(told[1]), _TTL_S_MIN), _TTL_S_MAX) if told else _TTL_S_UNTOLD


class KeyRing:
    """The keys of one URL."""

    def __init__(self, url: str, fetch: Fetch, clock: Clock, note: Callable[[str], None]) -> None:
        """Args: note: hears why a fetch failed, once a fetch."""
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._note = note
        self._keys: dict[str, Key] = {}
        self._fetched_s = _NEVER
        self._ttl_s = 0.0
        self._tried_s = _NEVER
        self._asked_s = _NEVER
        """When a `kid` that nobody knew last brought about a fetch."""
        self._failed_s = _NEVER
        self._failure = ""
        """Why the last fetch failed; empty if it did not."""
        self._task: asyncio.Task[None] | None = None
        self._unknown: OrderedDict[str, float] = OrderedDict()

    def fresh(self, kid: str) -> Key | None:
        """The key, if it is known and its set need not be renewed yet. Costs a look into a dictionary."""
        age_s = self._clock.now_s() - self._fetched_s
        return self._keys.get(kid) if age_s < self._ttl_s * _EARLY else None

    async def find(self, kid: str) -> Key | None:
        """The key of this `kid`; None if the issuer has none.

        Raises:
            GatewayError: `unavailable`: the issuer could not be asked, so that nobody knows.
        """
        now_s = self._clock.now_s()
        age_s = now_s - self._fetched_s
        if age_s >= _STALE_S_MAX or kid not in self._keys:
            return await self._look_up(kid, now_s, cold=age_s >= _STALE_S_MAX)
        if age_s >= self._ttl_s * _EARLY:
            self._begin(now_s, _RETRY_S)
        if age_s >= self._ttl_s and self._task and now_s - self._failed_s > _LATELY_S:
            await asyncio.wait({self._task}, timeout=_PATIENCE_S)
        return self._keys.get(kid)

    def warm(self) -> None:
        """Begin to fetch the keys before the first caller needs them."""
        if self._fetched_s == _NEVER:
            self._begin(self._clock.now_s(), _RETRY_COLD_S)

    def cancel(self) -> None:
        """End a fetch that is under way. Who waits for it hears that nobody knows."""
        if self._task:
            self._task.cancel()

    async def _look_up(self, kid: str, now_s: float, *, cold: bool) -> Key | None:
        if cold:
            self._begin(now_s, _RETRY_COLD_S)
        elif now_s - self._unknown.get(kid, _NEVER) < _UNKNOWN_S:
            return None
        elif now_s - self._asked_s >= _RETRY_S and self._begin(now_s, 0):
            self._asked_s = now_s
        joined = self._task
        if joined:
            await asyncio.wait({joined})
        if self._failure or self._fetched_s == _NEVER:
            raise GatewayError(Code.UNAVAILABLE, reason=f"the keys of its issuer are not at hand: {self._failure}")
        key = self._keys.get(kid)
        if key is None and joined:
            self._unknown[kid] = now_s
            self._unknown.move_to_end(kid)
            if len(self._unknown) > _UNKNOWN_MAX:
                self._unknown.popitem(last=False)
        return key

    def _begin(self, now_s: float, pause_s: float) -> bool:
        """Begin a fetch, unless one is under way or began less than `pause_s` ago."""
        if self._task or now_s - self._tried_s < pause_s:
            return False
        self._tried_s = now_s
        self._task = asyncio.ensure_future(self._renew(now_s))
        self._task.add_done_callback(self._done)
        return True

    def _done(self, _task: asyncio.Task[None]) -> None:
        self._task = None

    async def _renew(self, now_s: float) -> None:
        try:
            body, cache_control = await self._fetch(self._url)
            keys = read_keys(body)
        except UpstreamError as error:
            self._fail(error.detail or error.fault.value)
        except KeySetError as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - nobody is above this task: a bug must not cost the keys
            self._fail(f"a bug of relevo ({type(error).__name__})")
        else:
            self._keys, self._fetched_s, self._ttl_s = keys, now_s, ttl_s(cache_control)
            self._failure = ""

    def _fail(self, reason: str) -> None:
        self._failed_s = self._clock.now_s()
        self._failure = f"{self._url}: {reason}"
        kept = "; the known ones stay in force" if self._keys else ""
        self._note(f"keys of an issuer could not be fetched from {self._failure}{kept}")


class KeyRings:
    """The rings of a server. They outlive a reload: its issuers may be down just then."""

    def __init__(self, fetch: Fetch, clock: Clock, note: Callable[[str], None]) -> None:
        """Args: note: hears why a fetch failed."""
        self._fetch = fetch
        self._clock = clock
        self._note = note
        self._rings: dict[str, KeyRing] = {}

    def of(self, urls: Iterable[str]) -> dict[str, KeyRing]:
        """The ring of each URL, known ones with their keys. Rings of other URLs are let go."""
        rings = {url: self._rings.get(url) or KeyRing(url, self._fetch, self._clock, self._note) for url in urls}
        for url in self._rings.keys() - rings.keys():
            self._rings[url].cancel()
        self._rings = rings
        return dict(rings)

    def warm(self) -> None:
        """Begin to fetch the keys of all rings that have none."""
        for ring in self._rings.values():
            ring.warm()

    def cancel(self) -> None:
        """End what is under way."""
        for ring in self._rings.values():
            ring.cancel()
