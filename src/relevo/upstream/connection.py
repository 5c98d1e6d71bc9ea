"""One HTTP/1.1 connection to a provider: sends a request, takes the answer apart, and knows if it can go on.

The framing is llhttp's (httptools), without any of its leniencies: it refuses folded fields, CR, LF and NUL
in them, two lengths, a length beside chunks, and chunks that are not well formed. It is not told of the end
of the connection, so what that means for a body is decided here.
"""

import asyncio
from enum import IntEnum
from typing import Final, Protocol, cast

import httptools

from relevo.core.errors import Fault, UpstreamError

HEAD_BYTES_MAX: Final = 65_536
HEAD_FIELDS_MAX: Final = 200
UNREAD_BYTES_MAX: Final = 65_536
"""Above this the socket is not read, and TCP tells the provider to wait."""
PIECE_BYTES_MAX: Final = 16_384
"""Of a body at a time; others run in between. A fast provider brings 256 KB at once: some hundred ms of work."""
DRAIN_S_MAX: Final = 1.0
DRAIN_BYTES_MAX: Final = 65_536
_WRITE_BYTES: Final = 65_536
_CONTINUE: Final = 100
_SWITCHING: Final = 101
_OK: Final = 200
_BODILESS: Final = frozenset({204, 304})

Fields = list[tuple[bytes, bytes]]
"""Names in lower case and values, as they came."""


class State(IntEnum):
    """How far the exchange on a connection has come."""

    IDLE = 0
    HEAD = 1
    """The request is being sent, or the answer's head is awaited."""
    BODY = 2
    WHOLE = 3
    LOST = 4


class Owner(Protocol):
    """Who keeps connections between exchanges."""

    def keep(self, connection: "Connection") -> None:
        """An exchange has ended, and the connection can carry another."""

    def lost(self, connection: "Connection") -> None:
        """The connection is closed."""


