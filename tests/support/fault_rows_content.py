"""Rows of the table of faults: what is wrong with answers, counts and tool calls (15 to 18, 64, 72)."""

from typing import Any

from relevo.testing import USAGE, Answer, Received, Script, ToolCall, reply
from relevo.testing.answers import body_of
from relevo.testing.asked import Asked
from support.fault_table import (
    Row,
    answers,
    counted_up,
    cut,
    in_one_piece,
    next_one,
    only,
)

NOT_COUNTED = 21
"""Tokens of the scripted text and its prompt, by estimate: 55 bytes of text."""


def counts(usage: dict[str, Any] | str) -> Answer:
    """A good answer with these token counts; a text stands in the JSON as it is."""

    def play(request: Received) -> Script:
        asked = Asked(request)
        if isinstance(usage, dict):
            return asked.good(usage=usage)
        script = [step for step in asked.good(usage={"marker": 1}) if isinstance(step, bytes)]
        script = [step.replace(b'{"marker":1}', usage.encode()) for step in script]
        return script if asked.stream else reply(body_of(script))

    return play


def _calls(request: Received) -> Script:
    several = (ToolCall("save", '{"a": [1,  2]}'), ToolCall("now"), ToolCall("save", '{"city":"Li'))
    return Asked(request).good(text="", tool_calls=several)


UNCOUNTED = counted_up(NOT_COUNTED, next_one("usage_missing", paid=10))
"""Plain: somebody else may give an answer with its counts. A stream had gone out."""
WRONG = "plain: next target; stream: counted by estimate"
BROKEN = cut("not_json", next_one("not_json"))

CONTENT = (
    Row(15, "JSON that breaks off", "malformed-json", "plain: next target; stream: error", BROKEN,
        bench="malformed chunk"),
    Row(15, "a page of HTML with status 200", "html-200", "next target", next_one("wrong_content_type")),
    Row(15, "a plain answer to a stream request, a stream to a plain one", "wrong-way", "taken: it is whole", answers()),
    Row(15, "JSON that says text/plain", "wrong-content-type", "next target", next_one("wrong_content_type")),
    Row(15, "200 and no body", "empty-body", "next target", next_one("empty_reply")),
    Row(15, "a whole answer without a word", "empty-answer", "next target", next_one("empty_reply")),
    Row(15, "a whole answer without choices", "no-choices", "next target", next_one("empty_reply")),
    Row(15, "`choices: null`", "choices-null", "next target", next_one("error_in_reply")),
    Row(15, "gives up in mid-answer by its finish reason", "cut-off-by-server", "plain: next target; stream: error",
        cut("error_in_reply", next_one("error_in_reply"))),
    Row(16, "an error inside a 200, before content", "error-in-stream-before-content", "next target",
        in_one_piece("server_error", next_one("error_in_reply")), bench="error inside a 200, before content"),
    Row(16, "the same: `overloaded_error`", "error-in-stream-overloaded", "next target",
        only(next_one("overloaded", house=True), "plain", "streamed")),
    Row(16, "the same, Gemini's bare JSON", "error-in-stream-bare-json", "next target",
        only(next_one("overloaded", house=True), "plain", "streamed")),
    Row(16, "the same, Qwen's event", "error-in-stream-dashscope", "next target",
        only(next_one("rate_limited", house=True), "plain", "streamed")),
    Row(16, "the same, OpenRouter's finish reason", "error-in-stream-openrouter", "next target",
        only(next_one("error_in_reply"), "plain", "streamed")),
    Row(16, "the same, Groq's status 400", "error-in-stream-groq", "next target",
        only(next_one("request_refused", house=True), "plain", "streamed")),
    Row(16, "the same, then `[DONE]` (vLLM)", "error-in-stream-vllm", "next target: the marker makes nothing whole",
        only(next_one("request_refused", house=True), "plain", "streamed")),
    Row(16, "an error inside a 200, after content", "error-in-stream-after-content",
        "plain: next target; stream: error",
        in_one_piece("server_error", cut("error_in_reply", next_one("error_in_reply"))),
        bench="error inside a 200, after content"),
    Row(17, "no counts", "no-usage", WRONG, UNCOUNTED, metered=True),
    Row(17, "no counts, and no other target", "no-usage", "counted by estimate",
        answers(NOT_COUNTED, estimated=True), metered=True, alone=True),
    Row(17, "counts of zero", "zero-usage", "zero is zero", answers(0), metered=True),
    Row(17, "negative, text and fraction", "odd-usage", WRONG, UNCOUNTED, metered=True),
    Row(17, "a million million tokens", "huge-usage", WRONG, UNCOUNTED, metered=True),
    Row(17, "NaN", counts('{"prompt_tokens":NaN,"completion_tokens":3}'), "not JSON: plain: next target; stream: error",
        cut("not_json", next_one("not_json", paid=10), NOT_COUNTED), metered=True),
    Row(17, "counts as text", counts('"7"'), WRONG, UNCOUNTED, metered=True),
    Row(17, "only a total", counts({"total_tokens": 10}), WRONG, UNCOUNTED, metered=True),
    Row(18, "counts after `[DONE]`", "late-usage", "waited for and taken", answers(10), metered=True),
    Row(18, "no `[DONE]` behind finish reason and counts", "without-done", "whole", answers(10), metered=True),
    Row(64, "answers in the name of another model", "renamed-model", "paid by the price of the model that was asked",
        answers(USAGE["total_tokens"]), metered=True),
    Row(72, "two calls at once, one without arguments", "tool-calls", "passed on to the letter", answers(), text=""),
    Row(72, "three calls, one of them half a JSON", _calls, "passed on to the letter", answers(), text=""),
    Row(72, "a megabyte of arguments", "huge-tool-call", "passed on to the letter", answers(), text=""),
    Row(72, "arguments that are half a JSON", "broken-tool-call", "passed on to the letter", answers(), text=""),
)  # fmt: skip
"""In the order of their numbers."""
