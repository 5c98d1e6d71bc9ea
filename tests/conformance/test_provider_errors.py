"""Every provider's errors, in its own shapes: what happened, what to do now, whose fault it was, how long to wait.

The bodies are written after the providers' references and recordings (WIRE.md §2 to §19); none is copied.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relevo.core.errors import MEANING, Blame, Fault, Harm, UpstreamError, Verdict
from relevo.dialects.base import Profile
from relevo.dialects.openai_chat import OpenAIChat
from relevo.providers.registry import BUILT_IN
from relevo.setup import set_up
from support.whole import whole

DIALECT = OpenAIChat()
NOW_S = 1_795_000_000.0
"""2026-11-18T11:06:40Z."""


def no_header(_name: str) -> str:
    return ""


def error_of(provider: str, status: int, body: Any, headers: dict[str, str] | None = None) -> UpstreamError:
    profile = BUILT_IN[provider].profile if provider in BUILT_IN else Profile()
    data = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return DIALECT.decode_error(status, data, profile, lambda name: (headers or {}).get(name, ""), NOW_S)


@dataclass(frozen=True)
class Case:
    """An error as it comes, and what it means. `wait_s` None: the provider does not say."""

    provider: str
    status: int
    body: Any
    fault: Fault
    code: str | None = None
    wait_s: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    repeatable: bool = True

    def __str__(self) -> str:
        return f"{self.provider} {self.status} {self.code or self.fault}"


def openai(code: Any = None, message: str = "x", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": code, **more}}


def google(code: int, status: str, *details: dict[str, Any], message: str = "x") -> list[dict[str, Any]]:
    return [{"error": {"code": code, "message": message, "status": status, "details": list(details)}}]


def quota(name: str) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": name}]}


def broker(code: int, **metadata: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "Provider returned error", "metadata": metadata}, "user_id": "u"}


RETRY_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "48.5s"}
KEY_INVALID = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
TOO_LONG = "This model's maximum context length is 8 tokens. However, you requested 12 tokens"

GEMINI = [
    Case("gemini", 400, google(400, "INVALID_ARGUMENT", KEY_INVALID), Fault.CREDENTIAL_REFUSED, "API_KEY_INVALID"),
    Case("gemini", 400, google(400, "INVALID_ARGUMENT"), Fault.REQUEST_REFUSED, "INVALID_ARGUMENT"),
    Case("gemini", 400, google(400, "INVALID_ARGUMENT", message="The input token count (12) exceeds the maximum "
         "number of tokens allowed (8)."), Fault.CONTEXT_LENGTH_EXCEEDED, "INVALID_ARGUMENT"),
    Case("gemini", 400, google(400, "FAILED_PRECONDITION"), Fault.QUOTA_EXHAUSTED, "FAILED_PRECONDITION"),
    Case("gemini", 403, google(403, "PERMISSION_DENIED"), Fault.CREDENTIAL_REFUSED, "PERMISSION_DENIED"),
    Case("gemini", 404, google(404, "NOT_FOUND"), Fault.MODEL_NOT_FOUND, "NOT_FOUND"),
    Case("gemini", 402, google(402, "RESOURCE_EXHAUSTED"), Fault.QUOTA_EXHAUSTED, "RESOURCE_EXHAUSTED"),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", quota("RequestsPerMinutePerProject"), RETRY_INFO),
         Fault.RATE_LIMITED, "RESOURCE_EXHAUSTED", 48.5),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", quota("RequestsPerDayPerModel-FreeTier"), RETRY_INFO),
         Fault.RATE_LIMITED, "RESOURCE_EXHAUSTED", 3600, repeatable=False),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", message="Quota. Please retry in 48.939935699s."),
         Fault.RATE_LIMITED, "RESOURCE_EXHAUSTED", 48.939935699),
    Case("gemini", 429, google(429, "RESOURCE_EXHAUSTED", message="Your prepayment credits are depleted. Go to AI "
         "Studio"), Fault.QUOTA_EXHAUSTED, "RESOURCE_EXHAUSTED"),
    Case("gemini", 503, google(503, "UNAVAILABLE"), Fault.OVERLOADED, "UNAVAILABLE"),
    Case("gemini", 500, google(500, "INTERNAL")[0], Fault.SERVER_ERROR, "INTERNAL"),
    Case("gemini", 504, google(504, "DEADLINE_EXCEEDED"), Fault.SERVER_ERROR, "DEADLINE_EXCEEDED"),
    Case("gemini", 499, google(499, "CANCELLED"), Fault.SERVER_ERROR, "CANCELLED"),
]  # fmt: skip

QWEN = [
    Case("qwen", status, openai(code), fault, code)
    for status, code, fault in [
        (401, "invalid_api_key", Fault.CREDENTIAL_REFUSED),
        (401, "InvalidApiKey", Fault.CREDENTIAL_REFUSED),
        (403, "AccessDenied.Unpurchased", Fault.CREDENTIAL_REFUSED),
        (403, "Model.AccessDenied", Fault.CREDENTIAL_REFUSED),
        (403, "AllocationQuota.FreeTierOnly", Fault.QUOTA_EXHAUSTED),
        (400, "Arrearage", Fault.QUOTA_EXHAUSTED),
        (429, "PrepaidBillOverdue", Fault.QUOTA_EXHAUSTED),
        (429, "PostpaidBillOverdue", Fault.QUOTA_EXHAUSTED),
        (429, "CommodityNotPurchased", Fault.QUOTA_EXHAUSTED),
        (429, "insufficient_quota", Fault.RATE_LIMITED),
        (429, "Throttling.AllocationQuota", Fault.RATE_LIMITED),
        (429, "Throttling.BurstRate", Fault.RATE_LIMITED),
        (429, "limit_requests", Fault.RATE_LIMITED),
        (400, "data_inspection_failed", Fault.CONTENT_FILTERED),
        (400, "DataInspectionFailed", Fault.CONTENT_FILTERED),
        (400, "IPInfringementSuspect", Fault.CONTENT_FILTERED),
        (400, "invalid_parameter_error", Fault.REQUEST_REFUSED),
        (404, "model_not_found", Fault.MODEL_NOT_FOUND),
        (404, "model_not_supported", Fault.MODEL_NOT_FOUND),
        (500, "InternalError.Algo", Fault.SERVER_ERROR),
        (500, "RequestTimeOut", Fault.SERVER_ERROR),
        (503, "ModelServingError", Fault.OVERLOADED),
        (503, "ModelUnavailable", Fault.OVERLOADED),
    ]
] + [
    Case("qwen", 401, {"code": "InvalidApiKey", "message": "x", "request_id": "r"}, Fault.CREDENTIAL_REFUSED,
         "InvalidApiKey"),
    Case("qwen", 429, openai("insufficient_quota", "Free allocated quota exceeded."), Fault.QUOTA_EXHAUSTED,
         "insufficient_quota"),
    Case("qwen", 400, openai("invalid_parameter_error", "Range of input length should be [1, 8]"),
         Fault.CONTEXT_LENGTH_EXCEEDED, "invalid_parameter_error"),
    Case("qwen", 400, openai("InvalidParameter", "Model not exist."), Fault.MODEL_NOT_FOUND, "InvalidParameter"),
    Case("qwen", 400, openai(None, "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain "
         "inappropriate content."), Fault.CONTENT_FILTERED, "invalid_request_error"),
]  # fmt: skip

DEEPSEEK = [
    Case("deepseek", status, openai("invalid_request_error"), fault, "invalid_request_error")
    for status, fault in [
        (400, Fault.REQUEST_REFUSED),
        (401, Fault.CREDENTIAL_REFUSED),
        (402, Fault.QUOTA_EXHAUSTED),
        (422, Fault.REQUEST_REFUSED),
        (429, Fault.RATE_LIMITED),
        (500, Fault.SERVER_ERROR),
        (503, Fault.OVERLOADED),
    ]
] + [
    Case("deepseek", 400, openai("invalid_request_error", TOO_LONG), Fault.CONTEXT_LENGTH_EXCEEDED,
         "invalid_request_error"),
    Case("deepseek", 401, openai(None, type="authentication_error"), Fault.CREDENTIAL_REFUSED,
         "authentication_error"),
]  # fmt: skip

OPENAI = [
    Case("openai", 401, openai("invalid_api_key"), Fault.CREDENTIAL_REFUSED, "invalid_api_key"),
    Case("openai", 403, openai("unsupported_country_region_territory"), Fault.CREDENTIAL_REFUSED,
         "unsupported_country_region_territory"),
    Case("openai", 404, openai("model_not_found"), Fault.MODEL_NOT_FOUND, "model_not_found"),
    Case("openai", 400, openai("model_not_found"), Fault.MODEL_NOT_FOUND, "model_not_found"),
    Case("openai", 400, openai("context_length_exceeded"), Fault.CONTEXT_LENGTH_EXCEEDED, "context_length_exceeded"),
    Case("openai", 400, openai("unsupported_parameter"), Fault.REQUEST_REFUSED, "unsupported_parameter"),
    Case("openai", 429, openai("insufficient_quota"), Fault.QUOTA_EXHAUSTED, "insufficient_quota"),
    Case("openai", 429, openai("credit_balance_exhausted"), Fault.QUOTA_EXHAUSTED, "credit_balance_exhausted"),
    Case("openai", 429, openai("slow_down"), Fault.RATE_LIMITED, "slow_down"),
    Case("openai", 429, openai("rate_limit_exceeded"), Fault.RATE_LIMITED, "rate_limit_exceeded", 0.02,
         {"retry-after-ms": "20", "retry-after": "1"}),
    Case("openai", 429, openai("rate_limit_exceeded", "Limit 3. Please try again in 20ms."), Fault.RATE_LIMITED,
         "rate_limit_exceeded", 0.02),
    Case("openai", 429, openai("rate_limit_exceeded"), Fault.RATE_LIMITED, "rate_limit_exceeded", 360.0,
         {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-requests": "12ms",
          "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}),
    Case("openai", 409, openai(None), Fault.SERVER_ERROR, "invalid_request_error", None,
         {"x-should-retry": "false"}, repeatable=False),
    Case("openai", 503, openai("server_is_overloaded"), Fault.OVERLOADED, "server_is_overloaded"),
    Case("openai", 520, b"520: Web server is returning an unknown error", Fault.SERVER_ERROR),
    Case("openai", 502, b"<html><h1>502 Bad Gateway</h1></html>", Fault.SERVER_ERROR),
]  # fmt: skip


def anthropic(kind: str, message: str = "x", **more: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message, **more}, "request_id": "r"}


ANTHROPIC = [
    Case("anthropic", status, anthropic(kind), fault, kind)
    for status, kind, fault in [
        (400, "invalid_request_error", Fault.REQUEST_REFUSED),
        (401, "authentication_error", Fault.CREDENTIAL_REFUSED),
        (402, "billing_error", Fault.QUOTA_EXHAUSTED),
        (403, "permission_error", Fault.CREDENTIAL_REFUSED),
        (404, "not_found_error", Fault.MODEL_NOT_FOUND),
        (409, "conflict_error", Fault.SERVER_ERROR),
        (429, "rate_limit_error", Fault.RATE_LIMITED),
        (500, "api_error", Fault.SERVER_ERROR),
        (504, "timeout_error", Fault.SERVER_ERROR),
        (529, "overloaded_error", Fault.OVERLOADED),
    ]
] + [
    Case("anthropic", 400, anthropic("invalid_request_error", "Your credit balance is too low to access"),
         Fault.QUOTA_EXHAUSTED, "invalid_request_error"),
    Case("anthropic", 400, anthropic("invalid_request_error", "prompt is too long: 12 tokens > 8 maximum"),
         Fault.CONTEXT_LENGTH_EXCEEDED, "invalid_request_error"),
    Case("anthropic", 413, anthropic("request_too_large"), Fault.CONTEXT_LENGTH_EXCEEDED, "request_too_large",
         repeatable=False),
    Case("anthropic", 429, anthropic("rate_limit_error", details={"error_code": "enforced_spend_limit_reached"}),
         Fault.QUOTA_EXHAUSTED, "enforced_spend_limit_reached"),
    Case("anthropic", 429, anthropic("rate_limit_error", details={"error_code": "ramp_limit_exceeded"}),
         Fault.RATE_LIMITED, "ramp_limit_exceeded", 7.0, {"retry-after": "7"}),
    Case("anthropic", 429, anthropic("rate_limit_error"), Fault.RATE_LIMITED, "rate_limit_error", 20.0,
         {"anthropic-ratelimit-input-tokens-remaining": "0",
          "anthropic-ratelimit-input-tokens-reset": "2026-11-18T11:07:00Z"}),
]  # fmt: skip

MISTRAL = [
    Case("mistral", 401, {"detail": "Invalid API Key"}, Fault.CREDENTIAL_REFUSED),
    Case("mistral", 400, {"object": "error", "message": "x", "type": "invalid_model", "code": "1500",
                          "raw_status_code": 400}, Fault.REQUEST_REFUSED, "1500"),
    Case("mistral", 422, {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body"]}]},
                          "type": "invalid_request_error", "code": None}, Fault.REQUEST_REFUSED,
         "invalid_request_error"),
    Case("mistral", 422, {"detail": [{"type": "extra_forbidden", "msg": "x"}]}, Fault.REQUEST_REFUSED),
    Case("mistral", 429, {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited",
                          "code": "1300"}, Fault.RATE_LIMITED, "1300"),
    Case("mistral", 429, {"object": "error", "message": "Service tier capacity exceeded for this model.",
                          "type": "invalid_request_error", "code": None}, Fault.OVERLOADED, "invalid_request_error"),
    Case("mistral", 400, {"object": "error", "message": "Prompt contains 12 tokens, too large for model with 8 "
                          "maximum context length", "type": "invalid_request_error"},
         Fault.CONTEXT_LENGTH_EXCEEDED, "invalid_request_error"),
]  # fmt: skip

GROQ = [
    Case("groq", 401, openai("invalid_api_key"), Fault.CREDENTIAL_REFUSED, "invalid_api_key"),
    Case("groq", 400, openai("model_decommissioned"), Fault.MODEL_NOT_FOUND, "model_decommissioned"),
    Case("groq", 400, openai("tool_use_failed", failed_generation="<function"), Fault.BROKEN_OUTPUT,
         "tool_use_failed"),
    Case("groq", 413, openai("rate_limit_exceeded", "Request too large for model x on tokens per minute (TPM)",
                             type="tokens"), Fault.RATE_LIMITED, "rate_limit_exceeded", repeatable=False),
    Case("groq", 429, openai("rate_limit_exceeded"), Fault.RATE_LIMITED, "rate_limit_exceeded", 2.0,
         {"retry-after": "2"}),
    Case("groq", 429, openai("rate_limit_exceeded"), Fault.RATE_LIMITED, "rate_limit_exceeded", 17.399999999,
         {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "17.399999999s"}),
    Case("groq", 498, openai("capacity_exceeded"), Fault.OVERLOADED, "capacity_exceeded"),
    Case("groq", 498, b"", Fault.OVERLOADED),
]  # fmt: skip

XAI = [
    Case("xai", 400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: in***ed"},
         Fault.CREDENTIAL_REFUSED),
    Case("xai", 400, {"code": "Client specified an invalid argument", "error": "Model m does not support parameter "
                      "reasoningEffort."}, Fault.REQUEST_REFUSED),
    Case("xai", 400, {"code": "Client specified an invalid argument", "error": "You wrote: Incorrect API key "
                      "provided"}, Fault.REQUEST_REFUSED),
    Case("xai", 403, {"code": "x y", "error": "Content violates usage guidelines."}, Fault.CONTENT_FILTERED),
    Case("xai", 403, {"code": "x y", "error": "The key is blocked"}, Fault.CREDENTIAL_REFUSED),
    Case("xai", 404, openai(None), Fault.MODEL_NOT_FOUND, "invalid_request_error"),
    Case("xai", 429, {"code": "x y", "error": "Too many requests"}, Fault.RATE_LIMITED),
]  # fmt: skip

TOGETHER = [
    Case("together", 403, openai(None), Fault.CONTEXT_LENGTH_EXCEEDED, "invalid_request_error"),
    Case("together", 402, openai(None), Fault.QUOTA_EXHAUSTED, "invalid_request_error"),
    Case("together", 503, openai(None), Fault.OVERLOADED, "invalid_request_error"),
    Case("together", 429, openai(None), Fault.RATE_LIMITED, "invalid_request_error", 2.0,
         {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2"}),
]  # fmt: skip

FIREWORKS = [
    Case("fireworks", 412, openai(None), Fault.QUOTA_EXHAUSTED, "invalid_request_error"),
    Case("fireworks", 404, openai(None), Fault.MODEL_NOT_FOUND, "invalid_request_error"),
    Case("fireworks", 408, openai(None), Fault.SERVER_ERROR, "invalid_request_error"),
]

RAW_TOO_LONG = '{"error":{"message":"prompt is too long: 12 tokens > 8 maximum"}}'
RAW_KEY = '{"error":{"message":"x","code":"invalid_api_key"}}'
OPENROUTER = [
    Case("openrouter", 400, broker(400, error_type="context_length_exceeded"), Fault.CONTEXT_LENGTH_EXCEEDED,
         "context_length_exceeded"),
    Case("openrouter", 400, broker(400, provider_name="P", raw=RAW_TOO_LONG), Fault.CONTEXT_LENGTH_EXCEEDED),
    Case("openrouter", 502, broker(502, provider_name="P", raw=RAW_KEY), Fault.SERVER_ERROR),
    Case("openrouter", 502, broker(502, provider_name="P", raw="<html>"), Fault.SERVER_ERROR),
    Case("openrouter", 402, broker(402), Fault.QUOTA_EXHAUSTED),
    Case("openrouter", 402, broker(402, limit_source="openrouter_in_flight_budget"), Fault.RATE_LIMITED,
         "openrouter_in_flight_budget", 3.0, {"retry-after": "3"}),
    Case("openrouter", 403, broker(403, reasons=["violence"]), Fault.CONTENT_FILTERED),
    Case("openrouter", 404, {"error": {"code": 404, "message": "No endpoints found for vendor/model."}},
         Fault.MODEL_NOT_FOUND),
    Case("openrouter", 404, {"error": {"code": 404, "message": "No endpoints found that support tool use."}},
         Fault.REQUEST_REFUSED),
    Case("openrouter", 408, broker(408), Fault.SERVER_ERROR),
    Case("openrouter", 429, broker(429, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795000030000"}),
         Fault.RATE_LIMITED, None, 30.0),
    Case("openrouter", 503, broker(503, error_type="provider_overloaded"), Fault.OVERLOADED, "provider_overloaded"),
    Case("openrouter", 524, broker(524), Fault.SERVER_ERROR),
    Case("openrouter", 529, broker(529), Fault.OVERLOADED),
]  # fmt: skip

OTHERS = [
    Case("azure", 401, {"error": {"code": "401", "message": "Access denied"}}, Fault.CREDENTIAL_REFUSED, "401"),
    Case("azure", 404, {"error": {"code": "DeploymentNotFound", "message": "x"}}, Fault.MODEL_NOT_FOUND,
         "DeploymentNotFound"),
    Case("azure", 400, openai("content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
         Fault.CONTENT_FILTERED, "content_filter"),
    Case("azure", 429, {"error": {"code": "RateLimitReached", "message": "x"}}, Fault.RATE_LIMITED,
         "RateLimitReached", 0.0, {"retry-after-ms": "0", "retry-after": "1"}),
    Case("azure", 429, {"error": {"code": "429", "message": "x"}}, Fault.RATE_LIMITED, "429", 500.0,
         {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "500"}),
    Case("azure", 408, {}, Fault.SERVER_ERROR),
    Case("vllm", 400, {"object": "error", "message": "x", "type": "BadRequestError", "code": 400},
         Fault.REQUEST_REFUSED, "BadRequestError"),
    Case("vllm", 400, {"error": {"message": TOO_LONG, "type": "BadRequestError", "param": None, "code": 400}},
         Fault.CONTEXT_LENGTH_EXCEEDED, "BadRequestError"),
    Case("sglang", 400, {"object": "error", "message": "The input (12 tokens) is longer than the model's context "
                         "length (8 tokens).", "code": 400}, Fault.CONTEXT_LENGTH_EXCEEDED),
    Case("vllm", 404, {"object": "error", "message": "x", "type": "NotFoundError", "code": 404},
         Fault.MODEL_NOT_FOUND, "NotFoundError"),
    Case("vllm", 503, b"", Fault.OVERLOADED),
    Case("ollama", 404, {"error": "model 'x' not found"}, Fault.MODEL_NOT_FOUND),
    Case("ollama", 400, openai(None, "prompt too long; exceeded max context length by 4 tokens", type="api_error"),
         Fault.CONTEXT_LENGTH_EXCEEDED, "api_error"),
    Case("cohere", 400, {"id": "i", "message": "x", "error_type": "TOO_MANY_TOKENS"}, Fault.CONTEXT_LENGTH_EXCEEDED,
         "TOO_MANY_TOKENS"),
]  # fmt: skip

CASES = [
    *GEMINI, *QWEN, *DEEPSEEK, *OPENAI, *ANTHROPIC, *MISTRAL, *GROQ, *XAI, *TOGETHER, *FIREWORKS, *OPENROUTER, *OTHERS,
]  # fmt: skip

SAME = {Fault.RATE_LIMITED, Fault.OVERLOADED, Fault.SERVER_ERROR, Fault.BROKEN_OUTPUT}
US = {Fault.CREDENTIAL_REFUSED, Fault.QUOTA_EXHAUSTED, Fault.MODEL_NOT_FOUND}
CALLER = {Fault.REQUEST_REFUSED, Fault.CONTEXT_LENGTH_EXCEEDED, Fault.CONTENT_FILTERED}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_error_means_what_its_provider_means(case: Case) -> None:
    """Fault, verdict, blame and wait follow from the provider's own table."""
    error = error_of(case.provider, case.status, case.body, case.headers)

    assert (error.fault, error.upstream_code, error.http_status) == (case.fault, case.code, case.status)
    assert error.retry_after_s == (None if case.wait_s is None else pytest.approx(case.wait_s))
    assert error.verdict is (Verdict.SAME if case.fault in SAME and case.repeatable else Verdict.NEXT)
    assert error.blame is (
        Blame.US if case.fault in US else Blame.CALLER if case.fault in CALLER else Blame.PROVIDER
    )


