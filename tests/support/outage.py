"""An outage under load: providers of a known capacity, callers who come by the clock, and what became of all of them.

The callers do not wait for each other: whoever measures a server that stumbles by callers who stumble with it
measures nothing. An answer counts as good if it is a 200 and whole within its caller's patience.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import aiohttp

from relevo.testing import ScriptedUpstream, model_list, refused_url
from support.callers import NO_LIMITS, process
from support.gateway import config_text
from support.upstream import HANG, USAGE, Received, Script, delta, reply, sse

Death = Literal["refused", "silent", "503"]
DEATHS: Final[tuple[Death, ...]] = ("refused", "silent", "503")
_KEEP_S: Final = 2.0
"""Less than the server keeps an idle connection: a request on one that is just being closed proves nothing."""
_ANSWER: Final = sse(delta("hola"), delta(None, "stop", usage=USAGE), "[DONE]", keep_alive=True)
_BUSY: Final = reply({"error": {"message": "busy"}}, 503, keep_alive=True)


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an outage goes. Times in seconds; `scale` shortens the deadlines and openings of the server likewise."""

    once_per_s: float
    """Requests a second at 1x; while a provider is dead three times as many come."""
    before_s: float
    dead_s: float
    after_s: float
    window_s: float
    """Over this long goodput is measured."""
    patience_s: float
    """An answer after this is of no use to its caller."""
    scale: float = 1.0

    @property
    def settings(self) -> str:
        """The sections of relevo.toml: at full scale the defaults."""
        if self.scale == 1:
            return NO_LIMITS
        s = self.scale
        return NO_LIMITS + (
            f"[timeouts]\nconnect_s = {3 * s}\nfirst_token_s = {10 * s}\nidle_s = {60 * s}\ntotal_s = {300 * s}\n"
            f"[retries]\nwait_s = {5 * s}\nlast_wait_s = {20 * s}\n"
            f"[breaker]\nopen_s = {10 * s}\nopen_s_max = {25 * s}\nprobe_s = {5 * s}\n"
        )


