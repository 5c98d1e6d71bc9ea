"""Targets that rest: whom they keep away, whom not, and what is asked when all of them rest."""

import time
from pathlib import Path
from typing import Any

import pytest

from relevo.core.errors import Fault, Harm
from relevo.core.types import Target
from relevo.routing.health import Ticket
from relevo.testing import KeepAlive
from support.gateway import Gateway, config_text, running
from support.upstream import HANG, USAGE, Script, Upstream, delta, reply, sse, streamed, upstream

QUICK = "[timeouts]\nconnect_s = 1\nfirst_token_s = 0.5\nidle_s = 0.4\ntotal_s = 5\n"
LIMITS = "[limits]\nuser_requests_per_minute = 0\n"


def config(*providers: Upstream, more: str = "") -> str:
    names = {name: provider.base_url for name, provider in zip("abc", providers, strict=False)}
    return config_text(names, more=QUICK + LIMITS + more)


def fail(gateway: Gateway, name: str, times: int = 2) -> None:
    """A target fails as if calls of others had."""
    engine = gateway.server._app.state.chat._engine
    key = engine.key_of(Target(provider=name, upstream_model=f"{name}-model"))
    for _ in range(times):
        ticket = engine.health.enter(key, engine.clock.now_s())
        assert isinstance(ticket, Ticket)
        ticket.failed(engine.clock.now_s(), Harm.FAILURE, Fault.SERVER_ERROR)


def state(gateway: Gateway, name: str) -> str:
    engine = gateway.server._app.state.chat._engine
    key = engine.key_of(Target(provider=name, upstream_model=f"{name}-model"))
    return str(engine.health.look(key, engine.clock.now_s()).state)


def tries(answer: Any) -> list[tuple[str, str, str | None]]:
    return [(t["provider"], t["outcome"], t["code"]) for t in answer.json["attempts"]]


async def test_one_of_those_that_rest_is_asked_when_all_do(tmp_path: Path) -> None:
    """Not each of them, and with no longer a wait than usual: an outage of all is told soon, in the same words."""
    async with upstream([HANG]) as a, upstream([HANG]) as b, running(config(a, b), tmp_path) as gateway:
        fail(gateway, "a")
        fail(gateway, "b")
        began_s = time.monotonic()
        answer = await gateway.chat(prompt="Hola")

        assert time.monotonic() - began_s < 1.4  # one deadline of 0.5 s, not two of 1.5 s
        assert (answer.status, answer.json["code"]) == (500, "all_providers_failed")
        assert len(a.received) + len(b.received) == 1
        assert sorted(outcome for _, outcome, _ in tries(answer)) == ["failed", "skipped"]


async def test_the_last_of_a_plan_is_asked_although_it_rests(tmp_path: Path) -> None:
    """It may be well again, and there is nobody else; what is passed over says until when."""
    async with upstream(reply({}, 500)) as a, upstream(streamed("back")) as b:
        async with running(config(a, b), tmp_path) as gateway:
            fail(gateway, "b")
            answer = await gateway.chat(prompt="Hola")
            resting = await gateway.chat(prompt="Hola", provider="a", model="a-model")

            assert (answer.status, answer.json["content"]) == (200, "back")
            assert tries(answer) == [("a", "failed", "server_error"), ("b", "ok", None)]
            assert resting.status == 500


async def test_a_backup_that_may_be_well_again_is_somebody_else(tmp_path: Path) -> None:
    """A target before a half-open one is not waited for three times as long."""
    breaker = "[breaker]\nopen_s = 0.01\nopen_s_max = 0.01\n"
    async with upstream([HANG]) as a, upstream(streamed("b")) as b:
        async with running(config(a, b, more=breaker), tmp_path) as gateway:
            fail(gateway, "b")
            while state(gateway, "b") != "half_open":
                await gateway.wallet()
            began_s = time.monotonic()
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["content"] == "b"
            assert time.monotonic() - began_s < 1.4


@pytest.mark.parametrize(
    "script",
    [
        sse(delta(None, "stop", usage=USAGE), "[DONE]"),
        sse({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]}, delta(None, "length", usage=USAGE)),
        reply({"error": {"message": "x", "code": "loop_detected"}}, 508),
    ],
    ids=["stopped at once", "only thought", "a circle"],
)
async def test_what_the_request_brings_about_keeps_nobody_away(script: Script, tmp_path: Path) -> None:
    """A stop sequence at once, tokens spent on thinking, a hop too many: the target is well."""
    async with upstream(script) as a, upstream(streamed()) as b, running(config(a, b), tmp_path) as gateway:
        for _ in range(3):
            assert (await gateway.chat(prompt="Hola")).json["provider"] == "b"

        assert state(gateway, "a") == "closed"
        assert len(a.received) == 3


async def test_a_provider_that_holds_a_kept_connection_is_not_asked_twice(tmp_path: Path) -> None:
    """Only what fails at once was stale; who closes later may have been at work."""
    whole = streamed("x")
    slow: Script = [0.8]
    kept = [*[p for p in whole if isinstance(p, bytes)]]
    body = b"".join(kept[1:])
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(body)
    patient = QUICK.replace("first_token_s = 0.5", "first_token_s = 3")
    async with upstream([head + body, KeepAlive()], slow, streamed("again")) as a:
        text = config_text({"a": a.base_url}, more=patient + LIMITS)
        async with running(text, tmp_path) as gateway:
            first = await gateway.chat(prompt="Hola", useFallback=False)
            second = await gateway.chat(prompt="Hola", useFallback=False)

            assert first.json["content"] == "x"
            assert second.json["attempts"][0]["code"] == "connection_lost"
            assert len(a.received) == len(second.json["attempts"]) + 1
