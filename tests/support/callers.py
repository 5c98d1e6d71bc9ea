"""Many callers of a relevo that runs in a process of its own."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from support.gateway import Frames
from support.process import Served, served

SECRET = {"CANARY_KEY": "invented-for-a-child"}
NO_LIMITS = "[limits]\nuser_requests_per_minute = 0\nuser_concurrency = 0\n"
TASKS = """
[tasks.T]
targets = [{ provider = "a", model = "a-model", stream_upstream = true }]
"""


@contextmanager
def process(folder: Path, config: str, **options: Any) -> Iterator[Served]:
    (folder / "relevo.toml").write_text(config)
    with served(folder, environ=SECRET, **options) as server:
        yield server


@asynccontextmanager
async def client(server: Served) -> AsyncIterator[aiohttp.ClientSession]:
    """A caller with as many connections as it wants."""
    headers = {"authorization": f"Bearer {server.token}"}
    async with aiohttp.ClientSession(
        server.url, headers=headers, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(60)
    ) as session:
        yield session


async def stream(session: aiohttp.ClientSession, first: asyncio.Event | None = None, **fields: Any) -> Frames:
    """A stream to its end. `first` is set when content has come."""
    async with session.post("/api/ai/chat", json={"prompt": "Hola", **fields, "stream": True}) as answer:
        assert answer.status == 200, await answer.text()
        text = b""
        async for piece in answer.content.iter_any():
            text += piece
            if first is not None and b'"delta"' in text:
                first.set()
    return Frames.of(text.decode())


async def plain(session: aiohttp.ClientSession, **fields: Any) -> tuple[int, dict[str, Any]]:
    async with session.post("/api/ai/chat", json={"prompt": "Hola", **fields}) as answer:
        return answer.status, await answer.json()


async def until(condition: Callable[[], object], limit_s: float = 20) -> None:
    ends_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends_s
        await asyncio.sleep(0.01)


def status_of(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())
