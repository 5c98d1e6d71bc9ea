"""What can go wrong, by stable names. Texts for people are made at the edge, from these facts.

Two families: `GatewayError` is what a caller gets, `UpstreamError` is what one provider did. The second
never leaves as it is: the spine turns a run of them into one of the first.
"""

from enum import StrEnum
from typing import Any, Final, NamedTuple


class Code(StrEnum):
    """Stable error codes of `/api/ai/*`. Callers switch on them; they never change their meaning."""

    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_TASK = "unknown_task"
    UNKNOWN_PROVIDER = "unknown_provider"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    CONTENT_FILTERED = "content_filtered"
    UNAUTHENTICATED = "unauthenticated"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - the name of an error
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of an error
    INSUFFICIENT_CREDITS = "insufficient_credits"
    SPEND_LIMIT = "spend_limit"
    FORBIDDEN = "forbidden"
    USER_BLOCKED = "user_blocked"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TOO_LARGE = "body_too_large"
    IDEMPOTENCY_IN_FLIGHT = "idempotency_in_flight"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    RATE_LIMITED = "rate_limited"
    LOOP_DETECTED = "loop_detected"
    STREAM_CUT = "stream_cut"
    """A stream broke off after content was delivered. Comes as the last frame of a stream only."""
    ALL_PROVIDERS_FAILED = "all_providers_failed"
    INTERNAL_ERROR = "internal_error"
    UNAVAILABLE = "unavailable"


STATUS: Final[dict[Code, int]] = {
    Code.INVALID_JSON: 400,
    Code.INVALID_REQUEST: 400,
    Code.UNKNOWN_TASK: 400,
    Code.UNKNOWN_PROVIDER: 400,
    Code.MODEL_NOT_ALLOWED: 400,
    Code.CONTEXT_LENGTH_EXCEEDED: 400,
    Code.CONTENT_FILTERED: 400,
    Code.UNAUTHENTICATED: 401,
    Code.INVALID_TOKEN: 401,
    Code.TOKEN_EXPIRED: 401,
    Code.INSUFFICIENT_CREDITS: 402,
    Code.SPEND_LIMIT: 402,
    Code.FORBIDDEN: 403,
    Code.USER_BLOCKED: 403,
    Code.NOT_FOUND: 404,
    Code.METHOD_NOT_ALLOWED: 405,
    Code.BODY_TOO_LARGE: 413,
    Code.IDEMPOTENCY_IN_FLIGHT: 409,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
    Code.IDEMPOTENCY_MISMATCH: 422,
    Code.RATE_LIMITED: 429,
    Code.LOOP_DETECTED: 508,
    Code.STREAM_CUT: 502,
    Code.ALL_PROVIDERS_FAILED: 500,
    Code.INTERNAL_ERROR: 500,
    Code.UNAVAILABLE: 503,
}
if STATUS.keys() != set(Code):  # a code without a status cannot be imported
    raise AssertionError(set(Code) ^ STATUS.keys())


class GatewayError(Exception):
    """An error that a caller may see.

    Args:
        code: The stable name.
        text: Key of the text for people, in `http/texts.py`; the code itself where there is only one.
        extra: Further members of the error's JSON body.
        values: What the text is filled with. Never a secret, never a provider's words.
    """

    def __init__(
        self, code: Code, text: str | None = None, *, extra: dict[str, Any] | None = None, **values: object
    ) -> None:
        super().__init__(code.value)
        self.code = code
        self.text = text or code.value
        self.extra = extra or {}
        self.values = values

    @property
    def status(self) -> int:
        """The HTTP status of this error."""
        return STATUS[self.code]


class CallerGone(Exception):
    """The caller left before its request was whole: half a prompt is never run."""


class Phase(StrEnum):
    """How far an attempt had come. All but the last may fall back without the caller noticing."""

    CONNECT = "connect"
    SEND = "send"
    HEADERS = "headers"
    FIRST_EVENT = "first_event"
    BODY = "body"


