"""Outages and storms: many calls against a provider that is down, and the way back."""

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from relevo.testing import Received, Script, ScriptedUpstream, fault
from relevo.testing.answers import model_list, reply
from relevo.testing.script import script_for
from support.gateway import Gateway, config_text, running
from support.soak import soaking

MONEY = "[credits]\nenabled = true\n[limits]\nuser_requests_per_minute = 0\nuser_concurrency = 0\n"
SCALE = 1.0 if soaking() else 0.1
"""Of all times of the breaker and of the calls against it."""
SLACK_S = 0.0 if soaking() else 0.5
"""What does not get shorter: a machine that is busy."""
BREAKER = f"[breaker]\nopen_s = {10 * SCALE}\nopen_s_max = {25 * SCALE}\nprobe_s = {5 * SCALE}\n"


@dataclass
class Patient:
    """A provider that is dead until it recovers."""

    listed: bool = True
    """It has a list of models."""
    dead: bool = True
    reached: int = 0
    """Requests while it was dead."""
    server: ScriptedUpstream = field(init=False)

    def __post_init__(self) -> None:
        self.server = ScriptedUpstream(self._answer, models=self._models)

    def _answer(self, request: Received) -> Script:
        self.reached += self.dead
        return script_for(fault("unavailable" if self.dead else "ok"), request)

    def _models(self, request: Received) -> Script:
        if not self.listed:
            return reply("", 404)
        return reply("", 503) if self.dead else model_list()


def config(providers: dict[str, str], *tasks: tuple[str, ...], more: str = "") -> str:
    """Task T0, T1, … of these providers, at 1 credit an answer."""
    text = ""
    for at, names in enumerate(tasks):
        targets = ", ".join(f'{{ provider = "{name}", model = "{name}-model" }}' for name in names)
        text += f"[tasks.T{at}]\ncredits = 1\ntargets = [{targets}]\n"
    return config_text(providers, tasks=text, more=more + MONEY)


def scale_jitter(gateway: Gateway) -> None:
    """The one number of the breaker that is not in the configuration."""
    watch = gateway.server._watch
    watch.use(replace(watch.health.rules, open_jitter_s=SCALE))


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_an_outage_of_a_minute(tmp_path: Path) -> None:
    """15 calls 4 s apart: all answered, at most 4 reach the dead provider; back within 10 s, unprobed within 30 s."""
    probed, unprobed = Patient(), Patient(listed=False)
    async with probed.server as a, unprobed.server as c, ScriptedUpstream(fault("ok")) as b:
        providers = {"a": a.base_url, "b": b.base_url, "c": c.base_url}
        async with running(config(providers, ("a", "b"), ("c", "b"), more=BREAKER), tmp_path) as gateway:
            scale_jitter(gateway)
            await gateway.grant(1000)
            back_s = await asyncio.gather(outage(gateway, probed, "T0", "a"), outage(gateway, unprobed, "T1", "c"))
            await gateway.at_rest()

    assert probed.reached <= 4
    assert unprobed.reached <= 4
    assert back_s[0] <= 10 * SCALE + SLACK_S
    assert back_s[1] <= 30 * SCALE + SLACK_S
    assert unprobed.server.probes
    seen = f"requests to the dead: {probed.reached}, {unprobed.reached}; back after {back_s} s, scaled by {SCALE}"
    print(f"\n{seen}")  # noqa: T201 - shown by pytest -s


async def outage(gateway: Gateway, patient: Patient, task: str, name: str) -> float:
    """Calls 4 s apart for a minute, then until the provider is in use again: how long that took, in seconds."""
    start_s = time.monotonic()
    for call in range(40):
        due_s = start_s + 4 * SCALE * call
        await asyncio.sleep(due_s - time.monotonic())  # the calls' own pace
        if call == 15:
            patient.dead, recovered_s = False, time.monotonic()
        answer = await gateway.chat(prompt="Hola", taskType=task)
        assert answer.status == 200
        if call < 15:
            assert answer.json["provider"] == "b"
        elif answer.json["provider"] == name:
            return time.monotonic() - recovered_s
    raise AssertionError("it was never in use again")


async def test_a_storm_of_503_adds_little_load(tmp_path: Path) -> None:
    """400 calls of 20 callers: all answered, b asked once for each, a for one in ten at most."""
    async with ScriptedUpstream(fault("unavailable")) as a, ScriptedUpstream(fault("ok")) as b:
        providers = {"a": a.base_url, "b": b.base_url}
        async with running(config(providers, ("a", "b")), tmp_path) as gateway:
            await gateway.grant(1000)

            async def caller(number: int) -> None:
                for _ in range(20):
                    if number % 2:
                        assert (await gateway.chat(prompt="Hola")).status == 200
                    else:
                        assert (await gateway.stream()).done

            await asyncio.gather(*(caller(number) for number in range(20)))
            await gateway.at_rest()
            assert (await gateway.wallet())["balance"] == 600
            assert len(b.received) == 400
            assert len(a.received) <= 40


