"""From an origin to a working connection: its addresses in turn, then TLS, and in our words why not."""

import asyncio
import functools
import os
import ssl
from collections.abc import Iterator
from typing import Final

from relevo.core.errors import Fault, UpstreamError
from relevo.upstream.connection import Connection
from relevo.upstream.request_head import Origin
from relevo.upstream.resolver import Addresses, Resolver, is_address

_NEXT_ADDRESS_S: Final = 0.25
"""RFC 8305 (Happy Eyeballs), section 5: how long an address is tried alone."""
_TLS_S: Final = 5.0

_CERTIFICATE: Final = {
    9: "its TLS certificate is not valid yet",
    10: "its TLS certificate has expired",
    62: "its TLS certificate is for another host",
    64: "its TLS certificate is for another host",
}
"""OpenSSL's X509_V_ERR_… numbers: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ (2026-11-23)."""
_OLD_TLS: Final = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION"})


@functools.cache
def default_context() -> ssl.SSLContext:
    """The one TLS context of the process: certificates are verified, TLS 1.2 or later. Reads the system's roots."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


async def dial(origin: Origin, resolver: Resolver, context: ssl.SSLContext) -> Connection:
    """A new connection, over TLS where the origin says so.

    Raises:
        UpstreamError: HOST_UNKNOWN, CONNECT_FAILED or TLS_FAILED, with a `detail` in our words.
    """
    addresses: Addresses = (origin.host,) if is_address(origin.host) else await resolver.addresses(origin.host)
    try:
        transport, connection = await _connect(addresses, origin.port)
    except OSError as error:
        resolver.doubt(origin.host)
        raise UpstreamError(Fault.CONNECT_FAILED, detail=_tcp_reason(error)) from error
    if origin.is_tls:
        try:
            transport = await _start_tls(transport, connection, origin.host, context)
        except OSError as error:  # those of ssl are OSErrors too
            transport.abort()
            raise UpstreamError(Fault.TLS_FAILED, detail=_tls_reason(error)) from error
        except BaseException:
            transport.abort()
            raise
    connection.connection_made(transport)
    if not connection.is_open:
        raise UpstreamError(Fault.CONNECT_FAILED, detail="closed as soon as it was open")
    return connection


Dialled = tuple[asyncio.Transport, Connection]


async def _connect(addresses: Addresses, port: int) -> Dialled:
    """The first of the addresses that answers. The next one is tried when one fails, or is slow beside it."""
    if len(addresses) == 1:
        return await _connect_to(addresses[0], port)
    left: Iterator[str] = iter(addresses)
    running: set[asyncio.Task[Dialled]] = set()
    failure: BaseException | None = None
    try:
        while True:
            address = next(left, None)
            if address is not None:
                running.add(asyncio.ensure_future(_connect_to(address, port)))
            elif not running:
                raise failure or OSError
            wait_s = _NEXT_ADDRESS_S if address is not None else None
            done, _ = await asyncio.wait(running, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                if task.exception() is None:
                    return task.result()
                failure = failure or task.exception()
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close_late)


def _close_late(task: asyncio.Task[Dialled]) -> None:
    """An address that answered when another had already been taken."""
    if not task.cancelled() and task.exception() is None:
        task.result()[0].abort()


async def _connect_to(address: str, port: int) -> Dialled:
    return await asyncio.get_running_loop().create_connection(Connection, address, port)


async def _start_tls(
    transport: asyncio.Transport, connection: Connection, host: str, context: ssl.SSLContext
) -> asyncio.Transport:
    if not connection.is_open:  # who speaks first speaks no TLS; and uvloop would never return
        raise ssl.SSLError
    over = await asyncio.get_running_loop().start_tls(
        transport, connection, context, server_hostname=host, ssl_handshake_timeout=_TLS_S
    )
    if over is None:  # closed in the moment in which the handshake ended
        raise ConnectionResetError
    return over


def _tcp_reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "refused"
    return os.strerror(error.errno).lower() if error.errno else "no connection"


def _tls_reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE.get(error.verify_code, "its TLS certificate is not trusted")
    if isinstance(error, ssl.SSLError):
        return (
            "it speaks no TLS 1.2 or later"
            if getattr(error, "reason", "") in _OLD_TLS
            else "the TLS handshake failed"
        )
    if isinstance(error, ConnectionAbortedError):
        return f"no TLS handshake in {_TLS_S:g} s"
    return "closed during the TLS handshake"
