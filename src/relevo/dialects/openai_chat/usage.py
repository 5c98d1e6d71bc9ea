"""Token counts and finish reasons, from every provider's spelling to ours (WIRE.md §22 and §23)."""

from typing import Any, Final

from relevo.core.errors import Fault, UpstreamError
from relevo.core.types import FinishReason, Usage

_TOKENS_MAX: Final = 2**31

_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "complete": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "tool_call": "tool_calls",
    "function_call": "tool_calls",
    **dict.fromkeys(
        (
            "content_filter", "content_filtered", "sensitive", "safety", "recitation", "blocklist",
            "prohibited_content", "spii", "language", "image_safety", "refusal", "guardrail_intervened",
        ),
        "content_filter",
    ),
}  # fmt: skip

_FAILED: Final[dict[str, Fault]] = {
    # Reasons by which a provider says that it gave up (DeepSeek, Mistral, OpenRouter and others, 2026-11).
    **dict.fromkeys(("error", "insufficient_system_resource", "network_error", "timeout"), Fault.ERROR_IN_REPLY),
    # ... or that the model wrote what it could not read.
    **dict.fromkeys(
        (
            "malformed_function_call", "malformed_response", "unexpected_tool_call", "malformed_model_output",
            "malformed_tool_use",
        ),
        Fault.BROKEN_OUTPUT,
    ),
}  # fmt: skip

_WRITTEN: Final = ("cache_write_tokens", "cache_creation_input_tokens")
"""Input put into the cache: OpenRouter's and Qwen's names for it (their API references, 2026-11)."""


def finish_reason(raw: Any) -> FinishReason | None:
    """Our name for a finish reason. None: not finished yet.

    Raises:
        UpstreamError: The reason says that the provider failed.
    """
    if not isinstance(raw, str) or raw in ("", "null"):
        return None
    name = raw.lower()
    if name in _FAILED:
        raise UpstreamError(
            _FAILED[name], detail="the provider gave up on its answer", http_status=200, upstream_code=name
        )
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
    inside, made = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    written = _part(inside, *_WRITTEN) or 0
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cached_input_tokens=min(cached, prompt),
        cache_write_input_tokens=min(written, prompt),
        audio_input_tokens=min(_part(inside, "audio_tokens") or 0, prompt),
        reasoning_output_tokens=min(_part(made, "reasoning_tokens") or 0, output),
        audio_output_tokens=min(_part(made, "audio_tokens") or 0, output),
    )


def _part(details: Any, *names: str) -> int | None:
    """The first of these counts that is there."""
    if not isinstance(details, dict):
        return None
    counts = (_count(details.get(name)) for name in names)
    return next((count for count in counts if count is not None), None)


def _count(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value < _TOKENS_MAX else None
