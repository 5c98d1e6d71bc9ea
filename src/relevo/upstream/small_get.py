"""Fetches a small public document whole, such as an issuer's keys: bounded in size and time, never redirected."""

import asyncio
from typing import Final

from relevo.core.errors import Fault, Phase, UpstreamError
from relevo.upstream.base import Transport, WireReply

_TIMEOUT_S: Final = 5.0
_BODY_BYTES_MAX: Final = 256 * 1024
_HEADERS: Final = (("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", "relevo"))
_OK: Final = 200


class SmallGet:
    """GETs a URL. A redirect is an answer that is not 200, and is not followed."""

    def __init__(
        self, transport: Transport, *, timeout_s: float = _TIMEOUT_S, bytes_max: int = _BODY_BYTES_MAX
    ) -> None:
        """Args: timeout_s: for the whole exchange. bytes_max: of the body."""
        self._transport = transport
        self._bytes_max = bytes_max
        self._timeout_s = timeout_s

    async def __call__(self, url: str) -> tuple[bytes, str]:
        """Body and Cache-Control of a 200.

        Raises:
            UpstreamError: Anything else, with a `detail` in our words.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._get(url)
        except TimeoutError:
            raise UpstreamError(Fault.TOTAL_TIMEOUT, detail=f"no whole answer in {self._timeout_s:g} s") from None

    async def _get(self, url: str) -> tuple[bytes, str]:
        reply = await self._transport.get(url, _HEADERS, _ignore)
        try:
            body = await _read(reply, self._bytes_max)
        except BaseException:
            reply.abort()
            raise
        reply.release()
        return body, reply.header("cache-control")


async def _read(reply: WireReply, bytes_max: int) -> bytes:
    if reply.http_status != _OK:
        status = reply.http_status
        raise UpstreamError(Fault.UNEXPECTED_STATUS, detail=f"status {status}", http_status=status)
    body = bytearray()
    while chunk := await reply.read():
        body += chunk
        if len(body) > bytes_max:
            raise UpstreamError(Fault.REPLY_TOO_LARGE, detail=f"over {bytes_max // 1024} KiB")
    return bytes(body)


def _ignore(_phase: Phase) -> None:
    """How far the exchange has come is of no interest here: one clock is over all of it."""
