"""A TCP proxy on loopback that swallows the reply to what it is told to wait for, and hangs up."""

import asyncio
import contextlib
from types import TracebackType
from typing import Self


class TcpProxy:
    """Between a client and a server. `lose_reply_to` takes effect once."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._words: bytes | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.lost = 0
        """Replies that were swallowed."""

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def lose_reply_to(self, words: bytes) -> None:
        """The next message with these words reaches the server; what it answers reaches nobody."""
        self._words = words

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=10)

    def _accept(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(client, to_client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers |= {to_client, to_server}
        silent = asyncio.Event()

        async def up() -> None:
            while data := await client.read(65536):
                if self._words is not None and self._words in data:
                    self._words = None
                    silent.set()
                to_server.write(data)

        async def down() -> None:
            while data := await server.read(65536):
                if silent.is_set():
                    self.lost += 1
                    break
                to_client.write(data)

        ways = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await way
        for writer in (to_client, to_server):
            self._writers.discard(writer)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
