"""Free probes over real sockets: what a provider's list of models says of an open target."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from relevo.core.clock import SystemClock
from relevo.core.errors import Fault, Harm
from relevo.core.secret import Secret
from relevo.providers.registry import Provider
from relevo.routing.health import Health, Rules, TargetKey, Ticket
from relevo.routing.target_key import key_of
from relevo.service.probes import Probes
from relevo.testing import Answer, ScriptedUpstream
from relevo.upstream.http_transport import HttpTransport
from support.dice import dice
from support.upstream import HANG, Received, Script, Upstream, reply

RULES = Rules(failures=1, probe_s=0.1, open_s=600, open_s_max=600)
PATIENT = Rules(failures=1, probe_s=0.5, open_s=600, open_s_max=600)
"""For tests that count requests: a busy machine must not let a probe time out."""
MODELS = reply({"data": [{"id": "a"}]})


def in_turn(scripts: tuple[Script, ...]) -> Answer:
    """Each probe gets the next script, and the last one for ever after."""
    left = list(scripts)

    def answer(_request: Received) -> Script:
        return left.pop(0) if len(left) > 1 else left[0]

    return answer


class Bench:
    """Health, probes and a provider that does what a test says."""

    def __init__(self, server: Upstream, rules: Rules = RULES) -> None:
        self.server = server
        self.clock = SystemClock()
        self.provider = Provider(name="p", base_url=server.base_url, api_key=Secret("invented-of-probes"))
        self.offered = {"p": self.provider}
        self.changed = asyncio.Event()
        self.health = Health(rules, dice(1), on_change=lambda _key, _look: self.changed.set())
        self.transport = HttpTransport()
        self.probes = Probes(self.health, self.transport, self.clock, lambda: self.offered)

    def key(self, model: str = "a") -> TargetKey:
        return key_of(self.provider, model)

    def state(self, model: str = "a") -> str:
        return self.health.look(self.key(model), self.clock.now_s()).state

    def fail(self, model: str = "a") -> None:
        ticket = self.health.enter(self.key(model), self.clock.now_s())
        assert isinstance(ticket, Ticket)
        ticket.failed(self.clock.now_s(), Harm.FAILURE, Fault.SERVER_ERROR)
        assert self.state(model) == "open"
        self.changed.clear()
        self.probes.wake()

    async def asked(self, times: int) -> None:
        """Wait until the provider was asked so often."""
        async with asyncio.timeout(10):
            while len(self.server.probes) < times:
                await asyncio.sleep(0)

    async def at_rest(self) -> None:
        async with asyncio.timeout(10):
            while not self.probes.idle:
                await asyncio.sleep(0)


@asynccontextmanager
async def bench(*scripts: Script, rules: Rules = RULES) -> AsyncIterator[Bench]:
    async with ScriptedUpstream(models=in_turn(scripts)) as server:
        one = Bench(server, rules)
        try:
            yield one
        finally:
            await one.probes.aclose()
            await one.transport.aclose()
            assert one.probes.idle


async def test_a_list_of_models_makes_the_target_half_open() -> None:
    """Asked with the provider's key until it answers; then nothing is under way any more."""
    async with bench(reply("", 503), reply("", 401), reply("", 403), MODELS) as one:
        one.fail()
        await asyncio.wait_for(one.changed.wait(), 10)
        assert one.state() == "half_open"
        await one.at_rest()
        assert len(one.server.probes) >= 4
        assert one.server.probes[0].line == "GET /v1/models HTTP/1.1"
        assert one.server.probes[0].headers["authorization"] == "Bearer invented-of-probes"


@pytest.mark.parametrize("status", [404, 405, 501])
async def test_a_provider_without_a_list_is_asked_once(status: int) -> None:
    """It stays open until its time; a later outage asks no more."""
    async with bench(reply("", status), rules=PATIENT) as one:
        one.fail()
        await one.at_rest()
        assert one.state() == "open"
        one.fail("b")
        await one.at_rest()
        assert len(one.server.probes) == 1


@pytest.mark.parametrize(
    "script",
    [
        [HANG],
        [b"HTTP/1.1 200 X\r\ncontent-length: 20\r\n\r\n{", HANG],
        [b"HTTP/1.1 200 X\r\ncontent-length: 20\r\n\r\n{"],
        [],
        [b"no HTTP at all\r\n\r\n"],
    ],
    ids=["silent", "stalls in its list", "cut in its list", "closed", "odd"],
)
async def test_what_gives_no_whole_list_is_not_well(script: Script) -> None:
    """It is asked again, until it does. How often is not ours: aiohttp repeats a GET whose connection is closed."""
    async with bench(script, script, MODELS) as one:
        one.fail()
        await asyncio.wait_for(one.changed.wait(), 10)
        assert one.state() == "half_open"
        assert len(one.server.probes) >= 3


async def test_an_endless_list_is_not_read_to_its_end() -> None:
    """64 KiB prove enough, and the connection is closed."""
    head = b"HTTP/1.1 200 X\r\ncontent-length: 1000000000\r\n\r\n"
    async with bench([head, b"[" * 70_000, HANG], rules=PATIENT) as one:
        one.fail()
        await asyncio.wait_for(one.changed.wait(), 10)
        assert one.state() == "half_open"
        await asyncio.wait_for(one.server.left.wait(), 10)


async def test_all_targets_behind_a_key_share_a_probe() -> None:
    """Two open models of a provider cost one request."""
    async with bench(MODELS, rules=PATIENT) as one:
        one.fail("a")
        one.fail("b")
        await one.asked(1)
        await one.at_rest()
        assert (one.state("a"), one.state("b")) == ("half_open", "half_open")
        assert len(one.server.probes) == 1


async def test_what_the_configuration_no_longer_names_is_not_probed() -> None:
    """After a reload with another key the old one is not sent any more."""
    async with bench(MODELS, rules=Rules(failures=1, probe_s=0.02, open_s=0.1, open_jitter_s=0)) as one:
        one.offered = {"p": Provider(name="p", base_url=one.server.base_url, api_key=Secret("invented-renewed"))}
        one.fail()
        await one.at_rest()
        assert one.server.probes == []


async def test_the_end_of_the_server_ends_a_probe() -> None:
    """Nothing is waited for: the connection is closed."""
    async with bench([HANG]) as one:
        one.fail()
        await one.asked(1)
        await one.probes.aclose()
        await asyncio.wait_for(one.server.left.wait(), 10)
