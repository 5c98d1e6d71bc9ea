"""kill -9 at every point where money could go wrong, with a provider that keeps the truth.

Each strike: a server under load from several clients dies at a chosen point, sometimes again while it recovers;
then a new one starts and the clients come back. Afterwards the books must add up, no hold is open, no answer that a
client saw is uncharged, and no call was charged twice.
"""

import asyncio
import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relevo.auth.dev_secret import development_secret, sign
from relevo.core.clock import SystemClock
from relevo.setup import set_up
from relevo.store.ledger import StoredLedger
from relevo.store.opening import make_reader
from support.doomed import POINTS
from support.dump import dump
from support.gateway import config_text, running
from support.process import environment
from support.soak import seeds
from support.upstream import USAGE, Received, Script, delta, sse, upstream

pytestmark = pytest.mark.slow

PRICE, SIGNUP, USERS, CALLS = 20, 20_000, ("ana", "bob"), 14
AT_PROVIDER = ("request", "chunk", "usage")
"""Points at which the provider pulls the trigger: the request is there, in mid-answer, before its end."""
DRAINING = "drain"
REACH = {"statement": 700, "commit": 200, "durable": 150, "write": 2000, "sync": 250}
"""How often a run passes a point at most (40 for the others). So many writes bring a checkpoint with them."""


@dataclass
class Truth:
    """What the provider and the clients saw."""

    served: int = 0
    answered: dict[str, set[str]] = field(default_factory=lambda: {user: set() for user in USERS})
    """Request ids of the answers that clients saw whole."""
    lost: dict[str, int] = field(default_factory=lambda: dict.fromkeys(USERS, 0))
    """Calls without a key whose answer did not come."""
    unanswered: list[tuple[str, str]] = field(default_factory=list)
    """Calls with a key whose answer did not come, as (user, key)."""


@pytest.mark.parametrize("seed", seeds(1))
@pytest.mark.parametrize("point", [*POINTS, *AT_PROVIDER, DRAINING])
async def test_no_money_is_lost_or_taken_twice(tmp_path: Path, point: str, seed: int) -> None:
    """Whatever the point: what was acknowledged is charged once, the rest is free."""
    await strike(tmp_path, point, random.Random(f"{point} {seed}"), "")  # noqa: S311


async def strike(
    folder: Path, point: str, dice: random.Random, store: str, time_passes: Callable[[], None] | None = None
) -> None:
    """One death and one recovery.

    Args:
        folder: The server's.
        point: Where it dies.
        dice: Of this seed.
        store: A further section of the configuration.
        time_passes: Lets the time pass in which holds of the dead expire. None: they are freed at the start.
    """
    truth = Truth()
    number = dice.randint(1, REACH.get(point, 40))
    doomed: list[subprocess.Popen[bytes]] = []

    def answer(_request: Received) -> Script:
        truth.served += 1
        whole = sse(delta("ho"), delta("la"), delta(None, "stop", usage=USAGE), "[DONE]")
        if point in AT_PROVIDER and doomed and truth.served == number:
            doomed[0].kill()
            return whole[: {"request": 0, "chunk": 2, "usage": 4}[point]]
        return whole

    async with upstream(choose=answer) as provider:
        text = config(provider.base_url, store)
        (folder / "relevo.toml").write_text(text)
        secret = development_secret(folder)
        tokens = {user: sign(secret, user, now_s=SystemClock().wall_s(), ttl_s=3600) for user in USERS}
        doomed.append(start(folder, point, number))
        url = await ready(folder, doomed[0])
        if url:
            await load(url, tokens, truth, dice, doomed[0], point)
        dead(folder, doomed[0])
        if dice.random() < 0.3:  # once more, while it recovers
            again = start(folder, "statement", dice.randint(1, 15))
            await ready(folder, again)
            dead(folder, again)
        doomed.clear()
        if time_passes:
            time_passes()
        async with running(text, folder) as gateway:
            await gateway.server._books.wallet.sweep()
            await recover(gateway.server.api.url, tokens, truth)
            await gateway.at_rest()
    await check(folder, truth)


def config(base_url: str, store: str) -> str:
    more = (
        "[limits]\nuser_requests_per_minute = 0\nuser_concurrency = 0\n[timeouts]\nfirst_token_s = 5\n"
        f'[credits]\nenabled = true\nsignup = {SIGNUP}\n[prices."a/a-model"]\ninput = 1\noutput = 1\n{store}'
    )
    tasks = f'[tasks.T]\ncredits = {PRICE}\ntargets = [{{ provider = "a", model = "a-model" }}]\n'
    return config_text({"a": base_url}, tasks=tasks, more=more)


