"""Several relevo processes on one PostgreSQL: one set of balances, holds, keys and limits."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from relevo.auth.dev_secret import development_secret, sign
from relevo.core.clock import SystemClock
from relevo.core.ids import node_id
from relevo.core.ledger import Act, Grant, Terms
from relevo.core.types import Principal
from relevo.store.ledger import StoredLedger
from relevo.store.postgres import PostgresStore
from support.gateway import config_text
from support.postgres import PASSWORD, PostgresServer
from support.process import environment
from support.soak import examples
from support.upstream import HANG, streamed, upstream

pytestmark = pytest.mark.slow
CREDIT = 1_000_000


def config(base_url: str, store: str, limits: str = "") -> str:
    limits = limits or "user_requests_per_minute = 0\nuser_concurrency = 0\n"
    more = f'[credits]\nenabled = true\n[store]\nurl = "{store}"\n[limits]\n{limits}'
    tasks = '[tasks.T]\ncredits = 20\ntargets = [{ provider = "a", model = "a-model" }]\n'
    return config_text({"a": base_url}, tasks=tasks, more=more)


@contextmanager
def processes(
    folder: Path, count: int, running: list[subprocess.Popen[bytes]] | None = None
) -> Iterator[list[str]]:
    """So many servers of one folder; their addresses. `running` is filled with their processes."""
    running = [] if running is None else running
    try:
        for number in range(count):
            out = folder / f"out{number}.txt"
            with out.open("wb") as stdout, (folder / f"err{number}.txt").open("wb") as stderr:
                environ = environment({"CANARY_KEY": "canary-in-a-child-process"})
                command = [sys.executable, "-m", "relevo", "serve", "--port", "0"]
                running.append(subprocess.Popen(command, cwd=folder, env=environ, stdout=stdout, stderr=stderr))
        yield [address(folder, number, process) for number, process in enumerate(running)]
    finally:
        for process in running:
            process.terminate()
        for process in running:
            assert process.wait(30) in (0, -signal.SIGKILL)


def address(folder: Path, number: int, process: subprocess.Popen[bytes]) -> str:
    while True:
        found = re.search(r"(http://\S+)/api/ai/chat", (folder / f"out{number}.txt").read_text())
        if found:
            return found[1]
        assert process.poll() is None, (folder / f"err{number}.txt").read_text()


class Callers:
    """Users of several servers, and the books of all."""

    def __init__(self, urls: list[str], folder: Path, ledger: StoredLedger, session: aiohttp.ClientSession) -> None:
        self.urls = urls
        self.secret = development_secret(folder)
        self.ledger = ledger
        self.session = session

    async def grant(self, user: str, credits: int) -> None:
        change = Grant(kind="bonus", amount_micro=credits * CREDIT)
        act = Act(key=node_id(), actor="test", reason="", owner=Principal("local", user), change=change)
        await self.ledger.act(act, Terms())

    async def call(self, user: str, number: int, **headers: str) -> tuple[int, Any]:
        """One call, to one server after the other."""
        token = sign(self.secret, user, now_s=SystemClock().wall_s(), ttl_s=600)
        url = f"{self.urls[number % len(self.urls)]}/api/ai/chat"
        given = {"authorization": f"Bearer {token}", **headers}
        async with self.session.post(url, json={"prompt": "Hola"}, headers=given) as reply:
            return reply.status, await reply.json()


@contextmanager
def configured(folder: Path, text: str) -> Iterator[None]:
    (folder / "relevo.toml").write_text(text.replace(PASSWORD, "${PG_PASSWORD}"))
    (folder / ".env").write_text(f"PG_PASSWORD={PASSWORD}\n")
    development_secret(folder)
    yield


async def books(url: str) -> tuple[PostgresStore, StoredLedger]:
    store = PostgresStore(url)
    await store.start()
    return store, StoredLedger(store)


@pytest.mark.parametrize("count", [1, 3])
async def test_fifty_at_once_with_money_for_ten(
    tmp_path: Path, postgres: PostgresServer, database: str, count: int
) -> None:
    """Exactly ten reach a provider, whichever process they come to; nothing is left over or owed."""
    store, ledger = await books(postgres.url(database))
    async with upstream(streamed()) as provider, aiohttp.ClientSession() as session:
        with (
            configured(tmp_path, config(provider.base_url, postgres.url(database))),
            processes(tmp_path, count) as urls,
        ):
            callers = Callers(urls, tmp_path, ledger, session)
            for round_ in range(examples(20)):
                user, before = f"user{round_}", len(provider.received)
                await callers.grant(user, 200)
                answers = await asyncio.gather(*(callers.call(user, number) for number in range(50)))

                assert sorted(status for status, _ in answers) == [200] * 10 + [402] * 40
                assert len(provider.received) - before == 10
                balance = await ledger.balance(Principal("local", user), Terms())
                assert (balance.balance_micro, balance.held_micro) == (0, 0)
    audit = await ledger.audit()
    assert (audit.differences, audit.open_holds) == ((), 0)
    await store.aclose()


async def test_keys_and_limits_are_shared(tmp_path: Path, postgres: PostgresServer, database: str) -> None:
    """One idempotency key is one call whichever process it comes to; a user's limits count everywhere."""
    store, ledger = await books(postgres.url(database))
    limits = "user_requests_per_minute = 30\nuser_concurrency = 4\n"
    async with upstream([0.3, *streamed()]) as provider, aiohttp.ClientSession() as session:
        with (
            configured(tmp_path, config(provider.base_url, postgres.url(database), limits)),
            processes(tmp_path, 3) as urls,
        ):
            callers = Callers(urls, tmp_path, ledger, session)
            await callers.grant("ana", 1000)
            calls = [callers.call("ana", number, **{"idempotency-key": "k"}) for number in range(4)]
            first = await asyncio.gather(*calls)
            again = [await callers.call("ana", number, **{"idempotency-key": "k"}) for number in range(3)]
            assert {status for status, _ in first} == {200, 409}
            bodies = [body for status, body in (*first, *again) if status == 200]
            assert all(body == bodies[0] for body in bodies)
            assert len(bodies) >= 4
            assert len(provider.received) == 1

            await callers.grant("bob", 1000)
            together = await asyncio.gather(*(callers.call("bob", number) for number in range(12)))
            assert sorted(status for status, _ in together) == [200] * 4 + [429] * 8
            provider.scripts = [streamed()]
            later = [(await callers.call("bob", number))[0] for number in range(30)]
            assert 24 <= later.count(200) <= 27  # 30 a minute, less the 4 before; time goes on meanwhile
    await store.aclose()


