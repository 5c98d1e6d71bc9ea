"""A transport on aiohttp, to compare ours with (docs/adr/2026-11-23-transport.md)."""

import asyncio
from types import SimpleNamespace
from typing import Any, Final

import aiohttp

from relevo.core.errors import Fault, Phase, UpstreamError
from relevo.upstream.base import OnPhase

_KEEPALIVE_S: Final = 15
"""Idle connections are closed after this time: most providers close theirs after 60 s or more."""
_CHUNK_BYTES: Final = 65_536
_DRAIN_S: Final = 1.0


class AiohttpReply:
    """See `relevo.upstream.base.WireReply`."""

    def __init__(self, response: aiohttp.ClientResponse, draining: set[asyncio.Task[None]]) -> None:
        self._response = response
        self._draining = draining
        self.http_status = response.status

    @property
    def content_type(self) -> str:
        """See `WireReply.content_type`."""
        return self._response.headers.get("content-type", "").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """See `WireReply.header`."""
        return ", ".join(self._response.headers.getall(name, ()))

    async def read(self) -> bytes:
        """See `WireReply.read`."""
        if self.header("content-encoding").strip().lower() not in ("", "identity"):
            raise UpstreamError(Fault.BAD_REPLY, detail="a compressed answer, though none was asked for")
        try:
            return await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise UpstreamError(Fault.CONNECTION_LOST, detail=type(error).__name__, repeatable=False) from error

    def release(self) -> None:
        """See `WireReply.release`. A stream's end marker comes just before the end of its body."""
        if self._response.content.at_eof():
            self._response.release()
            return
        task = asyncio.ensure_future(self._drain())
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                rest = await self._response.content.read(_CHUNK_BYTES)
                while rest and not self._response.content.at_eof():
                    rest = await self._response.content.read(_CHUNK_BYTES)
            self._response.release()
        except (TimeoutError, aiohttp.ClientError, OSError):
            self._response.close()

    def abort(self) -> None:
        """See `WireReply.abort`."""
        self._response.close()


class AiohttpTransport:
    """See `relevo.upstream.base.Transport`. Make it inside a running event loop."""

    def __init__(self) -> None:
        self._draining: set[asyncio.Task[None]] = set()
        """Strong references: the loop holds tasks weakly."""
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_connected)
        trace.on_request_chunk_sent.append(_sent)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[trace],
            skip_auto_headers=("user-agent",),
        )

    async def open(
        self, url: str, headers: tuple[tuple[str, str], ...], body: bytes, on_phase: OnPhase
    ) -> AiohttpReply:
        """See `Transport.open`."""
        return await self._request("POST", url, headers, body, on_phase)

    async def get(self, url: str, headers: tuple[tuple[str, str], ...], on_phase: OnPhase) -> AiohttpReply:
        """See `Transport.get`."""
        return await self._request("GET", url, headers, None, on_phase)

    async def _request(
        self,
        method: str,
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes | None,
        on_phase: OnPhase,
    ) -> AiohttpReply:
        try:
            response = await self._session.request(
                method, url, headers=headers, data=body, allow_redirects=False, trace_request_ctx=on_phase
            )
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise UpstreamError(_fault(error), detail=_reason(error)) from error
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UpstreamError(Fault.CONNECTION_LOST, detail=_reason(error)) from error
        on_phase(Phase.FIRST_EVENT)
        return AiohttpReply(response, self._draining)

    async def aclose(self) -> None:
        """See `Transport.aclose`."""
        for task in list(self._draining):
            task.cancel()
        await self._session.close()


async def _connected(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    context.trace_request_ctx(Phase.SEND)


async def _sent(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: Any) -> None:
    context.trace_request_ctx(Phase.HEADERS)


def _fault(error: BaseException) -> Fault:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Fault.HOST_UNKNOWN
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return Fault.TLS_FAILED
    return Fault.CONNECT_FAILED


def _reason(error: BaseException) -> str:
    """Why, in a few words that hold no URL and no header."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the host name is not known"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its TLS certificate is not trusted"
    if isinstance(error, aiohttp.ClientSSLError):
        return "the TLS handshake failed"
    if isinstance(error, aiohttp.ClientConnectorError):
        inner = error.os_error
        return inner.strerror.lower() if inner.strerror and "Connect call" not in str(inner.strerror) else "refused"
    return (
        "closed or reset" if isinstance(error, aiohttp.ServerDisconnectedError | OSError) else type(error).__name__
    )
