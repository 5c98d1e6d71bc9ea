"""Token counts and finish reasons, from every provider's spelling to ours (WIRE.md §22 and §23)."""

from typing import Any, Final

from relevo.core.errors import Fault, UpstreamError
from relevo.core.types import FinishReason, Usage

_TOKENS_MAX: Final = 2**31

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "content_filtered": "content_filter",
    "sensitive": "content_filter",
}

_FAILED: Final = frozenset({"error", "insufficient_system_resource", "network_error", "timeout"})
"""Reasons by which a provider says that it gave up (DeepSeek, Mistral and others, 2026-11)."""


def finish_reason(raw: Any) -> FinishReason | None:
    """Our name for a finish reason. None: not finished yet.

    Raises:
        UpstreamError: The reason says that the provider failed.
    """
    if not isinstance(raw, str) or raw in ("", "null"):
        return None
    name = raw.lower()
    if name in _FAILED:
        raise UpstreamError(Fault.ERROR_IN_REPLY, detail="the provider gave up on its answer", upstream_code=name)
    return _FINISH.get(name, "stop")


def usage(raw: Any) -> Usage | None:
    """Usage where `raw` holds believable counts: whole numbers, not negative, not absurd. Else None.

    `total - prompt` counts for the output where it is more than `completion_tokens`: xAI and Gemini's
    compatible API leave reasoning out of the latter, and only the total shows it.
    """
    if not isinstance(raw, dict):
        return None
    prompt, completion = _count(raw.get("prompt_tokens")), _count(raw.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    total = _count(raw.get("total_tokens")) or 0
    cached = _part(raw.get("prompt_tokens_details"), "cached_tokens")
    if cached is None:
        cached = _count(raw.get("prompt_cache_hit_tokens")) or 0  # DeepSeek
    output = max(completion, total - prompt)
    reasoning = _part(raw.get("completion_tokens_details"), "reasoning_tokens") or 0
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=min(cached, prompt),
        reasoning_output_tokens=min(reasoning, output),
    )


def _part(details: Any, name: str) -> int | None:
    return _count(details.get(name)) if isinstance(details, dict) else None


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _TOKENS_MAX else None
