"""Plays rows of the table of faults: real sockets, the whole gateway, credits on."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from relevo.auth.dev_secret import ISSUER, sign
from relevo.core.clock import SystemClock
from relevo.setup import issuers_of
from relevo.testing import FAULTS, ScriptedUpstream, blackhole_url, fault, refused_url
from relevo.testing.answers import TEXT
from support.fault_table import PRICE, Facts, Row, Way, bill
from support.gateway import Gateway, config_text, running

GRANT = 10_000
THEIR_HEADERS = {"set-cookie", "x-huge", "x-more", "proxy-authenticate", "upgrade", "location", "content-encoding"}
"""Of providers, in the faults that are played."""
QUICK = "[timeouts]\nconnect_s = 0.8\nfirst_token_s = 0.4\nidle_s = 0.4\ntotal_s = 3\n"
MONEY = "[credits]\nenabled = true\n[limits]\nuser_requests_per_minute = 0\n"
NAMELESS = {
    "dns-unknown": "name-that-is-not.invalid",
    "dns-servfail": "name-that-fails.invalid",
    "dns-hangs": "name-that-hangs.invalid",
}
"""Faults of the name service, and the host names that have them while `name_service` is in force."""


@dataclass
class Played:
    """A row, one way to call, and the targets that are called."""

    row: Row
    way: Way
    first: str
    """The first target's provider."""
    urls: dict[str, str]
    first_upstream: ScriptedUpstream | None
    second_upstream: ScriptedUpstream | None

    @property
    def task(self) -> str:
        return f"{self.first}-task"

    def name_of(self, provider: str) -> str:
        return "a" if provider == self.first else "b"

    def check(self, provider: str, content: str) -> None:
        """A whole answer is this provider's, to the letter."""
        text = self.row.text if provider == self.first else TEXT
        assert text is None or content == text

    def toml(self) -> str:
        price = "min_credits = 0\n" if self.row.metered else f"credits = {PRICE}\n"
        plain = ", stream_upstream = false" if self.way == "unstreamed" else ""
        targets = ", ".join(
            f'{{ provider = "{name}", model = "{name}-model", max_tokens = 100{plain} }}' for name in self.urls
        )
        text = f"[tasks.{self.task}]\n{price}{self.row.task}targets = [{targets}]\n"
        if self.row.metered:  # 1,000 USD a million tokens at 0.001 USD a credit: a token is a credit
            text += "".join(f'[prices."{name}/{name}-model"]\ninput = 1000\noutput = 1000\n' for name in self.urls)
        return text

    def calls(self) -> str:
        """Requests that reached each target."""
        return "+".join(
            str(len(up.received)) if up else "0"
            for up in (self.first_upstream, *([] if self.row.alone else [self.second_upstream]))
        ) + ("+0" if self.row.alone else "")