async def test_a_storm_of_429_is_answered_by_the_next_target(tmp_path: Path) -> None:
    """50 callers at once, twice: all answered, and once the limit is known nobody runs into it."""
    async with ScriptedUpstream(fault("rate-limited-long")) as a, ScriptedUpstream(fault("ok")) as b:
        providers = {"a": a.base_url, "b": b.base_url}
        async with running(config(providers, ("a", "b")), tmp_path) as gateway:
            await gateway.grant(1000)
            for limited in (50, 0):
                before = len(a.received)
                answers = await asyncio.gather(*(gateway.chat(prompt="Hola") for _ in range(50)))

                assert {answer.json["provider"] for answer in answers} == {"b"}
                assert len(a.received) - before <= limited
            await gateway.at_rest()
            assert len(b.received) == 100
            assert (await gateway.wallet())["balance"] == 900


async def test_when_all_are_dead_errors_are_quick_and_the_way_back_is_short(tmp_path: Path) -> None:
    """10 callers who never stop: an error in under a second each, one request to the dead for four calls at most."""
    one, two = Patient(listed=False), Patient(listed=False)
    async with one.server as a, two.server as b:
        providers = {"a": a.base_url, "b": b.base_url}
        async with running(config(providers, ("a", "b"), more=BREAKER), tmp_path) as gateway:
            scale_jitter(gateway)
            await gateway.grant(10_000)
            over = asyncio.Event()
            errors: list[Any] = []

            async def caller() -> None:
                while not over.is_set():
                    began_s = time.monotonic()
                    answer = await gateway.chat(prompt="Hola")
                    if answer.status == 200:
                        over.set()
                        return
                    assert answer.json["code"] in ("all_providers_failed", "unavailable")
                    errors.append(time.monotonic() - began_s)
                    if len(errors) == 300:
                        one.dead = two.dead = False
                        errors.append(0)
                        recovered.append(time.monotonic())

            recovered: list[float] = []
            await asyncio.gather(*(caller() for _ in range(10)))
            back_s = time.monotonic() - recovered[0]
            await gateway.at_rest()

    assert back_s <= 30 * SCALE + SLACK_S
    assert max(errors) < 1
    assert one.reached + two.reached <= 70


@pytest.mark.slow
async def test_a_silent_provider_costs_ten_seconds_by_default(tmp_path: Path) -> None:
    """With the defaults of the configuration, in real time: the next target's answer in under 12 s, plain or streamed."""
    async with ScriptedUpstream(fault("silent")) as a, ScriptedUpstream(fault("ok")) as b:
        providers = {"a": a.base_url, "b": b.base_url}
        async with running(config(providers, ("a", "b")), tmp_path) as gateway:
            await gateway.grant(10)
            started_s = time.monotonic()
            plain, frames = await asyncio.gather(gateway.chat(prompt="Hola"), gateway.stream())
            took_s = time.monotonic() - started_s
            await gateway.at_rest()

            assert (plain.status, plain.json["provider"]) == (200, "b")
            assert (frames.done, frames.last["provider"]) == (True, "b")
            assert 10 <= took_s < 12
            assert (len(a.received), len(b.received)) == (2, 2)


async def test_a_refused_key_alarms_once_and_is_never_a_401(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The next target answers; the key is left alone and told once; who insists gets an error of ours."""
    caplog.set_level(logging.ERROR, "relevo")
    async with ScriptedUpstream(fault("bad-key")) as a, ScriptedUpstream(fault("ok")) as b:
        providers = {"a": a.base_url, "b": b.base_url}
        async with running(config(providers, ("a", "b")), tmp_path) as gateway:
            await gateway.grant(10)
            for _ in range(5):
                answer = await gateway.chat(prompt="Hola")
                assert (answer.status, answer.json["provider"]) == (200, "b")
            assert len(a.received) == 1
            told = [entry.getMessage() for entry in caplog.records if "refuses all calls" in entry.getMessage()]
            assert len(told) == 1
            async with gateway.session.get(gateway.server.admin.url + "/metrics") as page:
                assert 'relevo_alarms_total{provider="a",reason="credential_refused"} 1.0' in await page.text()
            alone = await gateway.chat(prompt="Hola", provider="a")
            assert (alone.status, alone.json["code"]) == (500, "all_providers_failed")
            frames = await gateway.stream(provider="a")
            assert frames.last["code"] in ("all_providers_failed", "unavailable")
            await gateway.at_rest()
            assert (await gateway.wallet())["balance"] == 5