async def test_what_a_killed_process_held_is_free_again_in_time(
    tmp_path: Path, postgres: PostgresServer, database: str
) -> None:
    """Kill -9 with a hold open: within 30 s another process has released it, and its user can call again."""
    store, ledger = await books(postgres.url(database))
    servers: list[subprocess.Popen[bytes]] = []
    async with upstream([HANG]) as provider, aiohttp.ClientSession() as session:
        text = config(provider.base_url, postgres.url(database)) + "[timeouts]\nfirst_token_s = 60\n"
        with configured(tmp_path, text), processes(tmp_path, 2, servers) as urls:
            callers = Callers(urls, tmp_path, ledger, session)
            await callers.grant("ana", 20)
            lost = asyncio.ensure_future(callers.call("ana", 0))
            while not provider.received:
                await asyncio.sleep(0.01)
            servers[0].kill()
            with pytest.raises(aiohttp.ClientError):
                await lost
            provider.scripts = [streamed()]
            died_at = time.monotonic()
            assert (await callers.call("ana", 1))[0] == 402
            while (status := (await callers.call("ana", 1))[0]) == 402:
                assert time.monotonic() - died_at < 30
                await asyncio.sleep(0.2)
            assert status == 200
    audit = await ledger.audit()
    assert (audit.differences, audit.open_holds, audit.houses["sales"]) == ((), 0, 20 * CREDIT)
    await store.aclose()
