"""A server of bytes: says exactly what a test wrote, connection by connection, answer by answer."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from relevo.core.errors import Phase, UpstreamError
from relevo.upstream.base import Transport

HANG = object()
"""Say nothing more until the other side leaves."""
RESET = object()
"""Close with a TCP reset."""
CLOSE = object()
"""Close in good order, instead of waiting for the next request."""

Answer = list[Any]
"""Bytes, sent each in a write of its own, and the words above."""


@dataclass
class Wire:
    """A running server. Each connection plays the next list of answers, the last one for ever after."""

    plays: list[list[Answer]]
    port: int = 0
    scheme: str = "http"
    requests: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    """Number of the connection from 0, head, body."""
    connections: int = 0
    open: int = 0
    sent: int = 0
    """Bytes that the system took from it."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client closed on a HANG."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Until it is set, no body is read, where `waits` says so."""
    waits: bool = False

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}/v1/chat?x=1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = self.connections
        self.connections += 1
        self.open += 1
        try:
            for answer in self.plays[min(number, len(self.plays) - 1)]:
                head = await reader.readuntil(b"\r\n\r\n")
                if self.waits:
                    await self.go_on.wait()
                _, found, rest = head.lower().partition(b"content-length: ")
                body = await reader.readexactly(int(rest.partition(b"\r\n")[0])) if found else b""
                self.requests.append((number, head, body))
                if not await self._say(answer, reader, writer):
                    return
            await reader.read()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side left, or the test is over
        finally:
            self.open -= 1
            writer.close()

    async def _say(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        for piece in answer:
            if piece is HANG:
                await reader.read()
                self.left.set()
                return False
            if piece is CLOSE:
                return False
            if piece is RESET:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                return False
            writer.write(piece)
            await writer.drain()
            self.sent += len(piece)
            await asyncio.sleep(0)
        return True


@asynccontextmanager
async def wire(*plays: list[Answer], context: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Serve on loopback while the block runs."""
    server = Wire(list(plays), scheme="https" if context else "http")
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.go_on.set()
        listening.close()


@dataclass
class Outcome:
    """What came of one exchange."""

    phases: list[Phase] = field(default_factory=list)
    status: int | None = None
    body: bytes = b""
    error: UpstreamError | None = None
    headers: Callable[[str], str] = lambda _name: ""

    @property
    def seen(self) -> tuple[int | None, bytes]:
        return self.status, self.body


WITHIN_S = 5.0


async def exchange(transport: Transport, url: str, body: bytes = b"{}", *, within_s: float = WITHIN_S) -> Outcome:
    """POST, read the whole answer and give its connection back; what fails is told, not raised."""
    outcome = Outcome()
    async with asyncio.timeout(within_s):
        try:
            reply = await transport.open(url, (("accept-encoding", "identity"),), body, outcome.phases.append)
            outcome.status, outcome.headers = reply.http_status, reply.header
            try:
                while piece := await reply.read():
                    outcome.body += piece
            except BaseException:
                reply.abort()
                raise
            reply.release()
        except UpstreamError as error:
            outcome.error = error
    return outcome


async def until(condition: Callable[[], bool], *, within_s: float = WITHIN_S) -> None:
    """Wait for a state of things."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.001)
