"""The one shape of errors on `/api/ai/*`: `error` is a string for people, `code` is for programs."""

from collections.abc import Callable
from typing import Any, Final

from relevo.core.errors import Code, GatewayError
from relevo.http.chat_answer import attempts_json, credits_json, encode, moment
from relevo.http.messages import Request, Response
from relevo.http.texts import Locale, choose_locale, text_of

_RETRY_AFTER_S: Final = 2
"""Where nothing says how long it will be."""
_WAITS: Final = frozenset({Code.RATE_LIMITED, Code.UNAVAILABLE})
"""Waiting helps: header and body say how long."""
_CHALLENGE: Final = ((b"www-authenticate", b"Bearer"),)
_HEADERS: Final[dict[Code, tuple[tuple[bytes, bytes], ...]]] = {
    Code.ALL_PROVIDERS_FAILED: ((b"x-should-retry", b"false"),),  # every provider was tried already
    Code.IDEMPOTENCY_IN_FLIGHT: ((b"retry-after", b"1"),),
    Code.BODY_TOO_LARGE: ((b"connection", b"close"),),
    Code.UNAUTHENTICATED: _CHALLENGE,
    Code.INVALID_TOKEN: _CHALLENGE,
    Code.TOKEN_EXPIRED: _CHALLENGE,
}
_SHOWN: Final[dict[str, Callable[[Any], Any]]] = {
    "attempts": attempts_json,
    "resets_at": moment,
    "credits": credits_json,
}


def error_json(error: GatewayError, request: Request, *, locale: Locale, demo: bool) -> dict[str, Any]:
    """An error as callers get it. Its text comes from the table of texts alone, never from an exception."""
    body: dict[str, Any] = {
        "error": text_of(error, choose_locale(error, locale, request.header(b"accept-language"))),
        "code": error.code.value,
        "request_id": request.id,
    }
    for name, value in error.extra.items():
        body[name] = _SHOWN[name](value) if name in _SHOWN else value
    if error.code in _WAITS:
        body["retry_after_s"] = _wait_s(error)
    if error.values.get("field"):
        body["field"] = error.values["field"]
    if demo:
        body["demo"] = True
    return body


def error_response(error: GatewayError, body: dict[str, Any]) -> Response:
    """An error as a plain answer."""
    return Response(error.status, encode(body), _headers(error))


def _wait_s(error: GatewayError) -> int:
    wait_s: int = error.extra.get("retry_after_s", _RETRY_AFTER_S)
    return wait_s


def _headers(error: GatewayError) -> list[tuple[bytes, bytes]]:
    headers = list(_HEADERS.get(error.code, ()))
    match error.code:
        case code if code in _WAITS:
            headers.append((b"retry-after", b"%d" % _wait_s(error)))
        case Code.METHOD_NOT_ALLOWED:
            headers.append((b"allow", str(error.values.get("allowed", "")).encode("latin-1")))
    if error.text == "invalid_request.slow_body":  # the rest is still to come: its connection is of no more use
        headers.append((b"connection", b"close"))
    return headers
