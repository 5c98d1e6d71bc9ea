"""The one shape of errors on `/api/ai/*`: `error` is a string for people, `code` is for programs."""

from typing import Any

from relevo.core.errors import Code, GatewayError
from relevo.http.chat_answer import attempts_json, encode
from relevo.http.messages import Response
from relevo.http.texts import Locale, choose_locale, text_of

_RETRY_AFTER_S = b"2"


def error_response(
    error: GatewayError, request_id: str, *, locale: Locale, accept_language: str, demo: bool
) -> Response:
    """An error as callers get it. Its text comes from the table of texts alone, never from an exception."""
    body: dict[str, Any] = {
        "error": text_of(error, choose_locale(error, locale, accept_language)),
        "code": error.code.value,
        "request_id": request_id,
    }
    for name, value in error.extra.items():
        body[name] = attempts_json(value) if name == "attempts" else value
    if error.values.get("field"):
        body["field"] = error.values["field"]
    if demo:
        body["demo"] = True
    return Response(error.status, encode(body), _headers(error))


def _headers(error: GatewayError) -> list[tuple[bytes, bytes]]:
    match error.code:
        case Code.ALL_PROVIDERS_FAILED:
            return [(b"x-should-retry", b"false")]  # every provider was tried already
        case Code.UNAVAILABLE:
            return [(b"retry-after", _RETRY_AFTER_S)]
        case Code.BODY_TOO_LARGE:
            return [(b"connection", b"close")]
        case Code.METHOD_NOT_ALLOWED:
            return [(b"allow", str(error.values.get("allowed", "")).encode("latin-1"))]
        case Code.UNAUTHENTICATED | Code.INVALID_TOKEN | Code.TOKEN_EXPIRED:
            return [(b"www-authenticate", b"Bearer")]
    # The rest of a body that came too slowly is still to come: its connection is of no more use.
    return [(b"connection", b"close")] if error.text == "invalid_request.slow_body" else []