class Fault(StrEnum):
    """What one provider did instead of answering; the `code` of an attempt. Stable names."""

    HOST_UNKNOWN = "host_unknown"
    TLS_FAILED = "tls_failed"
    """Its certificate is not trusted, or there was no handshake."""
    CONNECT_FAILED = "connect_failed"
    """No connection for any other reason: refused, no route."""
    CONNECT_TIMEOUT = "connect_timeout"
    FIRST_TOKEN_TIMEOUT = "first_token_timeout"  # noqa: S105 - a deadline's name
    """Connected, then silent until the deadline for the first token."""
    IDLE_TIMEOUT = "idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CONNECTION_LOST = "connection_lost"
    """Closed or reset before the answer was whole."""
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    """5xx, and what passes as quickly: 408, 409, 425."""
    CREDENTIAL_REFUSED = "credential_refused"
    """The provider refused our key: the operator's fault, never a 401 to the caller."""
    QUOTA_EXHAUSTED = "quota_exhausted"
    """The provider wants money from the operator."""
    MODEL_NOT_FOUND = "model_not_found"
    REQUEST_REFUSED = "request_refused"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    CONTENT_FILTERED = "content_filtered"
    NOT_JSON = "not_json"
    WRONG_CONTENT_TYPE = "wrong_content_type"
    BAD_REPLY = "bad_reply"
    """JSON, but not of the shape that the dialect promises."""
    EMPTY_REPLY = "empty_reply"
    USAGE_MISSING = "usage_missing"
    """A whole answer without token counts: it can be neither accounted for nor trusted to be whole."""
    REPLY_TOO_LARGE = "reply_too_large"
    UNEXPECTED_STATUS = "unexpected_status"
    INTERNAL = "internal"
    """A bug of ours while asking this target: no fault of the provider."""
    ERROR_IN_REPLY = "error_in_reply"
    """An error inside an answer that began with status 200."""
    LOOP_DETECTED = "loop_detected"
    """It is a relevo, and says that the request goes round in a circle."""
    BROKEN_OUTPUT = "broken_output"
    """The model wrote what its provider could not read, a tool call mostly. Chance: once more may do."""


class Verdict(StrEnum):
    """What is worth doing after a fault."""

    STOP = "stop"
    """Nothing: the one deadline is over."""
    NEXT = "next"
    """The next target. This one would only say the same again."""
    SAME = "same"
    """The next target; and this one once more, after a wait, when there is no other left."""


class Blame(StrEnum):
    """Whose fault it was."""

    CALLER = "caller"
    """The provider says that the request is wrong."""
    US = "us"
    """The operator (key, purse, model name, address, deadline) or relevo itself."""
    PROVIDER = "provider"


class Harm(StrEnum):
    """What a fault says about the target's health."""

    NONE = "none"
    """Nothing: it answers, only not this request."""
    FAILURE = "failure"
    """Counts towards opening its breaker."""
    COOLDOWN = "cooldown"
    """It works and wants to be left alone for a time."""
    ROUTE = "route"
    """This model is not there: leave the target alone for long."""
    KEY = "key"
    """The key or the purse behind it: leave every target of this key alone for long."""


class Meaning(NamedTuple):
    """What follows from a fault."""

    verdict: Verdict
    blame: Blame
    harm: Harm


_THEIRS: Final = Meaning(Verdict.NEXT, Blame.PROVIDER, Harm.FAILURE)
_THEIRS_FOR_NOW: Final = Meaning(Verdict.SAME, Blame.PROVIDER, Harm.FAILURE)
_REQUEST: Final = Meaning(Verdict.NEXT, Blame.CALLER, Harm.NONE)

