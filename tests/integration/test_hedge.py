"""`hedge = true`: a plain call that is late is made of the next target too; the sooner answer counts."""

import asyncio
from pathlib import Path

from relevo.core.types import Target
from relevo.routing.health import Ticket
from support.gateway import QUICK, Gateway, config_text, running
from support.upstream import HANG, Script, Upstream, reply, streamed, upstream

MONEY = "[credits]\nenabled = true\n"


def config(a: Upstream, b: Upstream, *, hedge: str = "hedge = true\n") -> str:
    names = {"a": a.base_url, "b": b.base_url}
    targets = ", ".join(f'{{ provider = "{n}", model = "{n}-model", max_tokens = 100 }}' for n in names)
    tasks = f"[tasks.T]\ncredits = 20\n{hedge}targets = [{targets}]\n"
    return config_text(names, tasks=tasks, more=QUICK.replace("first_token_s = 0.4", "first_token_s = 4") + MONEY)


def know(gateway: Gateway, first_token_s: float = 0.02) -> None:
    """The first target has answered often enough for a 95th percentile."""
    engine = gateway.server._app.state.chat._engine
    key = engine.key_of(Target(provider="a", upstream_model="a-model"))
    for _ in range(30):
        ticket = engine.health.enter(key, engine.clock.now_s())
        assert isinstance(ticket, Ticket)
        ticket.ok(engine.clock.now_s(), first_token_s=first_token_s)


async def test_a_hedge_wins_over_a_slow_first_and_both_are_in_one_hold(tmp_path: Path) -> None:
    """The second answers, the first is broken off, one charge, and what the first may cost is written off."""
    async with upstream([HANG]) as a, upstream(streamed("second")) as b:
        async with running(config(a, b), tmp_path) as gateway:
            know(gateway)
            await gateway.grant(100)
            answer = await gateway.chat(prompt="Hola")

            assert (answer.status, answer.json["content"]) == (200, "second")
            assert [(t["provider"], t["outcome"], t["code"]) for t in answer.json["attempts"]] == [
                ("a", "failed", "cancelled"),
                ("b", "ok", None),
            ]
            assert answer.json["credits"] == {"charged": 20, "remaining": 80}
            await a.left.wait()
            await gateway.at_rest()
            costs = await gateway.costs()
            assert [(number, borne) for _, number, borne in costs] == [(1, "house"), (2, "caller")]
            assert len({hold for hold, _, _ in costs}) == 1


async def test_a_first_that_is_on_time_is_alone(tmp_path: Path) -> None:
    """Nobody is paid twice for an answer that came when it mostly does, nor where the task does not ask for it."""
    for hedge, script in (("hedge = true\n", streamed("first")), ("", [0.1, *streamed("first")])):
        async with upstream(script) as a, upstream(streamed("second")) as b:
            async with running(config(a, b, hedge=hedge), tmp_path) as gateway:
                know(gateway, first_token_s=0.02 if not hedge else 3)
                await gateway.grant(100)
                answer = await gateway.chat(prompt="Hola")

                assert answer.json["content"] == "first"
                assert b.received == []


async def test_a_first_that_has_begun_is_waited_for(tmp_path: Path) -> None:
    """Late with the rest, but on time with its first token: a second would only cost."""
    head, *rest = streamed("first")
    script: Script = [head, rest[0], 0.2, *rest[1:]]
    async with upstream(script) as a, upstream(streamed("second")) as b:
        async with running(config(a, b), tmp_path) as gateway:
            know(gateway, first_token_s=0.1)
            await gateway.grant(100)

            assert (await gateway.chat(prompt="Hola")).json["content"] == "first"
            assert b.received == []


async def test_a_stream_is_never_hedged(tmp_path: Path) -> None:
    """Its caller sees the first token as it comes."""
    async with upstream([0.2, *streamed("first")]) as a, upstream(streamed("second")) as b:
        async with running(config(a, b), tmp_path) as gateway:
            know(gateway)
            await gateway.grant(100)

            assert (await gateway.stream()).content == "first"
            assert b.received == []


async def test_both_may_fail(tmp_path: Path) -> None:
    """Then it is as if they had been asked one after the other."""
    dead = reply({}, 500)
    async with upstream([0.15, *dead]) as a, upstream([0.05, *dead]) as b:
        async with running(config(a, b), tmp_path) as gateway:
            know(gateway)
            await gateway.grant(100)
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["code"] == "all_providers_failed"
            assert [t["provider"] for t in answer.json["attempts"]] == ["a", "b"]
            assert (len(a.received), len(b.received)) == (1, 1)
            await gateway.at_rest()
            assert (await gateway.wallet())["available"] == 100


async def test_a_caller_who_leaves_ends_both(tmp_path: Path) -> None:
    """No call goes on for nobody."""
    async with upstream([HANG]) as a, upstream([HANG]) as b, running(config(a, b), tmp_path) as gateway:
        know(gateway)
        await gateway.grant(100)
        call = asyncio.ensure_future(gateway.chat(prompt="Hola"))
        async with asyncio.timeout(5):
            while not b.received:
                await asyncio.sleep(0)
        call.cancel()
        await a.left.wait()
        await b.left.wait()

        await gateway.at_rest()
        assert (await gateway.wallet())["available"] == 100
