"""Takes connections of one socket, as many as there are file descriptors for.

Left to itself uvloop takes connections until nothing is left for the calls to providers, and then takes and closes
every further one (measured on 0.22 with 64 descriptors). Here what finds no room waits in the kernel's queue.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final

_PAUSE_S: Final = 0.1
_AT_ONCE: Final = 64
"""Connections taken in a row before others get the loop."""


class Acceptor:
    """A listening socket of the loop that it is made in."""

    def __init__(
        self,
        listener: socket.socket,
        backlog: int,
        protocol: Callable[[], asyncio.Protocol],
        has_room: Callable[[int], bool],
    ) -> None:
        """Listens from now on.

        Args:
            listener: A bound socket, which is closed with this.
            backlog: Connections that wait in the kernel.
            protocol: Serves one connection.
            has_room: Whether one more may be taken, beside so many that have been taken and are not served yet.
        """
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._protocol = protocol
        self._has_room = has_room
        self._opening: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None
        listener.setblocking(False)
        listener.listen(backlog)
        self._resume()

    def close(self) -> None:
        """Take no more. See `asyncio.Server.close`."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    async def wait_closed(self) -> None:
        """See `asyncio.Server.wait_closed`."""

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listener, self._take)

    def _rest(self) -> None:
        self._loop.remove_reader(self._listener)
        self._pause = self._loop.call_later(_PAUSE_S, self._resume)

    def _take(self) -> None:
        for _ in range(_AT_ONCE):
            if not self._has_room(len(self._opening)):
                self._rest()
                return
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor, no memory: the connection waits in the kernel and would call at once
                self._rest()
                return
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await self._loop.connect_accepted_socket(self._protocol, connection)
        except OSError:  # it was gone before it was served
            connection.close()
