"""No secret comes out, whatever a provider does with it.

All tests run with the canary for a provider key, and search every answer, log, database and metrics page
for it (conftest.py, support/gateway.py). Here the providers try to give it away.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from relevo.auth.dev_secret import development_secret
from support.canary import CANARY
from support.gateway import config_text, running
from support.upstream import USAGE, Received, Script, completion, delta, reply, sse, streamed, upstream


def echo(place: str, request: Received) -> Script:
    """An answer that repeats the key it was called with, in one place or another."""
    key = request.headers["authorization"]
    bare = key.removeprefix("Bearer ")
    everywhere = {"message": f"bad key {key}", "code": bare, "type": bare, "status": bare, "reason": bare}
    match place:
        case "error":
            return reply({"error": everywhere}, 401)
        case "list error":
            return reply([{"error": {**everywhere, "details": [{"reason": bare}]}}], 400)
        case "string error":
            return reply({"error": f"Incorrect API key {bare}", "code": bare}, 400)
        case "plain error":
            return reply(f"no: {key}", 500, "text/plain")
        case "html":
            return reply(f"<html>{key}</html>", 502, "text/html")
        case "content type":
            return reply(completion(), content_type=f"text/{bare}")
        case "headers":
            return [
                f"HTTP/1.1 500 {bare}\r\nx-key: {key}\r\nset-cookie: k={bare}\r\ncontent-length: 0\r\n\r\n".encode()
            ]
        case "redirect":
            return [f"HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:9/{bare}\r\ncontent-length: 0\r\n\r\n".encode()]
        case "error in 200":
            return reply({"error": everywhere})
        case "error in stream":
            return sse(delta("hi"), {"error": everywhere})
        case "named event":
            return sse(delta("hi"), json.dumps({"error": everywhere}))
        case "broken json":
            return reply(f'{{"key": "{bare}"')
        case "finish reason":
            return sse(delta("hi", bare), delta(None, "error"))
        case "response model":
            return reply(completion(model=bare))
        case "the answer itself":
            return reply(completion(f"your header was {key}"))
        case "a tool call":
            call = {"id": bare, "function": {"name": bare, "arguments": json.dumps({"key": bare})}}
            return sse({"choices": [{"delta": {"tool_calls": [call]}}]}, delta(None, "tool_calls", usage=USAGE))
        case "broken http":
            return [f"{key}\r\n\r\n".encode()]
        case _:
            return [f"HTTP/1.1 200 X\r\ntransfer-encoding: {bare}\r\n\r\n{bare}".encode()]


PLACES = [
    "error", "list error", "string error", "plain error", "html", "content type", "headers", "redirect",
    "error in 200", "error in stream", "named event", "broken json", "finish reason", "response model", "broken http",
    "broken encoding", "the answer itself", "a tool call",
]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
async def test_a_provider_that_repeats_our_key_cannot_give_it_away(
    place: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is in no answer, no row, no log line and no metric, alone or with a fallback behind it."""
    async with upstream(choose=lambda request: echo(place, request)) as a, upstream(streamed()) as b:
        async with running(config_text({"a": a.base_url, "b": b.base_url}), tmp_path) as gateway:
            answers = [await gateway.chat(prompt="x"), await gateway.chat(prompt="x", provider="a")]

            rows = repr(await gateway.records())
            served = place in ("response model", "the answer itself", "a tool call")
            assert [answer.status for answer in answers] == [200, 200 if served else answers[1].status]
            assert ("[redacted]" in str(answers[1].json)) is (place in ("the answer itself", "a tool call"))
            assert CANARY not in rows + caplog.text
            assert a.received[0].headers["authorization"] == f"Bearer {CANARY}"


async def test_a_bug_that_carries_the_key_is_logged_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A stack trace may hold a header: the log blanks out what it knows to be secret."""
    import logging

    from relevo.dialects.openai_chat import OpenAIChat

    def stumble(_self: OpenAIChat, *_args: Any, **options: Any) -> Any:
        raise RuntimeError(f"authorization: {options['api_key'].reveal()}")

    monkeypatch.setattr(OpenAIChat, "encode_request", stumble)
    before = list(logging.getLogger().handlers)
    config = config_text({"a": "http://127.0.0.1:9/v1"})
    async with running(config, tmp_path) as gateway:
        gateway.server._logs.take_over()
        await gateway.chat(prompt="x")
    logging.getLogger().handlers[:] = before
    _, err = capfd.readouterr()

    assert "bug while asking a/a-model" in err
    assert "[redacted]" in err
    assert CANARY not in err


async def test_prompts_answers_and_tokens_are_in_no_log_and_no_row(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """What users write and read, and the tokens they show, stay between them and the provider."""
    async with upstream(streamed("the-answer-text")) as a:
        async with running(config_text({"a": a.base_url}), tmp_path) as gateway:
            await gateway.chat(prompt="the-prompt-text")
            await gateway.chat(prompt=["the-prompt-text"])
            token = gateway.token
    out, err = capfd.readouterr()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("relevo.db*"))

    for secret in ("the-prompt-text", "the-answer-text", token, development_secret(tmp_path).reveal()):
        assert secret not in out + err
        assert secret.encode() not in stored
