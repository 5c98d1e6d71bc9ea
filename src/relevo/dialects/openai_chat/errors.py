"""What an error of an OpenAI-like provider means, from its status and its structured code.

Prose is read in one case only: a request too long for the model, which several providers report with no
code of its own (WIRE.md §20). No text of a provider is ever kept.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from relevo.core.errors import Fault, UpstreamError
from relevo.dialects.base import Profile

_CODES: Final[dict[str, Fault]] = {
    # OpenAI, platform.openai.com/docs/guides/error-codes
    "invalid_api_key": Fault.CREDENTIAL_REFUSED,
    "authentication_error": Fault.CREDENTIAL_REFUSED,
    "insufficient_quota": Fault.QUOTA_EXHAUSTED,
    "credit_balance_exhausted": Fault.QUOTA_EXHAUSTED,
    "billing_hard_limit_reached": Fault.QUOTA_EXHAUSTED,
    "rate_limit_exceeded": Fault.RATE_LIMITED,
    "context_length_exceeded": Fault.CONTEXT_LENGTH_EXCEEDED,
    "string_too_long": Fault.CONTEXT_LENGTH_EXCEEDED,
    "model_not_found": Fault.MODEL_NOT_FOUND,
    "content_filter": Fault.CONTENT_FILTERED,
    "content_policy_violation": Fault.CONTENT_FILTERED,
    "server_is_overloaded": Fault.OVERLOADED,
    "overloaded_error": Fault.OVERLOADED,
    # Groq, console.groq.com/docs/errors
    "model_decommissioned": Fault.MODEL_NOT_FOUND,
    "capacity_exceeded": Fault.OVERLOADED,
    "tool_use_failed": Fault.BAD_REPLY,
    # Gemini, google.rpc.ErrorInfo.reason and the status names of its errors
    "API_KEY_INVALID": Fault.CREDENTIAL_REFUSED,
    "UNAUTHENTICATED": Fault.CREDENTIAL_REFUSED,
    "PERMISSION_DENIED": Fault.CREDENTIAL_REFUSED,
    "UNAVAILABLE": Fault.OVERLOADED,
}

_STATUSES: Final[dict[int, Fault]] = {
    400: Fault.REQUEST_REFUSED,
    401: Fault.CREDENTIAL_REFUSED,
    402: Fault.QUOTA_EXHAUSTED,
    403: Fault.CREDENTIAL_REFUSED,
    404: Fault.MODEL_NOT_FOUND,
    413: Fault.REQUEST_REFUSED,
    422: Fault.REQUEST_REFUSED,
    429: Fault.RATE_LIMITED,
    498: Fault.OVERLOADED,
    503: Fault.OVERLOADED,
    529: Fault.OVERLOADED,
}

_TOO_LONG_STATUSES: Final = frozenset({400, 403, 413, 422, 429, 500})
_TOO_LONG: Final = re.compile(
    r"maximum context length|exceeds the context window|prompt is too long|exceed context limit"
    r"|input token count .{0,40}exceeds the maximum|range of input length should be|input tokens exceeded"
    r"|input is too long|too many tokens|prompt too long; exceeded|longer than the model's context length"
    r"|total length of all messages is too long|reduce the length of the messages"
    r"|request too large for model",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-]{0,63}")
_TEXT_MAX: Final = 4096


def classify(http_status: int, body: bytes, profile: Profile) -> UpstreamError:
    """The error behind an answer whose status is not 200. Never raises."""
    try:
        data = msgspec.json.decode(body) if body.strip() else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        data = None
    return from_error_object(data, http_status, profile, size=len(body))


def from_error_object(data: Any, http_status: int, profile: Profile, *, size: int = 0) -> UpstreamError:
    """The error that a decoded body describes, in any of the shapes that providers use."""
    if isinstance(data, list) and data:  # Gemini's compatible API wraps its error in a list
        data = data[0]
    codes = list(_codes(data))
    fault = _by_code(codes, profile) or _by_text(data, http_status) or _by_status(http_status)
    detail = "" if isinstance(data, dict) else f"{size} bytes that are not an error object"
    return UpstreamError(
        fault,
        http_status=http_status,
        upstream_code=codes[0] if codes else None,
        detail=detail,
    )


def _codes(data: Any) -> Iterator[str]:
    """Structured codes, the most telling first."""
    if not isinstance(data, dict):
        return
    error = data.get("error")
    inner = error if isinstance(error, dict) else data
    details = inner.get("details")
    if isinstance(details, list):
        for detail in details:
            if isinstance(detail, dict):
                yield from _plain(detail.get("reason"))
    for key in ("code", "type", "status"):
        yield from _plain(inner.get(key))


def _plain(value: Any) -> Iterator[str]:
    if isinstance(value, str) and _CODE.fullmatch(value):
        yield value


def _by_code(codes: list[str], profile: Profile) -> Fault | None:
    for code in codes:
        fault = profile.error_codes.get(code) or _CODES.get(code)
        if fault:
            return fault
    return None


def _by_text(data: Any, http_status: int) -> Fault | None:
    if http_status not in _TOO_LONG_STATUSES or not isinstance(data, dict):
        return None
    error = data.get("error")
    inner = error if isinstance(error, dict) else data
    for text in (inner.get("message"), error):
        if isinstance(text, str) and _TOO_LONG.search(text[:_TEXT_MAX]):
            return Fault.CONTEXT_LENGTH_EXCEEDED
    return None


def _by_status(http_status: int) -> Fault:
    known = _STATUSES.get(http_status)
    if known:
        return known
    return Fault.SERVER_ERROR if http_status >= 500 or http_status == 408 else Fault.UNEXPECTED_STATUS  # noqa: PLR2004
