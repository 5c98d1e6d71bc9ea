"""Connections that are open: those that wait for the next exchange, by origin, and those under way."""

import asyncio
from typing import Final

from relevo.core.errors import Fault, UpstreamError
from relevo.upstream.connection import Connection
from relevo.upstream.request_head import Origin

IDLE_S_MAX: Final = 15.0
"""Providers close theirs after 60 s or more, proxies before them sooner: whoever waits less is not surprised."""
IDLE_MAX: Final = 256
"""Of one origin."""


class Pool:
    """Hands out the connection that was used last, so that the others grow old and go."""

    def __init__(self, idle_s: float = IDLE_S_MAX) -> None:
        """Args: idle_s: how long a connection may wait for its next exchange."""
        self._idle_s = idle_s
        self._idle: dict[Origin, list[Connection]] = {}
        """The one that has waited longest comes first."""
        self._open: dict[Connection, Origin] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._emptied = asyncio.Event()
        self._closed = False

    @property
    def open_count(self) -> int:
        """Connections, idle or under way."""
        return len(self._open)

    @property
    def idle_count(self) -> int:
        """Connections that wait for an exchange."""
        return sum(len(waiting) for waiting in self._idle.values())

    def add(self, origin: Origin, connection: Connection) -> None:
        """A new connection, under way from the start. Raises as `check_open`."""
        self._open[connection] = origin
        connection.owner = self
        if self._closed:
            connection.abort()
        self.check_open()

    def check_open(self) -> None:
        """Raises UpstreamError, CONNECT_FAILED, once this is closed."""
        if self._closed:
            raise UpstreamError(Fault.CONNECT_FAILED, detail="closed by us")

    def take(self, origin: Origin) -> Connection | None:
        """A connection that was open when last heard of."""
        waiting = self._idle.get(origin, ())
        while waiting:
            connection = waiting.pop()
            if connection.is_open:
                return connection
        return None

    def keep(self, connection: Connection) -> None:
        """See `relevo.upstream.connection.Owner`."""
        if self._closed:
            connection.abort()
            return
        waiting = self._idle.setdefault(self._open[connection], [])
        if len(waiting) >= IDLE_MAX:
            waiting.pop(0).abort()
        loop = asyncio.get_running_loop()
        connection.idle_since_s = loop.time()
        waiting.append(connection)
        if self._timer is None:
            self._timer = loop.call_later(self._idle_s, self._sweep)

    def lost(self, connection: Connection) -> None:
        """See `relevo.upstream.connection.Owner`."""
        origin = self._open.pop(connection)
        waiting = self._idle.get(origin)
        if waiting and connection in waiting:
            waiting.remove(connection)
        if not self._open:
            self._emptied.set()

    async def aclose(self) -> None:
        """Close all of them, those under way too, and return when the sockets are closed."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._idle.clear()
        self._emptied.clear()
        for connection in list(self._open):
            connection.abort()
        if self._open:
            await self._emptied.wait()

    def _sweep(self) -> None:
        """Close who has waited too long; one timer serves all."""
        loop = asyncio.get_running_loop()
        self._timer = None
        since_s = loop.time() - self._idle_s
        oldest_s = None
        for origin, waiting in list(self._idle.items()):
            while waiting and waiting[0].idle_since_s <= since_s:
                waiting.pop(0).abort()
            if not waiting:
                del self._idle[origin]
            elif oldest_s is None or waiting[0].idle_since_s < oldest_s:
                oldest_s = waiting[0].idle_since_s
        if oldest_s is not None:
            self._timer = loop.call_at(oldest_s + self._idle_s, self._sweep)
