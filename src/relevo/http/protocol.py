"""uvicorn's HTTP/1.1 protocol with the bounds that it lacks: the size and time of a head, and a reader's patience.

Without them a stranger without a token can fill the memory with headers, or hold connections open with half of
one (measured on uvicorn 0.54: neither has a limit); and who asks for much and reads nothing keeps it all in memory.

A connection carries one request at a time. uvicorn queues what comes before its turn, stops reading until then, and
so does not see that the caller has left (0.54, `on_headers_complete`). Here it is dropped, and the answer under way
is the connection's last (RFC 9112, 9.3.2: whoever sends ahead must be ready to send again).
"""

import asyncio
import socket
import struct
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 65_536
HEAD_FIELDS_MAX: Final = 100
HEAD_S_MAX: Final = 10.0
STALL_S_MAX: Final = 30.0
"""How long a caller may let an answer lie that it does not read."""
UNREAD_BYTES_MAX: Final = 65_536
"""What waits for a slow reader in our memory; beyond it its provider waits."""
_RESET: Final = struct.pack("ii", 1, 0)
"""`struct linger`: on, and no time."""


class HeadTooLarge(httptools.HttpParserError):
    """A request line and headers beyond their bounds; uvicorn answers 400 and closes."""


class AheadOfTurn(httptools.HttpParserError):
    """A request whose first bytes came together with the last ones of the request before it."""


class BoundedHttp(HttpToolsProtocol):
    """One connection of a caller."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._in_head = True
        self._head_bytes = 0
        """Bytes that arrived for the head, complete fields or not."""
        self._parsed = 0
        """Bytes of its request line and of its complete fields."""
        self._head_fields = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A caller has connected and has a bounded time to say what it wants."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNREAD_BYTES_MAX)
        self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._disarm()
        self._calm()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller does not read as fast as we write. It has a bounded time to catch up."""
        super().pause_writing()
        self._calm()
        self._stall_timer = self.loop.call_later(STALL_S_MAX, self._cut)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._calm()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Bytes arrived. Those of a head are counted, also while no field of it is complete."""
        if self._is_answering and self._in_head:
            if data.strip(b"\r\n"):  # empty lines between requests mean nothing (RFC 9112, 2.2)
                self.cycle.keep_alive = False
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._is_answering:
            self._arm()
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response("Request header too large.")

    def send_400_response(self, msg: str) -> None:
        """Close on what cannot be read; an answer under way is finished first, if its request could be."""
        if self._is_answering and self._in_head:
            self.cycle.keep_alive = False
        else:
            super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        if self._is_answering:
            raise AheadOfTurn
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """A piece of the request line."""
        self._bound(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole field."""
        self._head_fields += 1
        self._bound(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: its clock stops, and the counts begin anew for the next one."""
        self._in_head = False
        self._disarm()
        self._head_bytes = self._head_fields = self._parsed = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole: what comes next is the head of another."""
        self._in_head = True
        super().on_message_complete()

    @property
    def _is_answering(self) -> bool:
        has_begun = self.cycle is not None
        return has_begun and not self.cycle.response_complete

    def _bound(self, size: int) -> None:
        self._parsed += size
        if self._parsed > HEAD_BYTES_MAX or self._head_fields > HEAD_FIELDS_MAX:
            raise HeadTooLarge

    def _arm(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_S_MAX, self._give_up)

    def _disarm(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _calm(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _cut(self) -> None:
        """Reset the connection: a mere close would leave what is unread in the kernel for many minutes."""
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()

    def _give_up(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()