@contextmanager
def name_service() -> Iterator[None]:
    """A name service with the faults of `NAMELESS`; all else is as it was."""
    real, over = socket.getaddrinfo, threading.Event()

    def getaddrinfo(host: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name == NAMELESS["dns-hangs"]:
            over.wait(20)
        if name in NAMELESS.values():
            again = name == NAMELESS["dns-servfail"]
            raise socket.gaierror(socket.EAI_AGAIN if again else socket.EAI_NONAME, "scripted")
        return real(host, *args, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        try:
            yield
        finally:
            over.set()


@asynccontextmanager
async def _upstreams(rows: Sequence[Row], ways: Sequence[Way]) -> AsyncIterator[list[Played]]:
    async with AsyncExitStack() as stack:
        played = []
        for at, row in enumerate(rows):
            for way in ways:
                if way not in row.seen:
                    continue
                name = row.accent or f"a{at}{way}"
                first, url = await _first(row, stack)
                urls, second = {name: url}, None
                if not row.alone:
                    second = await stack.enter_async_context(ScriptedUpstream(fault("ok")))
                    urls[f"b{at}{way}"] = second.base_url
                played.append(Played(row, way, name, urls, first, second))
        yield played


async def _first(row: Row, stack: AsyncExitStack) -> tuple[ScriptedUpstream | None, str]:
    if isinstance(row.play, str) and row.play in NAMELESS:
        return None, f"http://{NAMELESS[row.play]}:9/v1"
    tls = None
    answer = row.play
    if isinstance(answer, str):
        known = FAULTS[answer]
        if known.place:
            place = refused_url if known.place == "refused" else blackhole_url
            return None, stack.enter_context(place())
        tls = known.tls
        answer = fault("ok" if tls else answer, row.accent or "openai")
    answers = [fault(a) if isinstance(a, str) else a for a in answer] if isinstance(answer, tuple) else [answer]
    up = await stack.enter_async_context(ScriptedUpstream(*answers, tls=tls))
    return up, up.base_url


async def play(rows: Sequence[Row], ways: Sequence[Way], folder: Path) -> list[tuple[Played, Facts]]:
    """What is seen of each row: one gateway, one row after the other, and after each the books at rest."""
    seen = []
    async with _upstreams(rows, ways) as played:
        urls = {name: url for one in played for name, url in one.urls.items()}
        tasks = "".join(one.toml() for one in played)
        with name_service():
            async with running(config_text(urls, tasks=tasks, more=QUICK + MONEY), folder) as gateway:
                for row in rows:
                    seen += await _look(gateway, [one for one in played if one.row is row])
    return seen


async def _look(gateway: Gateway, played: Sequence[Played]) -> list[tuple[Played, Facts]]:
    """All ways to call of one row, at the same time, each by a user of its own."""
    secret = issuers_of(gateway.setup)[ISSUER].secret
    users = []
    for one in played:
        token = sign(secret, one.first, now_s=SystemClock().wall_s(), ttl_s=600)
        users.append(replace(gateway, token=token))
        await gateway.grant(GRANT, one.first)
        for _ in range(one.row.before):
            assert (await users[-1].chat(prompt="Hola", taskType=one.task)).status == 200
    await gateway.at_rest()
    had = [(await user.wallet())["balance"] for user in users]
    started_s = time.monotonic()
    calls = await asyncio.gather(*(_call(user, one) for user, one in zip(users, played, strict=True)))
    took_s = time.monotonic() - started_s
    assert took_s < played[0].row.within_s, f"{played[0].row.fault} took {took_s:.1f} s"
    await gateway.at_rest()
    seen, borne = [], await gateway.costs()
    for one, user, before, (got, done, body) in zip(played, users, had, calls, strict=True):
        wallet = await user.wallet()
        assert wallet["available"] == wallet["balance"]
        paid = round(before - wallet["balance"], 6)
        assert paid == (body.get("credits") or {"charged": 0})["charged"]
        estimated = bool((body.get("usage") or {}).get("estimated"))
        house = any(by == "house" for hold, _, by in borne if hold == body["request_id"])
        seen.append((one, Facts(got, _tries(one, body), one.calls(), bill(paid, estimated=estimated), house, done)))
    return seen


def _tries(one: Played, body: Any) -> str:
    return ", ".join(
        f"{one.name_of(tried['provider'])} {tried['code'] or tried['outcome']}"
        + (" (passed over)" if tried["outcome"] == "skipped" else "")
        for tried in body["attempts"]
    )


async def _call(gateway: Gateway, one: Played) -> tuple[str, bool | None, Any]:
    """What the caller got, whether the end marker came, and the body with its attempts."""
    if one.way != "streamed":
        reply = await gateway.chat(prompt="Hola", taskType=one.task)
        assert not THEIR_HEADERS & reply.headers.keys()
        body = reply.json
        if reply.status != 200:
            return f"error {reply.status} {body['code']}", None, body
        one.check(body["provider"], body["content"])
        return f"{one.name_of(body['provider'])}'s answer", None, body
    frames = await gateway.stream(taskType=one.task)
    assert not THEIR_HEADERS & frames.headers.keys()
    last = frames.last
    if last["type"] == "done":
        one.check(last["provider"], frames.content)
        return f"{one.name_of(last['provider'])}'s answer", frames.done, last
    assert last["type"] == "error"
    if not frames.content:
        return f"error {last['code']}", frames.done, last
    assert one.row.text is None or one.row.text.startswith(frames.content)
    return f"part of a's text, then error {last['code']}", frames.done, last