def test_only_the_deadline_over_everything_stops_the_plan() -> None:
    """Whatever else one target says, the next one is tried."""
    assert [fault for fault, meaning in MEANING.items() if meaning.verdict is Verdict.STOP] == [Fault.TOTAL_TIMEOUT]


def test_what_a_caller_can_bring_about_harms_no_target() -> None:
    """A request that is refused for its own sake never takes a target or a key away from others."""
    harmed = {fault for fault, meaning in MEANING.items() if meaning.harm is not Harm.NONE}

    assert not harmed & CALLER
    assert {fault for fault in harmed if MEANING[fault].harm is Harm.KEY} == {
        Fault.CREDENTIAL_REFUSED,
        Fault.QUOTA_EXHAUSTED,
    }


def streamed(provider: str, *blocks: bytes) -> UpstreamError:
    """The error that a stream of this provider ends with."""
    decoder = DIALECT.events(BUILT_IN[provider].profile if provider in BUILT_IN else Profile())
    with pytest.raises(UpstreamError) as caught:
        for block in blocks:
            list(decoder.feed(block))
        list(decoder.close())
    return caught.value


TEXT = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":null}]}\n\n'


@pytest.mark.parametrize(
    ("provider", "block", "fault", "code"),
    [
        ("openai", b'data: {"error":{"code":"insufficient_quota","message":"x"}}\n\ndata: [DONE]\n\n',
         Fault.QUOTA_EXHAUSTED, "insufficient_quota"),
        ("vllm", b'data: {"error":{"object":"error","message":"x","type":"BadRequestError","code":400}}\n\n',
         Fault.REQUEST_REFUSED, "BadRequestError"),
        ("sglang", b'data: {"object":"error","message":"x","code":503}\n\n', Fault.OVERLOADED, None),
        ("litellm", b'data: {"error":{"message":"prompt is too long: 9 > 8"}}\n\n', Fault.CONTEXT_LENGTH_EXCEEDED, None),
        ("openrouter", b'data: {"error":{"code":"server_error","message":"x"},"choices":[{"delta":{"content":""},'
         b'"finish_reason":"error"}]}\n\n', Fault.ERROR_IN_REPLY, "server_error"),
        ("openrouter", b'data: {"error":{"code":429,"message":"x"},"choices":[]}\n\n', Fault.RATE_LIMITED, None),
        ("openrouter", b'data: {"choices":null}\n\n', Fault.ERROR_IN_REPLY, None),
        ("groq", b'event: error\ndata: {"error":{"message":"x","code":"tool_use_failed","status_code":400}}\n\n',
         Fault.BROKEN_OUTPUT, "tool_use_failed"),
        ("groq", b'event: error\ndata: {"error":{"message":"x","status_code":503}}\n\n', Fault.OVERLOADED, None),
        ("anthropic", b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
         Fault.OVERLOADED, "overloaded_error"),
        ("qwen", b'id:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling.AllocationQuota","message":"x"}\n\n',
         Fault.RATE_LIMITED, "Throttling.AllocationQuota"),
        ("qwen", b'id:1\nevent:error\n:HTTP_STATUS/400\ndata:{"code":"Arrearage","message":"x"}\n\n',
         Fault.QUOTA_EXHAUSTED, "Arrearage"),
        ("gemini", b'{"error":{\n"code":503,\n"status":"UNAVAILABLE","message":"x"}}\n', Fault.OVERLOADED, "UNAVAILABLE"),
        ("gemini", b'[{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}}]\n', Fault.CREDENTIAL_REFUSED,
         "API_KEY_INVALID"),
        ("ollama", b'{"error":"the runner has ended"}\n', Fault.ERROR_IN_REPLY, None),
        ("mistral", b'data: {"choices":[{"delta":{},"finish_reason":"error"}]}\n\n', Fault.ERROR_IN_REPLY, "error"),
        ("deepseek", b'data: {"choices":[{"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n',
         Fault.ERROR_IN_REPLY, "insufficient_system_resource"),
        ("gemini", b'data: {"choices":[{"delta":{},"finish_reason":"MALFORMED_FUNCTION_CALL"}]}\n\n',
         Fault.BROKEN_OUTPUT, "malformed_function_call"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("before", [b"", TEXT], ids=["first", "later"])
def test_an_error_inside_a_200_is_judged_by_the_same_tables(
    provider: str, block: bytes, fault: Fault, code: str | None, before: bytes
) -> None:
    """Before the first content and after it, in every shape that a chat completions stream can carry."""
    error = streamed(provider, *([before] if before else []), block)

    assert (error.fault, error.upstream_code, error.http_status) == (fault, code, 200)


def test_an_answer_that_was_filtered_has_no_message() -> None:
    """Azure leaves the message out of a choice that it filtered: that is an answer, with its own finish reason."""
    body = {"choices": [{"index": 0, "finish_reason": "content_filter", "content_filter_results": {}}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 0}}  # fmt: skip

    completion = whole(DIALECT.decode_reply(msgspec.json.encode(body), Profile()))

    assert (completion.content, completion.finish_reason) == ("", "content_filter")


names = st.sampled_from(
    ["error", "message", "code", "status", "details", "reason", "metadata", "raw", "headers", "type", "retryDelay",
     "violations", "quotaId", "error_code", "innererror", "detail", "status_code", "choices"]
)  # fmt: skip
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(),
              st.sampled_from(["48s", "PerDay", "try again in 9s", '{"error":{"metadata":{"raw":"{}"}}}'])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=4)),
    max_leaves=10,
)  # fmt: skip


