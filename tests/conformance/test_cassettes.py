"""Recorded exchanges of real providers, read by our decoder and by a reader of the test's own.

The recordings lie beside the project and are never copied into it; without them this is skipped, loudly.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from relevo.core.errors import Fault, UpstreamError
from relevo.core.events import Assembler, TextDelta
from relevo.dialects.base import Profile
from relevo.dialects.openai_chat import OpenAIChat
from support.cassettes import FOLDER, OPENAI_CHAT, exchanges
from support.whole import whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="SKIPPED: no recorded exchanges at ../shared/cassettes"),
]


def recordings() -> Iterator[tuple[str, Any]]:
    """Every answer of status 200 that the dialect should read, with its name."""
    for path, exchange in exchanges():
        is_chat = "/chat/completions" in exchange.url or not exchange.url
        if OPENAI_CHAT.search(str(path)) and is_chat and exchange.status in (0, 200) and exchange.body.strip():
            yield path.name, exchange


def read_independently(body: bytes) -> tuple[str, int, bool] | None:
    """Text, number of tool calls, and whether there is usage, by plain `json`. None: not a chat completion."""
    text, calls, has_usage, seen = "", set(), False, False
    streamed = body.lstrip().startswith((b"data:", b":", b"event:", b"id:"))
    rows = re.findall(rb"^data: ?(.*)$", body, re.MULTILINE) if streamed else [body]
    for row in rows:
        if row.strip() in (b"[DONE]", b""):
            continue
        data = json.loads(row)
        if not isinstance(data, dict) or not isinstance(data.get("choices"), list):
            continue
        seen = True
        usage = data.get("usage") or (data.get("x_groq") or {}).get("usage")
        has_usage = has_usage or bool(usage and "prompt_tokens" in usage and "completion_tokens" in usage)
        for choice in data["choices"]:
            piece = choice.get("message") or choice.get("delta") or {}
            content = piece.get("content")
            if isinstance(content, list):
                content = "".join(p.get("text", "") for p in content if p.get("type") == "text")
            text += content or ""
            for position, call in enumerate(piece.get("tool_calls") or []):
                calls.add(call.get("index", position))
    return (text, len(calls), has_usage) if seen else None


def decode(body: bytes) -> tuple[str, int, Fault | None]:
    """The same by our decoder: text, tool calls, and the fault if it refused the answer."""
    dialect, profile = OpenAIChat(), Profile()
    if not body.lstrip().startswith((b"data:", b":", b"event:", b"id:")):
        try:
            completion = whole(dialect.decode_reply(body, profile))
        except UpstreamError as error:
            return "", 0, error.fault
        return completion.content, len(completion.tool_calls), None
    decoder, assembler, text = dialect.events(profile), Assembler(), ""
    fault = None
    try:
        for event in [*decoder.feed(body), *decoder.close()]:
            text += event.text if isinstance(event, TextDelta) else ""
            assembler.add(event)
        completion = assembler.completion()
    except UpstreamError as error:
        fault = error.fault
        return text, 0, fault
    return completion.content, len(completion.tool_calls), None


def test_recorded_answers_are_read_as_they_are() -> None:
    """Text and tool calls equal what the recording says; what is refused is refused for its missing usage."""
    counts: Counter[str] = Counter()
    wrong = []
    for name, exchange in recordings():
        expected = read_independently(exchange.body)
        if expected is None:
            counts["not a chat completion"] += 1
            continue
        text, calls, fault = decode(exchange.body)
        if fault is Fault.USAGE_MISSING and not expected[2]:
            counts["without usage"] += 1
        elif fault is Fault.EMPTY_REPLY and not expected[0] and not expected[1]:
            counts["empty"] += 1
        elif fault is Fault.CONNECTION_LOST and b'"finish_reason":null' in exchange.body[-1000:]:
            counts["recorded failures"] += 1  # one server reports in mid-stream that it gives up
        elif fault is None and (text, calls) == expected[:2]:
            counts["equal"] += 1
        else:
            wrong.append((name, fault, expected[0][:60], text[:60], expected[1], calls))

    assert wrong == []
    assert counts["equal"] > 150
    assert counts["recorded failures"] == 1
