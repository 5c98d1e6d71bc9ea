"""What idle streams cost: memory each, and what they add to the time of plain calls on the same server.

    .venv/bin/python bench/idle_streams.py
    .venv/bin/python bench/idle_streams.py --streams 1000 --seconds 10

Three processes: a provider that says a word and then thinks until it is told to go on, a relevo, and this one,
which is the callers. Plain calls come at a fixed rate, whether or not the one before has been answered, and count
from the moment at which they were due. Measured before, with, and after the streams, in one run. It ends by itself.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import uvloop

from load import await_listening
from machine import PLAIN_ENVIRONMENT
from processes import BrokenRunError, Program

_BIN: Final = Path(sys.executable).parent
_TASKS: Final = 10
"""Targets that share the streams: one target is asked for 1,000 answers at a time at most."""
_OPENING_AT_ONCE: Final = 100
_SETTLE_S: Final = 20.0
"""Longer than the time between two comments of a stream."""
_USAGE: Final = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class Provider(asyncio.Protocol):
    """One connection to the provider: a plain answer at once, or a stream whose end is commanded by `GET /go`."""

    thinking: Final[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        self._transport = transport
        self._got = b""

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        length = next((int(f[15:]) for f in head.lower().split(b"\r\n") if f.startswith(b"content-length:")), 0)
        if not end or len(body) < length:
            return
        self._got = body[length:]
        if head.startswith(b"GET /go "):
            for transport in self.thinking:
                transport.write(
                    _event({"choices": [_choice({"content": "la"}, "stop")], "usage": _USAGE}) + b"data: [DONE]\n\n"
                )
                transport.close()
            self._answer({})
        elif b'"stream":true' in body.replace(b" ", b""):
            self._transport.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
            )
            self._transport.write(_event({"choices": [_choice({"content": "ho"}, None)]}))
            self.thinking.add(self._transport)
        else:
            message = {"role": "assistant", "content": "hola"}
            self._answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": _USAGE})

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """See `asyncio.Protocol`."""
        self.thinking.discard(self._transport)

    def _answer(self, fields: dict[str, object]) -> None:
        body = json.dumps(fields).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


def _choice(delta: dict[str, str], finish: str | None) -> dict[str, object]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _event(fields: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


class Stream(asyncio.Protocol):
    """One caller of a stream, who keeps no more of it than its last bytes."""

    def __init__(self, request: bytes, begun: asyncio.Event) -> None:
        self._request = request
        self._begun = begun
        self.last = b""
        self.comments = 0
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See `asyncio.Protocol`."""
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.last = (self.last + data)[-100:]
        self.comments += data.count(b":\n\n")
        if b'"delta"' in data:
            self._begun.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """See `asyncio.Protocol`."""
        self._begun.set()
        self.ended.set()


