"""The scripted provider: a real HTTP/1.1 server on a loopback socket that does what a test says."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from relevo.core.clock import Clock, SystemClock
from relevo.testing.answers import model_list
from relevo.testing.certificates import Tls, identity
from relevo.testing.script import Answer, Hang, Received, Script, script_for
from relevo.testing.wire import Sleep, Wire

_LOOPBACK: Final = "127.0.0.1"
_FILLERS: Final = 4
_BEFORE_TLS: Final[dict[Tls | None, Script]] = {
    "stall": [Hang()],
    "old": [b"\x15\x03\x02\x00\x02\x02\x46"],  # the fatal alert protocol_version, RFC 4346 section 7.2
}
"""What is played in place of a TLS handshake."""


class ScriptedUpstream:
    """Answers each request with the next answer, and the last one for ever after.

    Requests for the list of models are free probes: they are answered by `models`, use up no answer and are
    kept apart. Enter it inside a running event loop; on leaving, every connection is closed, and what an answer
    raised is raised.

    Args:
        answers: Scripts, or functions that choose one. Without any, a request is met by a closed connection.
        models: What `GET …/models` gets.
        tls: Serve by TLS, with a certificate of this kind.
        clock: Where the times of requests and departures come from.
        sleep: How pauses are waited for.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        *answers: Answer,
        models: Answer | None = None,
        tls: Tls | None = None,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
        port: int = 0,
    ) -> None:
        self.scripts: list[Answer] = list(answers)
        self.models: Answer = model_list() if models is None else models
        self.port = port
        self.ca_pem = ""
        """What a client must trust to believe a `trusted` server."""
        self.received: list[Received] = []
        self.probes: list[Received] = []
        self.connections = 0
        """How many connections were ever accepted."""
        self.left = asyncio.Event()
        """Set when a client closed its connection before the script was over."""
        self.departures: list[float] = []
        """When that was, on the clock of `Received.at_s`."""
        self._tls = tls
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._started_s = 0.0
        self._open: dict[Wire, asyncio.Task[None]] = {}
        self._failures: list[Exception] = []
        self._ending = False

    @property
    def base_url(self) -> str:
        """What a provider's `base_url` in relevo.toml becomes."""
        return f"{'https' if self._tls else 'http'}://{_LOOPBACK}:{self.port}/v1"

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._open)

    async def __aenter__(self) -> Self:
        context = None
        if self._tls:
            made = identity(self._tls, self._clock.wall_s())
            self.ca_pem = made.ca_pem
            context = made.context if self._tls not in _BEFORE_TLS else None
        loop = asyncio.get_running_loop()
        self._started_s = self._clock.now_s()
        self._server = await loop.create_server(
            lambda: Wire(self._serve, self._sleep), _LOOPBACK, self.port, ssl=context
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending = True
        self._server.close()
        still_open = dict(self._open)
        for task in still_open.values():
            task.cancel()
        await asyncio.gather(*still_open.values(), return_exceptions=True)
        for wire in still_open:
            wire.writer.transport.abort()
        if self._failures and error is None:
            raise self._failures[0]

    def answer(self, request: Received) -> Script:
        """The script for this request; it is on record from now on."""
        if request.is_probe:
            self.probes.append(request)
            return script_for(self.models, request)
        self.received.append(request)
        if not self.scripts:
            return []
        answer = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        return script_for(answer, request)

    def _now_s(self) -> float:
        return self._clock.now_s() - self._started_s

    async def _serve(self, wire: Wire) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a connection is served in a task of its own
        self._open[wire] = task
        self.connections += 1
        try:
            await self._exchanges(wire)
        except asyncio.CancelledError:
            if not self._ending:  # Python 3.11 writes a traceback for every connection's task that is cancelled
                raise
        except ConnectionError:
            self.departures.append(self._now_s())
            self.left.set()
        except Exception as error:  # noqa: BLE001 - told to whoever wrote the answer, when the block ends
            self._failures.append(error)
        finally:
            del self._open[wire]
            wire.writer.close()

    async def _exchanges(self, wire: Wire) -> None:
        if self._tls in _BEFORE_TLS:
            await wire.hello()
            await wire.play(_BEFORE_TLS[self._tls])
            return
        nth = 1
        while raw := await wire.request():
            now_s, wall_s = self._now_s(), self._clock.wall_s()
            request = Received(raw.method, raw.target, raw.headers, raw.body, now_s, wall_s, nth)
            if not await wire.play(self.answer(request)):
                return
            nth += 1


@contextlib.contextmanager
def refused_url(port: int = 0) -> Iterator[str]:
    """A `base_url` at which nothing listens; its port is kept from others until the end of the block."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((_LOOPBACK, port))
        yield f"http://{_LOOPBACK}:{held.getsockname()[1]}/v1"


@contextlib.contextmanager
def blackhole_url(port: int = 0) -> Iterator[str]:
    """A `base_url` whose connections are never made: the queue of its socket is full. On Linux."""
    with contextlib.ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_LOOPBACK, port))
        listening.listen(0)
        for _ in range(_FILLERS):
            filler = sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield f"http://{_LOOPBACK}:{listening.getsockname()[1]}/v1"