MEANING: Final[dict[Fault, Meaning]] = {
    Fault.HOST_UNKNOWN: Meaning(Verdict.NEXT, Blame.US, Harm.FAILURE),
    Fault.TLS_FAILED: _THEIRS,
    Fault.CONNECT_FAILED: _THEIRS_FOR_NOW,
    Fault.CONNECT_TIMEOUT: _THEIRS_FOR_NOW,
    Fault.FIRST_TOKEN_TIMEOUT: _THEIRS,
    Fault.IDLE_TIMEOUT: _THEIRS,
    Fault.TOTAL_TIMEOUT: Meaning(Verdict.STOP, Blame.US, Harm.NONE),
    Fault.CONNECTION_LOST: _THEIRS_FOR_NOW,
    Fault.RATE_LIMITED: Meaning(Verdict.SAME, Blame.PROVIDER, Harm.COOLDOWN),
    Fault.OVERLOADED: _THEIRS_FOR_NOW,
    Fault.SERVER_ERROR: _THEIRS_FOR_NOW,
    Fault.CREDENTIAL_REFUSED: Meaning(Verdict.NEXT, Blame.US, Harm.KEY),
    Fault.QUOTA_EXHAUSTED: Meaning(Verdict.NEXT, Blame.US, Harm.KEY),
    Fault.MODEL_NOT_FOUND: Meaning(Verdict.NEXT, Blame.US, Harm.ROUTE),
    Fault.REQUEST_REFUSED: _REQUEST,
    Fault.CONTEXT_LENGTH_EXCEEDED: _REQUEST,
    Fault.CONTENT_FILTERED: _REQUEST,
    Fault.NOT_JSON: _THEIRS,
    Fault.WRONG_CONTENT_TYPE: _THEIRS,
    Fault.BAD_REPLY: _THEIRS,
    Fault.EMPTY_REPLY: _THEIRS,
    Fault.USAGE_MISSING: _THEIRS,
    Fault.REPLY_TOO_LARGE: _THEIRS,
    Fault.UNEXPECTED_STATUS: _THEIRS,
    Fault.INTERNAL: Meaning(Verdict.NEXT, Blame.US, Harm.NONE),
    Fault.ERROR_IN_REPLY: _THEIRS_FOR_NOW,
    Fault.LOOP_DETECTED: Meaning(Verdict.NEXT, Blame.US, Harm.NONE),
    Fault.BROKEN_OUTPUT: Meaning(Verdict.SAME, Blame.PROVIDER, Harm.NONE),
}
if MEANING.keys() != set(Fault):  # a fault without a meaning cannot be imported
    raise AssertionError(set(Fault) ^ MEANING.keys())


class UpstreamError(Exception):
    """One attempt failed. Carries facts only; `detail` is in our words and holds no text of the provider.

    A provider's own message may repeat the prompt or our key, so of it only a short structured code is kept.

    Args:
        fault: What happened.
        detail: More of it, in our words.
        http_status: Status of the answer, where there was one.
        upstream_code: The provider's own code, where it is short and structured.
        retry_after_s: How long the provider wants to be left alone, in seconds. None: it does not say.
        repeatable: False: asking this target again is of no use, whatever the fault is worth otherwise (the
            provider says so, no wait makes the request smaller, or a part of the answer had come).
        harmless: It says nothing against the target, whatever the fault mostly says.
    """

    def __init__(
        self,
        fault: Fault,
        *,
        detail: str = "",
        http_status: int | None = None,
        upstream_code: str | None = None,
        retry_after_s: float | None = None,
        repeatable: bool = True,
        harmless: bool = False,
    ) -> None:
        super().__init__(fault.value)
        self.fault = fault
        self.detail = detail
        self.http_status = http_status
        self.upstream_code = upstream_code
        self.retry_after_s = retry_after_s
        self.repeatable = repeatable
        self.harmless = harmless

    @property
    def verdict(self) -> Verdict:
        """What is worth doing now."""
        verdict = MEANING[self.fault].verdict
        return Verdict.NEXT if verdict is Verdict.SAME and not self.repeatable else verdict

    @property
    def blame(self) -> Blame:
        """Whose fault it was."""
        return MEANING[self.fault].blame

    @property
    def harm(self) -> Harm:
        """What it says about the target's health."""
        return Harm.NONE if self.harmless else MEANING[self.fault].harm

    @property
    def blames_request(self) -> bool:
        """Whether the provider says that the request is wrong. 400 only when every target says so."""
        return self.blame is Blame.CALLER