@dataclass(frozen=True, slots=True)
class Server:
    """The relevo under measurement."""

    port: int
    token: str
    program: Program

    async def open_streams(self, count: int) -> list[Stream]:
        """So many streams, each with its first word there."""
        places = asyncio.Semaphore(_OPENING_AT_ONCE)

        async def one(number: int) -> Stream:
            body = json.dumps({"prompt": "think", "stream": True, "taskType": f"S{number % _TASKS}"}).encode()
            head = (
                f"POST /api/ai/chat HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self.token}\r\n"
                f"connection: close\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            begun = asyncio.Event()
            async with places:
                loop = asyncio.get_running_loop()
                _, stream = await loop.create_connection(
                    lambda: Stream(head.encode() + body, begun), "127.0.0.1", self.port
                )
                await begun.wait()
            return stream

        return await asyncio.gather(*[one(number) for number in range(count)])

    async def plain_calls(self, rate: int, seconds: float) -> list[float]:
        """Milliseconds of each call, at a fixed rate."""
        headers = {"authorization": f"Bearer {self.token}"}
        url, took = f"http://127.0.0.1:{self.port}/api/ai/chat", []
        async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

            async def one(due_s: float) -> None:
                async with session.post(url, json={"prompt": "Hola", "taskType": "P"}) as answer:
                    text = await answer.text()
                    if answer.status != 200:
                        raise BrokenRunError(f"status {answer.status}: {text[:500]}")
                took.append((time.monotonic() - due_s) * 1000)

            since_s, calls = time.monotonic(), []
            for number in range(round(rate * seconds)):
                due_s = since_s + number / rate
                await asyncio.sleep(max(0.0, due_s - time.monotonic()))
                calls.append(asyncio.ensure_future(one(due_s)))
            await asyncio.gather(*calls)
        return took


async def measure(server: Server, provider_port: int, options: argparse.Namespace) -> None:
    """Before, with and after the streams."""
    await server.plain_calls(options.rate, min(5.0, options.seconds))
    before = await server.plain_calls(options.rate, options.seconds)
    rss_before_mb = server.program.rss_mb()
    since_s = time.monotonic()
    streams = await server.open_streams(options.streams)
    print(f"{len(streams)} streams are open after {time.monotonic() - since_s:.1f} s", flush=True)
    await asyncio.sleep(_SETTLE_S)
    rss_with_mb = server.program.rss_mb()
    during = await server.plain_calls(options.rate, options.seconds)
    lost = sum(stream.ended.is_set() for stream in streams)
    silent = sum(not stream.comments for stream in streams)
    async with aiohttp.ClientSession() as session:
        await (await session.get(f"http://127.0.0.1:{provider_port}/go")).read()
    await asyncio.gather(*[stream.ended.wait() for stream in streams])
    cut = sum(b"data: [DONE]" not in stream.last for stream in streams)
    await asyncio.sleep(2)
    after = await server.plain_calls(options.rate, options.seconds)
    if lost or silent or cut:
        raise BrokenRunError(
            f"of {len(streams)} streams {lost} were lost, {silent} had no comment, {cut} were not whole"
        )
    print(
        f"memory: {rss_before_mb:.1f} MB before, {rss_with_mb:.1f} MB with, {server.program.rss_mb():.1f} MB after"
    )
    print(f"memory of a stream: {(rss_with_mb - rss_before_mb) * 1000 / len(streams):.1f} KB")
    print(f"{options.rate} plain calls a second   p50 ms   p99 ms   max ms")
    for name, took in (("before", before), ("with", during), ("after", after)):
        print(f"  {name:24} {statistics.median(took):8.2f} {_p99(took):8.2f} {max(took):8.2f}")
    print(f"added p99: {_p99(during) - statistics.mean((_p99(before), _p99(after))):.2f} ms")


def _p99(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=100)[98]


def config(provider_port: int) -> str:
    tasks = "".join(
        f'[tasks.{name}]\ntargets = [{{ provider = "mock", model = "{name}", stream_upstream = {piecewise} }}]\n'
        for name, piecewise in (("P", "false"), *((f"S{number}", "true") for number in range(_TASKS)))
    )
    return (
        f'[providers.mock]\ndialect = "openai_chat"\nbase_url = "http://127.0.0.1:{provider_port}/v1"\n{tasks}'
        "[timeouts]\nidle_s = 3600\ntotal_s = 3600\n"
        "[limits]\nuser_requests_per_minute = 0\nuser_concurrency = 0\nrequests_in_flight = 0\n"
    )


async def provide(port: int) -> None:
    """Be the provider."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


def run(options: argparse.Namespace, folder: Path) -> None:
    """Start all three, measure, and stop them."""
    port, provider_port = options.port, options.port + 1
    (folder / "relevo.toml").write_text(config(provider_port))
    environment, programs = dict(PLAIN_ENVIRONMENT), []
    try:
        own = (sys.executable, __file__, "--provide", str(provider_port))
        programs.append(Program(own, environment=environment, directory=folder, log=folder / "provider.txt"))
        await_listening(provider_port, programs[0])
        served = (str(_BIN / "relevo"), "serve", "--port", str(port))
        programs.append(Program(served, environment=environment, directory=folder, log=folder / "relevo.txt"))
        await_listening(port, programs[1])
        command = (str(_BIN / "relevo"), "token", "--user", "ana")
        token = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=True
        ).stdout
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(measure(Server(port, token.strip(), programs[1]), provider_port, options))
    finally:
        for program in reversed(programs):
            program.stop()


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--streams", type=int, default=5000)
    arguments.add_argument("--rate", type=int, default=100, help="plain calls a second")
    arguments.add_argument("--seconds", type=float, default=20, help="of each of the three measurements")
    arguments.add_argument("--port", type=int, default=18_790, help="of relevo; the provider has the next one")
    arguments.add_argument("--provide", type=int, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    if options.provide:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(provide(options.provide))
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(options, Path(folder))
        except BrokenRunError as error:
            print(f"no figures: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
