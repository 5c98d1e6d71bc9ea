"""A request is cancelled at each of its awaits in turn: whatever it held is given back."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from pathlib import Path
from types import coroutine
from typing import Any

import aiohttp
import pytest

from relevo.http.app import HttpApp
from relevo.testing import ScriptedUpstream, fault
from support.gateway import Gateway, config_text, running

MONEY = "[credits]\nenabled = true\n[limits]\nuser_requests_per_minute = 0\nuser_concurrency = 2\n"
QUICK = "[timeouts]\nconnect_s = 2\nfirst_token_s = 2\nidle_s = 2\ntotal_s = 5\n"
AWAITS_MAX = 500


class Steps:
    """Runs a coroutine, and cancels its task at one of its awaits."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.seen = 0

    @coroutine
    def run(self, work: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = lambda: work.send(None)  # noqa: E731
        while True:
            try:
                waited_for = step()
            except StopIteration as end:
                return end.value
            self.seen += 1
            if self.seen == self.at:
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waited_for
                step = lambda: work.send(None)  # noqa: E731
            except BaseException as error:  # noqa: BLE001 - handed on into the coroutine
                thrown = error
                step = lambda: work.throw(thrown)  # noqa: B023, E731


@pytest.mark.slow
@pytest.mark.parametrize(("where", "awaits_min"), [("_call", 10), ("_answer", 1)])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "streamed"])
async def test_a_request_that_is_cancelled_at_any_await_leaves_nothing_behind(
    stream: bool, where: str, awaits_min: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hold, no task, no connection in use, no place at a target and none of its user; the next call is served."""
    steps = Steps(0)
    original = getattr(HttpApp, where)

    async def stepped(self: HttpApp, *args: Any) -> Any:
        return await steps.run(original(self, *args))

    monkeypatch.setattr(HttpApp, where, stepped)
    async with ScriptedUpstream(fault("bad-request")) as a, ScriptedUpstream(fault("ok")) as b:
        tasks = '[tasks.T]\ncredits = 20\ntargets = [{ provider = "a", model = "m" }, { provider = "b", model = "m" }]\n'
        text = config_text({"a": a.base_url, "b": b.base_url}, tasks=tasks, more=QUICK + MONEY)
        async with running(text, tmp_path) as gateway:
            await gateway.grant(100_000)
            await ask(gateway, stream=stream)
            await gateway.at_rest()
            usual = tasks_of_ours()
            cancelled = 0
            for at in range(1, AWAITS_MAX):
                steps.at, steps.seen = at, 0
                whole = await ask(gateway, stream=stream)
                if steps.seen < at:
                    assert whole
                    break
                cancelled += not whole
                await nothing_is_left(gateway, usual)
            assert awaits_min <= cancelled < AWAITS_MAX - 1
            assert a.open_connections + b.open_connections <= 4


async def ask(gateway: Gateway, *, stream: bool) -> bool:
    """Whether a whole answer came."""
    try:
        async with asyncio.timeout(10):
            if not stream:
                return (await gateway.chat(prompt="Hola")).status == 200
            async with gateway.streaming() as answer:
                return (await answer.read()).endswith(b"data: [DONE]\n\n")
    except aiohttp.ClientError:
        return False


def tasks_of_ours() -> Counter[str]:
    """What runs, by its name, without what serves connections: kept ones may be more or fewer."""
    names = [getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()]
    return Counter(name for name in names if not name.startswith(("Wire.", "ScriptedUpstream.")))


async def nothing_is_left(gateway: Gateway, usual: Counter[str]) -> None:
    await gateway.at_rest()
    server = gateway.server
    now_s = server._clock.now_s()
    assert all(look.in_flight == 0 for _, look in server._watch.health.snapshot(now_s))
    assert all(use.running == 0 for use in server._books.limiter._users.values())  # type: ignore[attr-defined]
    async with asyncio.timeout(5):
        while tasks_of_ours() - usual:
            await asyncio.sleep(0)
