"""Recorded refusals of real providers, and what real providers counted, against our tables and our estimate."""

import json
import re

import pytest

from relevo.core.errors import Fault
from relevo.core.types import Message, Part, TextPart
from relevo.dialects.base import Profile
from relevo.dialects.openai_chat import OpenAIChat
from relevo.dialects.retry_after import no_header
from relevo.providers.registry import BUILT_IN
from relevo.routing.estimate import input_tokens_min
from support.cassettes import FOLDER, exchanges

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="SKIPPED: no recorded exchanges at ../shared/cassettes"),
]
NAMES = {"qwen-compat": "qwen", "openai-chat": "openai", "openai-responses": "openai", "vertex": "gemini"}
TOO_LONG = Fault.CONTEXT_LENGTH_EXCEEDED
KEY = Fault.CREDENTIAL_REFUSED
REFUSED = Fault.REQUEST_REFUSED
RECORDED = {
    "anthropic": {(400, TOO_LONG), (400, REFUSED), (401, KEY)},
    "azure": {(401, KEY), (429, Fault.RATE_LIMITED)},
    "bedrock": {(400, TOO_LONG), (403, KEY)},
    "cohere": {(400, TOO_LONG), (401, KEY)},
    "deepseek": {(400, TOO_LONG), (401, KEY)},
    "gemini": {(400, KEY), (429, Fault.RATE_LIMITED)},
    "mistral": {(401, KEY)},
    "ollama": {(400, TOO_LONG), (401, KEY)},
    "openai-chat": {(400, REFUSED), (404, Fault.MODEL_NOT_FOUND)},
    "openai-responses": {(400, TOO_LONG), (401, KEY)},
    "openrouter": {(400, TOO_LONG), (401, KEY)},
    "perplexity": {(400, TOO_LONG), (401, KEY)},
    "qwen-compat": {(401, KEY)},
    "vertex": {(400, TOO_LONG)},
    "xai": {(400, KEY)},
}
"""By folder: what its refusals were, read by a person."""


def test_recorded_errors_mean_what_happened() -> None:
    """Every refusal that was ever recorded is understood, the one at 400 for a bad key included."""
    seen: dict[str, set[tuple[int, Fault]]] = {}
    for path, exchange in exchanges():
        if exchange.status >= 400:
            row = BUILT_IN.get(NAMES.get(path.parent.name, path.parent.name))
            profile = row.profile if row else Profile()
            error = OpenAIChat().decode_error(exchange.status, exchange.body, profile, no_header, 0.0)
            seen.setdefault(path.parent.name, set()).add((exchange.status, error.fault))

    assert seen == RECORDED


def test_the_low_estimate_is_below_what_providers_counted() -> None:
    """A request is taken for too long only when it is: of recorded ones none is taken for longer than it was."""
    compared = 0
    for path, exchange in exchanges():
        counted = re.findall(rb'"prompt_tokens": ?(\d+)', exchange.body)
        if not counted or not exchange.req_body.lstrip().startswith(b"{"):
            continue
        rows = json.loads(exchange.req_body).get("messages")
        messages = [Message(role="user", content=_content(row.get("content"))) for row in rows or ()]
        low = input_tokens_min(messages)
        if low > 100:
            compared += 1
            assert low <= max(map(int, counted)), path.name

    assert compared > 50


def _content(raw: object) -> str | tuple[Part, ...]:
    if isinstance(raw, list):
        return tuple(TextPart(part.get("text") or "") for part in raw if isinstance(part, dict))
    return raw if isinstance(raw, str) else ""