def start(folder: Path, point: str, number: int) -> subprocess.Popen[bytes]:
    script = [] if point in (*AT_PROVIDER, DRAINING) else [doomed_path(), point, str(number)]
    command = [sys.executable, *(script or ["-m", "relevo"]), "serve", "--port", "0"]
    more = {"RELEVO_DOOMED_POSTGRES": "1"} if "postgresql" in (folder / "relevo.toml").read_text() else {}
    environ = environment({"CANARY_KEY": "canary-in-a-child-process", **more})
    with (folder / "out.txt").open("wb") as out, (folder / "err.txt").open("ab") as err:
        return subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=err, stdin=subprocess.DEVNULL)


def doomed_path() -> str:
    return str(Path(__file__).parent.parent / "support" / "doomed.py")


async def ready(folder: Path, process: subprocess.Popen[bytes]) -> str | None:
    """The server's address; None: it died before it had one."""
    while True:
        found = re.search(r"(http://\S+)/api/ai/chat", (folder / "out.txt").read_text())
        if found:
            return found[1]
        if process.poll() is not None:
            return None
        await asyncio.sleep(0.01)


def dead(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """It is dead now, if the point had not come; by a signal, and not by an error."""
    process.kill()
    assert process.wait() in (-signal.SIGKILL, 0), (folder / "err.txt").read_text()


async def load(
    url: str, tokens: dict[str, str], truth: Truth, dice: random.Random, process: Any, point: str
) -> None:
    """Clients that call until they are done or nobody is there."""
    keys = iter(range(10_000))
    async with aiohttp.ClientSession() as session:
        clients = [client(session, url, user, tokens[user], truth, keys) for user in USERS for _ in range(3)]
        working = asyncio.gather(*clients)
        if point == DRAINING:
            await asyncio.sleep(dice.random() * 0.3)
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(dice.random() * 0.1)
            process.kill()
        await working


async def client(session: Any, url: str, user: str, token: str, truth: Truth, keys: Any) -> None:
    for number in range(CALLS):
        key = f"key-{next(keys)}" if number % 2 else None
        if not await call(session, url, user, token, truth, key):
            return


async def call(session: Any, url: str, user: str, token: str, truth: Truth, key: str | None) -> bool:
    """One call, noted as its client sees it. Whether the server was there."""
    headers = {"authorization": f"Bearer {token}"} | ({"idempotency-key": key} if key else {})
    try:
        body = {"prompt": f"Hola {key}"}
        async with session.post(f"{url}/api/ai/chat", json=body, headers=headers) as reply:
            answer = json.loads(await reply.read())
            assert reply.status in (200, 409, 503), answer
            if reply.status == 200:
                truth.answered[user].add(answer["request_id"])
                return True
    except (aiohttp.ClientError, ConnectionError):
        pass
    if key is None:
        truth.lost[user] += 1
    else:
        truth.unanswered.append((user, key))
    return False


async def recover(url: str, tokens: dict[str, str], truth: Truth) -> None:
    """Clients come back with the keys of the calls that brought them nothing."""
    again, truth.unanswered = truth.unanswered, []
    async with aiohttp.ClientSession() as session:
        for user, key in again:
            assert await call(session, url, user, tokens[user], truth, key)


async def check(folder: Path, truth: Truth) -> None:
    url = set_up(str(folder / "relevo.toml")).config.file.store.url
    books = make_reader(url, folder, SystemClock())
    await books.start()
    audit = await StoredLedger(books).audit()
    assert audit.differences == ()
    assert audit.open_holds == 0
    rows, costs = await dump(books)
    await books.aclose()
    for user in USERS:
        charged = {row[1] for row in rows if row[0] == user and row[2]}
        assert {row[2] for row in rows if row[0] == user} <= {0, PRICE * 1_000_000}
        assert truth.answered[user] <= charged, "an answer that its caller saw is not charged"
        extra = charged - truth.answered[user]
        assert len(extra) <= truth.lost[user], "a call was charged that brought no answer, or twice"
    settled = sum(1 for row in rows if row[2])
    assert settled <= truth.served <= len(costs), "what the provider served is neither paid nor written off"