class Limited:
    """A provider with so many places, each taken for its service time; it refuses who would wait too long."""

    def __init__(self, death: Death, per_s: float, service_s: float, wait_s: float) -> None:
        self._death = death
        self._service_s, self._wait_s = service_s, wait_s
        self._free_s = [0.0] * round(per_s * service_s)
        self._stack = AsyncExitStack()
        self.calls: list[float] = []
        """When each call came, on the monotonic clock; probes are none."""
        self.port = 0
        self.down = False

    async def up(self) -> None:
        """It serves from now on."""
        self.down = False
        if self._death == "refused" or not self.port:
            await self._stack.aclose()
            upstream = ScriptedUpstream(self._answer, models=self._models, port=self.port)
            self.port = (await self._stack.enter_async_context(upstream)).port

    async def die(self) -> None:
        """It is dead from now on."""
        self.down = True
        if self._death == "refused":
            await self._stack.aclose()
            self._stack.enter_context(refused_url(self.port))

    async def aclose(self) -> None:
        await self._stack.aclose()

    def _answer(self, _request: Received) -> Script:
        now_s = time.monotonic()
        self.calls.append(now_s)
        if self.down:
            return _BUSY if self._death == "503" else [HANG]
        place = min(range(len(self._free_s)), key=self._free_s.__getitem__)
        start_s = max(now_s, self._free_s[place])
        if start_s - now_s > self._wait_s:
            return _BUSY
        self._free_s[place] = start_s + self._service_s
        return [start_s + self._service_s - now_s, *_ANSWER]

    def _models(self, _request: Received) -> Script:
        if self.down:
            return _BUSY if self._death == "503" else [HANG]
        return model_list()


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a caller: when it was due and when it ended, since the start, and what it took."""

    due_s: float
    ended_s: float
    status: int
    """0: the server did not answer at all."""
    tries: int

    @property
    def took_s(self) -> float:
        return self.ended_s - self.due_s


@dataclass
class Figures:
    """What an outage did."""

    course: Course
    calls: list[Call]
    upstream_s: list[float] = field(default_factory=list)
    """When providers heard of a call, since the start. A refused connection is not heard of."""

    def part(self, from_s: float, to_s: float) -> list[Call]:
        """The requests that were due in a stretch of time."""
        return [call for call in self.calls if from_s <= call.due_s < to_s]

    def goodput(self, from_s: float, to_s: float) -> float:
        """The share of requests due in a stretch that were answered in time."""
        part = self.part(from_s, to_s)
        good = sum(call.status == 200 and call.took_s <= self.course.patience_s for call in part)
        return good / len(part)

    @property
    def dead(self) -> tuple[float, float]:
        """From when to when the outage was."""
        return self.course.before_s, self.course.before_s + self.course.dead_s

    @property
    def end_s(self) -> float:
        return self.dead[1] + self.course.after_s

    @property
    def tries_per_request(self) -> float:
        """While the provider is dead."""
        part = self.part(*self.dead)
        return sum(call.tries for call in part) / len(part)

    def tries_per_s(self, from_s: float, to_s: float) -> float:
        """Tries a second for requests due in a stretch."""
        return sum(call.tries for call in self.part(from_s, to_s)) / (to_s - from_s)

    @property
    def unanswered(self) -> int:
        """Requests that the server did not answer at all."""
        return sum(call.status == 0 for call in self.calls)

    @property
    def recovered_s(self) -> float | None:
        """Seconds from the end of the outage to the first window with 95 % goodput. None: there is none."""
        step_s = self.course.window_s / 5
        start_s = self.dead[1]
        while start_s + self.course.window_s <= self.end_s:
            if self.goodput(start_s, start_s + self.course.window_s) >= 0.95:
                return start_s - self.dead[1]
            start_s += step_s
        return None

    def upstream_peak(self, from_s: float, to_s: float, window_s: float = 1.0) -> int:
        """The most calls that providers heard of in a second of a stretch."""
        seen = sorted(s for s in self.upstream_s if from_s <= s < to_s)
        return max((sum(a <= b < a + window_s for b in seen[i:]) for i, a in enumerate(seen)), default=0)

    def slowest_s(self, from_s: float, to_s: float, *, good: bool, of: float = 0.5) -> float:
        """In what time this share of the answers came, or of the errors. 0 where there are none."""
        took = sorted(call.took_s for call in self.part(from_s, to_s) if (call.status == 200) is good)
        return took[int(len(took) * of)] if took else 0.0

    def __str__(self) -> str:
        begin_s, over_s = self.dead
        recovered_s = self.recovered_s
        back = "never" if recovered_s is None else f"{recovered_s:.1f} s"
        later_s, middle_s = over_s + (recovered_s or 0), (begin_s + over_s) / 2
        return (
            f"offered {len(self.part(begin_s, over_s))} while dead, {len(self.part(over_s, self.end_s))} after; "
            f"tries a request while dead {self.tries_per_request:.3f}; "
            f"goodput before {self.goodput(0, begin_s):.3f}, dead {self.goodput(begin_s, over_s):.3f}, "
            f"95 % again after {back}, from then on {self.goodput(later_s, self.end_s):.3f}; "
            f"tries a second in the first half {self.tries_per_s(begin_s, middle_s):.1f}, in the second "
            f"{self.tries_per_s(middle_s, over_s):.1f}; unanswered {self.unanswered}; "
            f"heard by providers while dead {sum(begin_s <= s < over_s for s in self.upstream_s)}, "
            f"peak a second dead {self.upstream_peak(begin_s + self.course.dead_s / 6, over_s)}, "
            f"after {self.upstream_peak(over_s, self.end_s)}; "
            f"while dead an answer took {self.slowest_s(begin_s, over_s, good=True):.2f} s (p95 "
            f"{self.slowest_s(begin_s, over_s, good=True, of=0.95):.2f}), an error "
            f"{self.slowest_s(begin_s, over_s, good=False):.3f} s (p95 "
            f"{self.slowest_s(begin_s, over_s, good=False, of=0.95):.3f})"
        )


@asynccontextmanager
async def _serving(providers: dict[str, Limited]) -> AsyncIterator[None]:
    for provider in providers.values():
        await provider.up()
    try:
        yield
    finally:
        for provider in providers.values():
            await provider.aclose()


async def outage(folder: Path, course: Course, death: Death, dead: str = "a") -> Figures:
    """Two providers of 2x capacity each behind one task; those named in `dead` die and come back."""
    service_s = 0.2
    providers = {name: Limited(death, 2 * course.once_per_s, service_s, wait_s=1.0) for name in "ab"}
    async with _serving(providers):
        urls = {name: f"http://127.0.0.1:{provider.port}/v1" for name, provider in providers.items()}
        with process(folder, config_text(urls, more=course.settings)) as server:
            headers = {"authorization": f"Bearer {server.token}"}
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEP_S)
            async with aiohttp.ClientSession(server.url, headers=headers, connector=connector) as session:
                start_s = time.monotonic()
                load = asyncio.ensure_future(_load(session, course, start_s))
                dying = [providers[name] for name in dead]
                await _at(start_s + course.before_s)
                for provider in dying:
                    await provider.die()
                await _at(start_s + course.before_s + course.dead_s)
                for provider in dying:
                    await provider.up()
                calls = await load
    heard = [s - start_s for provider in providers.values() for s in provider.calls]
    return Figures(course, calls, heard)


async def _load(session: aiohttp.ClientSession, course: Course, start_s: float) -> list[Call]:
    begin_s, over_s = course.before_s, course.before_s + course.dead_s
    due_s = 0.0
    running = []
    while due_s < over_s + course.after_s:
        await _at(start_s + due_s)
        running.append(asyncio.ensure_future(_call(session, start_s, due_s)))
        due_s += 1 / (course.once_per_s * (3 if begin_s <= due_s < over_s else 1))
    return list(await asyncio.gather(*running))


async def _call(session: aiohttp.ClientSession, start_s: float, due_s: float) -> Call:
    try:
        async with session.post("/api/ai/chat", json={"prompt": "Hola"}) as answer:
            body = json.loads(await answer.read())
    except aiohttp.ClientError:
        return Call(due_s, time.monotonic() - start_s, 0, 0)
    tries = sum(attempt["outcome"] != "skipped" for attempt in body["attempts"])
    return Call(due_s, time.monotonic() - start_s, answer.status, tries)


async def _at(moment_s: float) -> None:
    """Returns at a moment of the monotonic clock: load comes by the clock."""
    await asyncio.sleep(max(0.0, moment_s - time.monotonic()))