@given(
    provider=st.sampled_from([*BUILT_IN, "other"]),
    status=st.integers(100, 999),
    body=st.one_of(st.binary(), values.map(msgspec.json.encode)),
    header=st.one_of(st.text(), st.sampled_from(["nan", "inf", "-1", "1e999", "0", "Wed, 99 Foo 2026", "9" * 400])),
)
def test_any_error_has_a_meaning(provider: str, status: int, body: bytes, header: str) -> None:
    """Whatever body, status and headers: no exception, and a wait that can be waited."""
    profile = BUILT_IN[provider].profile if provider in BUILT_IN else Profile()
    error = DIALECT.decode_error(status, body, profile, lambda _name: header, NOW_S)

    assert error.verdict in {Verdict.NEXT, Verdict.SAME}
    assert error.retry_after_s is None or 0 <= error.retry_after_s <= 86_400


def test_a_second_key_is_judged_as_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A built-in provider under another name, at the same address, keeps its own table."""
    monkeypatch.chdir(tmp_path)
    Path("relevo.toml").write_text(
        '[providers.second]\ndialect = "openai_chat"\nbase_url = "https://api.together.xyz/v1/"\n'
        '[providers.other]\ndialect = "openai_chat"\nbase_url = "https://api.example.com/v1"\n'
        '[tasks.T]\ntargets = [{ provider = "second", model = "m" }]\n'
    )
    providers = set_up().providers

    assert providers["second"].profile == BUILT_IN["together"].profile
    assert providers["other"].profile == Profile()
