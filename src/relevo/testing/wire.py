"""One connection of a scripted provider: reads requests off the socket and plays scripts onto it."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, cast

from relevo.testing.script import (
    Close,
    Drip,
    HalfClose,
    Hang,
    KeepAlive,
    Repeat,
    Reset,
    Script,
    Step,
    Wait,
)

_HEAD_BYTES_MAX: Final = 1 << 20
_FLUSH_S: Final = 0.001
_LINGER_NONE: Final = struct.pack("ii", 1, 0)

Sleep = Callable[[float], Awaitable[None]]


class ClientLeft(ConnectionError):
    """The other side closed its connection before the script was over."""


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request as it was on the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Wire(asyncio.StreamReaderProtocol):
    """A stream that knows at any time whether its other side has left, also while a script only waits."""

    def __init__(self, serve: Callable[["Wire"], Awaitable[None]], sleep: Sleep) -> None:
        self._serve = serve
        self._sleep = sleep
        self._gone = asyncio.Event()
        super().__init__(asyncio.StreamReader(limit=_HEAD_BYTES_MAX), self._opened)

    async def _opened(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        await self._serve(self)

    def eof_received(self) -> bool | None:
        """See `asyncio.Protocol.eof_received`."""
        self._gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BaseProtocol.connection_lost`."""
        self._gone.set()
        super().connection_lost(exc)

    async def request(self) -> RawRequest | None:
        """The next request; None when the other side closed, or what came is no HTTP/1.1."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            line, *rows = head.decode("latin-1").split("\r\n")
            method, target, _ = line.split(" ")
            headers: dict[str, str] = {}
            for name, colon, value in (row.partition(":") for row in rows):
                if colon:
                    key = name.strip().lower()
                    headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
            if headers.get("expect", "").lower() == "100-continue":
                self.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return RawRequest(method, target, headers, await self._body(headers))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            return None

    async def _body(self, headers: dict[str, str]) -> bytes:
        if "chunked" not in headers.get("transfer-encoding", ""):
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int((await self.reader.readline()).partition(b";")[0], 16):
            body += await self.reader.readexactly(size)
            await self.reader.readline()
        while (await self.reader.readline()).strip():  # trailers
            pass
        return body

    async def play(self, script: Script) -> bool:
        """Do every step. True where the connection is to be kept for the next request.

        Raises:
            ConnectionError: The other side left before the script was over.
        """
        for step in script:
            match step:
                case bytes():
                    await self._send(step)
                case Repeat():
                    await self._repeat(step)
                case Drip():
                    for at in range(0, len(step.data), step.size):
                        await self._pause(step.gap_s if at else 0)
                        await self._send(step.data[at : at + step.size])
                case Reset() | Close() | KeepAlive():
                    return await self._end(step)
                case HalfClose():
                    if self.writer.can_write_eof():  # TLS has no half of a connection
                        self.writer.write_eof()
                case Wait():
                    await self._while_there(step.event.wait())
                case Hang():
                    await self._gone.wait()
                    raise ClientLeft
                case _:
                    await self._pause(step)
        return False

    async def hello(self) -> None:
        """Read a client's first TLS record, and do nothing with it. Raises `ClientLeft`."""
        try:
            head = await self.reader.readexactly(5)
            await self.reader.readexactly(int.from_bytes(head[3:]))
        except asyncio.IncompleteReadError as error:
            raise ClientLeft from error

    async def _end(self, step: Step) -> bool:
        if isinstance(step, Reset):
            transport = self.writer.transport  # its abort throws away what is not yet handed to the kernel
            while transport.get_write_buffer_size() and not self._gone.is_set():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(_FLUSH_S)
            plain = cast("socket.socket", self.writer.get_extra_info("socket"))
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            transport.abort()
        return isinstance(step, KeepAlive)

    async def _send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()
        await asyncio.sleep(
            0
        )  # a loop may gather the writes of one turn; and an endless script must let others run

    async def _repeat(self, step: Repeat) -> None:
        sent = 0
        while step.times is None or sent < step.times:
            await self._send(step.data)
            await self._pause(step.gap_s)
            sent += 1

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await self._while_there(self._sleep(seconds))

    async def _while_there(self, waiting: Awaitable[object]) -> None:
        """Wait, but no longer than the other side does."""
        tasks = [asyncio.ensure_future(waiting), asyncio.ensure_future(self._gone.wait())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        if not tasks[0].done() or tasks[0].cancelled():
            raise ClientLeft
        tasks[0].result()
