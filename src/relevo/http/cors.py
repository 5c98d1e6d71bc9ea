"""CORS: exact origins only. A foreign origin gets no CORS headers, and the browser keeps the answer from it."""

from collections.abc import Collection
from typing import Final

from relevo.http.messages import Request, Response

_METHODS: Final = b"GET, POST, OPTIONS"
_EXPOSED: Final = (
    b"x-request-id, x-relevo-provider, x-relevo-attempts, x-credits-charged, x-credits-remaining, retry-after,"
    b" x-should-retry, idempotent-replayed"
)
_PREFLIGHT_S: Final = b"600"
_VARY: Final = (b"vary", b"Origin")


def cors_headers(request: Request, allowed_origins: Collection[str]) -> list[tuple[bytes, bytes]]:
    """The headers that let the calling page read the answer, if its origin may."""
    origin = request.header(b"origin")
    if not origin or origin not in allowed_origins:
        return [_VARY]
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", _EXPOSED),
        _VARY,
    ]


def preflight(request: Request, allowed_origins: Collection[str]) -> Response:
    """The answer to a browser that asks first. Echoes the headers it wants to send (SDKs add their own)."""
    origin = request.header(b"origin")
    if origin not in allowed_origins:
        return Response(204, b"")
    headers = [
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-max-age", _PREFLIGHT_S),
    ]
    wanted = request.header(b"access-control-request-headers")
    if wanted:
        headers.append((b"access-control-allow-headers", wanted.encode("latin-1")))
    return Response(204, b"", headers)
