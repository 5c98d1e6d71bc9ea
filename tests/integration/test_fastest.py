"""`order = "fastest"` over real sockets: whoever answers sooner is asked first, also after that changes."""

from pathlib import Path

from support.gateway import QUICK, config_text, running
from support.upstream import Received, Script, reply, streamed, upstream


class Paced:
    """A provider whose pace a test changes."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        self.dead = False

    def __call__(self, _request: Received) -> Script:
        return reply({}, 500) if self.dead else [self.wait_s, *streamed()]


async def test_it_follows_measured_health_within_20_calls_of_a_change(tmp_path: Path) -> None:
    """The slow one becomes the fast one, then the fast one dies: each time the others notice by themselves."""
    fast, slow = Paced(0.0), Paced(0.15)
    async with upstream(choose=slow) as a, upstream(choose=fast) as b:
        names = {"a": a.base_url, "b": b.base_url}
        tasks = '[tasks.T]\norder = "fastest"\ntargets = [{ provider = "a", model = "m" }, { provider = "b", model = "m" }]\n'
        limits = "[limits]\nuser_requests_per_minute = 0\n"
        async with running(config_text(names, tasks=tasks, more=QUICK + limits), tmp_path) as gateway:

            async def served(calls: int) -> list[str]:
                return [(await gateway.chat(prompt="Hola")).json["provider"] for _ in range(calls)]

            await served(4)
            assert (await served(12)).count("b") >= 9

            fast.wait_s, slow.wait_s = 0.15, 0.0
            await served(20)
            assert (await served(12)).count("a") >= 9

            slow.dead = True
            await served(5)
            assert set(await served(8)) == {"b"}
