"""Connections are taken while there are descriptors for them, and wait while there are none."""

import asyncio
import errno
import resource
import socket

import pytest

from relevo.http.accept import Acceptor
from relevo.http.server import connections_max


class Poor(socket.socket):
    """A listener whose process has no descriptor left for the first few connections."""

    refusals = 3

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Hello(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello")
        transport.close()


async def test_a_connection_without_a_descriptor_waits_and_is_served() -> None:
    """The kernel keeps it; it is asked for again after a pause, not in a circle."""
    with Poor(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        acceptor = Acceptor(listener, 10, Hello, lambda _opening: True)
        since_s = asyncio.get_running_loop().time()
        reader, writer = await asyncio.open_connection(*listener.getsockname())

        assert await reader.read() == b"hello"
        assert asyncio.get_running_loop().time() - since_s >= 0.3
        writer.close()
        acceptor.close()


async def test_without_room_nobody_is_taken() -> None:
    """How many may be connected is asked before each, those included that are being opened."""
    asked: list[int] = []

    def has_room(opening: int) -> bool:
        asked.append(opening)
        return len(asked) > 2

    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        acceptor = Acceptor(listener, 10, Hello, has_room)
        reader, writer = await asyncio.open_connection(*listener.getsockname())

        assert await reader.read() == b"hello"
        assert asked[:4] == [0, 0, 0, 1]
        writer.close()
        acceptor.close()


@pytest.mark.parametrize(
    ("allowed", "expected"), [(64, 16), (1024, 496), (20_000, 9984), (20, 8), (resource.RLIM_INFINITY, 524_272)]
)
def test_every_caller_has_a_descriptor_for_its_provider(
    allowed: int, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of them, less those of the store, the log and the listeners."""
    monkeypatch.setattr(resource, "getrlimit", lambda _what: (allowed, allowed))

    assert connections_max() == expected
