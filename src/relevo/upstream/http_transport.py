"""The transport: HTTP/1.1 over TCP and TLS with connections that are kept (docs/adr/2026-11-23-transport.md)."""

import asyncio
import ssl
from typing import Final

from relevo.core.errors import Fault, Phase, UpstreamError
from relevo.upstream.base import OnPhase
from relevo.upstream.connection import Connection
from relevo.upstream.dialing import default_context, dial
from relevo.upstream.pool import Pool
from relevo.upstream.request_head import Headers, Origin, place_of, request_head
from relevo.upstream.resolver import Resolver

_STALE_S_MAX: Final = 0.5
"""A kept connection that fails sooner than this had been closed before it could hear of the request: a journey
there and back. One that fails later may have been at work on it."""


class HttpReply:
    """See `relevo.upstream.base.WireReply`."""

    __slots__ = ("_connection", "_fields", "http_status")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        """None once it is given back: then it may carry the exchange of another."""
        self._fields = connection.fields
        self.http_status = connection.http_status

    @property
    def content_type(self) -> str:
        """See `WireReply.content_type`."""
        return self.header("content-type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """See `WireReply.header`."""
        wanted = name.encode("latin-1")
        return ", ".join([value.decode("latin-1") for field, value in self._fields if field == wanted])

    async def read(self) -> bytes:
        """See `WireReply.read`."""
        if self.header("content-encoding").strip().lower() not in {"", "identity"}:
            raise UpstreamError(Fault.BAD_REPLY, detail="a compressed answer, though none was asked for")
        if self._connection is None:
            return b""
        return await self._connection.read()

    def release(self) -> None:
        """See `WireReply.release`. A stream's end marker comes just before the end of its body."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.release()

    def abort(self) -> None:
        """See `WireReply.abort`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()


class HttpTransport:
    """See `relevo.upstream.base.Transport`. Follows no redirect, keeps no cookie, undoes no compression."""

    def __init__(
        self,
        *,
        resolver: Resolver | None = None,
        context: ssl.SSLContext | None = None,
        pool: Pool | None = None,
    ) -> None:
        """Args: context: for tests that are their own authority; else the verifying one of the process."""
        self._resolver = resolver or Resolver()
        self._context = context or default_context()
        self._pool = pool or Pool()

    @property
    def open_connections(self) -> int:
        """Connections to all providers, idle ones included."""
        return self._pool.open_count

    @property
    def idle_connections(self) -> int:
        """Connections that wait for their next exchange."""
        return self._pool.idle_count

    async def open(self, url: str, headers: Headers, body: bytes, on_phase: OnPhase) -> HttpReply:
        """See `Transport.open`."""
        return await self._request("POST", url, headers, body, on_phase)

    async def get(self, url: str, headers: Headers, on_phase: OnPhase) -> HttpReply:
        """See `Transport.get`."""
        return await self._request("GET", url, headers, None, on_phase)

    async def aclose(self) -> None:
        """See `Transport.aclose`. What is under way fails with CONNECTION_LOST."""
        await self._pool.aclose()

    async def _request(
        self, method: str, url: str, headers: Headers, body: bytes | None, on_phase: OnPhase
    ) -> HttpReply:
        place = place_of(url)
        origin, head = place.origin, request_head(method, place, headers, None if body is None else len(body))
        body = body or b""
        connection = self._pool.take(origin)
        if connection is not None:
            loop = asyncio.get_running_loop()
            begun_s = loop.time()
            try:
                return await _exchange(connection, head, body, on_phase)
            except UpstreamError:
                if connection.answered or loop.time() - begun_s > _STALE_S_MAX:
                    raise
        # The first, or in place of one that the provider had closed before it could hear of this request.
        return await _exchange(await self._dial(origin), head, body, on_phase)

    async def _dial(self, origin: Origin) -> Connection:
        self._pool.check_open()
        connection = await dial(origin, self._resolver, self._context)
        self._pool.add(origin, connection)
        return connection


async def _exchange(connection: Connection, head: bytes, body: bytes, on_phase: OnPhase) -> HttpReply:
    try:
        on_phase(Phase.SEND)
        await connection.send(head, body)
        on_phase(Phase.HEADERS)
        await connection.head()
        on_phase(Phase.FIRST_EVENT)
    except BaseException:
        connection.abort()
        raise
    return HttpReply(connection)