class Connection(asyncio.Protocol):
    """Carries one exchange at a time: `send`, `head`, `read` until empty, `release`; or `abort` at any time."""

    __slots__ = (
        "_body", "_detail", "_drain", "_drained", "_is_sent", "_keeps", "_overhead", "_parser", "_paused",
        "_transport", "_until_eof", "_waiter", "_write_paused", "answered", "fields", "http_status", "idle_since_s",
        "owner", "state",
    )  # fmt: skip

    def __init__(self) -> None:
        self.state = State.IDLE
        self.http_status = 0
        self.fields: Fields = []
        self.answered = False
        """Whether a byte of the answer has arrived: only without one is a lost connection called stale."""
        self.idle_since_s = 0.0
        self.owner: Owner | None = None
        """None until the connection works."""
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._overhead = 0
        """Bytes since the last one of a body: bounds heads, chunk extensions and trailers alike."""
        self._waiter: asyncio.Future[None] | None = None
        self._drain: asyncio.TimerHandle | None = None
        self._drained = 0
        self._detail = ""
        self._is_sent = self._keeps = self._until_eof = self._paused = self._write_paused = False

    @property
    def is_open(self) -> bool:
        """Whether it can carry another exchange, as far as is known."""
        return self.state is State.IDLE and not self._transport.is_closing()

    async def send(self, head: bytes, body: bytes) -> None:
        """Send a request. An answer that comes before the request is sent ends the sending.

        Raises:
            UpstreamError: CONNECTION_LOST.
        """
        self.fields = []
        self.answered = self._is_sent = False
        self.http_status = self._overhead = 0
        if self.state is not State.IDLE:
            raise self._failure()
        self.state = State.HEAD
        if len(body) <= _WRITE_BYTES:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            view = memoryview(body)
            for start in range(0, len(body), _WRITE_BYTES):
                await self._until_writable()
                if self.state is not State.HEAD:
                    return
                self._transport.write(view[start : start + _WRITE_BYTES])
        self._is_sent = True
        await self._until_writable()

    async def head(self) -> None:
        """Wait until `http_status` and `fields` are there.

        Raises:
            UpstreamError: CONNECTION_LOST.
        """
        while self.state is State.HEAD:
            await self._wait()
        self._check_head()

    async def read(self) -> bytes:
        """A piece of the body, waiting for a first byte; empty at its end. Lets others run each time.

        Raises:
            UpstreamError: CONNECTION_LOST before the body's promised end, after what arrived until then.
        """
        if self._body:
            await asyncio.sleep(0)
        while not self._body:
            if self.state is State.WHOLE:
                return b""
            if self.state is State.LOST:
                raise self._failure()
            await self._wait()
        data = bytes(self._body[:PIECE_BYTES_MAX])
        del self._body[:PIECE_BYTES_MAX]
        if not self._body:
            self._resume()
        return data

    def release(self) -> None:
        """Give the connection back if the body is whole, or once the little that it lacks has arrived."""
        self._body.clear()
        if self.state is State.BODY:
            self._drained = 0
            self._drain = asyncio.get_running_loop().call_later(DRAIN_S_MAX, self.abort)
            self._resume()
        else:
            self._recycle()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._cancel_drain()
        self._refuse("closed by us")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`. Bytes that nobody asked for end the connection."""
        if not State.HEAD <= self.state <= State.BODY:
            self.abort()
            return
        self.answered = True
        self._overhead += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._refuse(
                "its answer is not HTTP/1.1" if self.state is State.HEAD else "its body's framing is broken"
            )
            return
        if self._overhead > HEAD_BYTES_MAX and self.state is not State.WHOLE:
            self._refuse(f"over {HEAD_BYTES_MAX} bytes around its body")
        elif len(self._body) > UNREAD_BYTES_MAX and not self._paused and self.state is State.BODY:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        """See `asyncio.Protocol`. The end of the connection is the end of a body that names no other."""
        if self.state is State.BODY and self._until_eof:
            self.state = State.WHOLE
            self._wake()
        else:
            self._lose("closed before its end" if self.state is State.BODY else "closed or reset")

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        if exc is None:
            self.eof_received()
        else:
            self._lose("reset before its end" if self.state is State.BODY else "closed or reset")
        self._cancel_drain()
        del self._parser  # it holds on to this object, which holds on to it
        if self.owner:
            self.owner.lost(self)

    def pause_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._write_paused = True

    def resume_writing(self) -> None:
        """See `asyncio.Protocol`."""
        self._write_paused = False
        self._wake()

    def on_message_begin(self) -> None:
        """See `httptools`: a head begins, awaited or not."""
        if self.state is not State.HEAD:
            raise httptools.HttpParserError("a second answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools`: a field of the head, or of trailers, which nobody reads."""
        if self.state is State.HEAD:
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """See `httptools`: a head is whole. Those of provisional answers (1xx but 101) are passed over."""
        status = self._parser.get_status_code()
        is_framed = status in _BODILESS
        size = 0
        for name, value in self.fields:
            size += len(name) + len(value)
            if name == b"content-length":
                is_framed = True
            elif name == b"transfer-encoding":
                is_framed = True
                if value.lower() != b"chunked":
                    self._refuse("a transfer-encoding other than chunked")
        if len(self.fields) > HEAD_FIELDS_MAX or size > HEAD_BYTES_MAX:
            self._refuse(f"over {HEAD_FIELDS_MAX} header fields or {HEAD_BYTES_MAX} bytes of them")
        elif status < _CONTINUE or status == _SWITCHING or self._parser.get_http_version() not in {"1.1", "1.0"}:
            self._refuse("its answer is not HTTP/1.1")
        if self.state is not State.HEAD:
            raise httptools.HttpParserError("refused")
        if status < _OK:
            self.fields = []
            return
        self.http_status = status
        self._keeps = self._parser.should_keep_alive()
        self._until_eof = not is_framed
        self.state = State.BODY

    def on_body(self, data: bytes) -> None:
        """See `httptools`: a piece of the body, of any size."""
        self._overhead = 0
        if self._drain is None:
            self._body += data
        else:
            self._drained += len(data)
            if self._drained > DRAIN_BYTES_MAX:
                raise httptools.HttpParserError("more than is worth reading away")

    def on_message_complete(self) -> None:
        """See `httptools`: the body, or a provisional answer, is whole."""
        if self.state is not State.BODY:
            return
        self.state = State.WHOLE
        if not self._is_sent or self._transport.get_write_buffer_size():
            self._keeps = False  # answered before the request was sent: the rest of it would still have to go out
        if self._drain is not None:
            self._recycle()
        elif not self._keeps:
            self._transport.abort()

    def _recycle(self) -> None:
        self._cancel_drain()
        if self.state is State.WHOLE and self._keeps and self.owner and not self._transport.is_closing():
            self.state = State.IDLE
            self.owner.keep(self)
        else:
            self.abort()

    def _refuse(self, detail: str) -> None:
        self._lose(detail)
        self._transport.abort()

    def _lose(self, detail: str) -> None:
        """Nothing more comes; a body that is whole stays so."""
        if self.state is not State.WHOLE and self.state is not State.LOST:
            self.state = State.LOST
            self._detail = detail
        self._wake()

    def _failure(self) -> UpstreamError:
        return UpstreamError(Fault.CONNECTION_LOST, detail=self._detail)

    async def _until_writable(self) -> None:
        while self._write_paused and self.state is State.HEAD:
            await self._wait()
        self._check_head()

    def _check_head(self) -> None:
        if self.state is State.LOST and not self.http_status:
            raise self._failure()

    async def _wait(self) -> None:
        """Until something has happened: an arrival, an end, or room to write."""
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _cancel_drain(self) -> None:
        if self._drain is not None:
            self._drain.cancel()
            self._drain = None
