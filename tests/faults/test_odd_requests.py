"""What a caller can write that is not meant for it to decide: addresses, keys, headers."""

import asyncio
from pathlib import Path
from typing import Any

from support.canary import CANARY
from support.gateway import config_text, running
from support.upstream import streamed, upstream

MODELS = ["a/../../x", "a-model/../x", "x#", "a-model?x", "%2e%2e", "a-model%00", "a\r\nhost: evil", "x" * 10_000,
          "\u202ea-model", "a-\u200bmodel", "__proto__", "A-MODEL", " a-model"]  # fmt: skip


async def test_a_model_is_looked_up_and_never_part_of_an_address(tmp_path: Path) -> None:
    """Only a model of the configuration, to the letter, is asked for; the answer to all else repeats no line break."""
    async with upstream(streamed()) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        for model in MODELS:
            for stream in (False, True):
                answer = await gateway.chat(prompt="Hola", model=model, stream=stream)

                expected = "invalid_request" if len(model) > 1000 else "model_not_allowed"
                assert (answer.status, answer.json["code"]) == (400, expected), ascii(model[:20])
                assert b"\r\n" not in answer.body
        assert a.received == []
        assert a.probes == []


async def test_what_a_caller_writes_reaches_no_provider_by_itself(tmp_path: Path) -> None:
    """Its addresses, keys and options are dropped; counts are asked for although it said otherwise."""
    theirs: dict[str, Any] = {
        "api_base": "http://169.254.169.254/",
        "base_url": "http://169.254.169.254/",
        "api_key": "sk-of-the-caller",
        "extra_headers": {"x-evil": "1"},
        "extra_body": {"evil": 1},
        "metadata": {"user_api_key": "sk-of-the-caller"},
        "user": "somebody-else",
        "stream_options": {"include_usage": False},
        "n": 1000,
        "logprobs": True,
    }
    async with upstream(streamed()) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        assert (await gateway.chat(prompt="Hola", **theirs)).status == 200
        assert (await gateway.stream(prompt="Hola", **theirs)).done
        for request in a.received:
            assert request.json.keys() == {"model", "messages", "stream", "stream_options", "max_tokens"}
            assert request.json["stream_options"] == {"include_usage": True}
            assert request.headers["authorization"] == f"Bearer {CANARY}"
            assert "x-evil" not in request.headers
            assert b"sk-of-the-caller" not in request.body


async def raw(address: tuple[str, int], head: str, body: bytes = b'{"prompt":"Hola"}') -> bytes:
    """What comes back for a request written by hand."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(head.encode() + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    answer = await reader.read()
    writer.close()
    return answer


async def test_no_header_of_a_caller_breaks_out(tmp_path: Path) -> None:
    """An idempotency key or hop count that is none is refused or read as none; ids and forwarded headers are ours."""
    async with upstream(streamed()) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        start = f"POST /api/ai/chat HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {gateway.token}\r\n"
        for bad in ("k\x00", "k y", "k" * 500, "ñ", "k\rx: 1"):
            answer = await raw(gateway.server.api.address, start + f"idempotency-key: {bad}\r\n")
            assert answer.startswith(b"HTTP/1.1 400 "), bad
        assert a.received == []
        theirs = "x-request-id: theirs\r\nx-forwarded-for: 1.2.3.4\r\ncookie: a=1\r\nx-relevo-hop: -1\r\n"
        answer = await raw(gateway.server.api.address, start + theirs)
        assert b"x-request-id: req_" in answer
        assert b"theirs" not in answer
        for name in ("x-request-id", "x-forwarded-for", "cookie"):
            assert name not in a.received[0].headers
