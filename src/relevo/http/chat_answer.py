"""The 200 body of `POST /api/ai/chat`, and the shape in which attempts are told to callers."""

from typing import Any

import msgspec

from relevo.core.record import Attempt
from relevo.core.types import Usage
from relevo.http.messages import Response
from relevo.service.chat import Answer

encode = msgspec.json.Encoder().encode


def answer_response(answer: Answer, request_id: str, *, demo: bool) -> Response:
    """A whole answer. `content`, `provider` and `usage` are the original app's contract."""
    completion = answer.completion
    body: dict[str, Any] = {
        "content": completion.content,
        "provider": answer.target.provider,
        "model": answer.target.upstream_model,
        "usage": _usage(completion.usage),
        "finish_reason": completion.finish_reason,
        "request_id": request_id,
        "interaction_id": request_id,
        "task": answer.task,
        "attempts": attempts_json(answer.attempts),
        "credits": None,
    }
    if completion.tool_calls:
        body["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in completion.tool_calls
        ]
    if answer.ignored:
        body["ignored"] = answer.ignored
    if demo:
        body["demo"] = True
    headers = [
        (b"x-relevo-provider", answer.target.provider.encode("latin-1", "replace")),
        (b"x-relevo-attempts", b"%d" % sum(a.outcome != "skipped" for a in answer.attempts)),
    ]
    return Response(200, encode(body), headers)


def attempts_json(attempts: tuple[Attempt, ...] | list[Attempt]) -> list[dict[str, Any]]:
    """Attempts as callers see them: what happened, not how our insides name it."""
    return [
        {
            "provider": attempt.provider,
            "model": attempt.upstream_model,
            "outcome": attempt.outcome,
            "code": attempt.code,
            "http_status": attempt.http_status,
            "ms": attempt.ms,
        }
        for attempt in attempts
    ]


def _usage(usage: Usage) -> dict[str, Any]:
    """OpenAI's names: sums that include their parts."""
    body: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_input_tokens:
        body["prompt_tokens_details"] = {"cached_tokens": usage.cached_input_tokens}
    if usage.reasoning_output_tokens:
        body["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_output_tokens}
    return body
