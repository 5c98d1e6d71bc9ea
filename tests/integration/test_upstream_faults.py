"""Whatever a provider does instead of answering: the next target answers, and the record says what it was."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from relevo.testing import Repeat
from support.gateway import config_text, running
from support.upstream import HANG, USAGE, Script, completion, delta, reply, sse, streamed, upstream

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


@dataclass(frozen=True)
class Case:
    """A fault, and what the attempt must say of it."""

    id: str
    script: Script
    code: str
    status: int | None = None
    phase: str = "first_event"
    upstream_code: str | None = None


def half(body: dict[str, Any]) -> Script:
    whole = reply(body)[0]
    assert isinstance(whole, bytes)
    _, _, data = whole.partition(b"\r\n\r\n")
    return reply(data[: len(data) // 2])


def chunk(event: dict[str, Any]) -> Script:
    """An event as one chunk of a chunked body."""
    frame = f"data: {json.dumps(event)}\n\n".encode()
    return [b"%x\r\n%b\r\n" % (len(frame), frame)]


CASES = [
    Case("HTML with a 200", reply("<html>hi</html>", content_type="text/html"), "wrong_content_type", 200),
    Case("HTML that says JSON", reply("<html>hi</html>"), "not_json", 200, "body"),
    Case("half a JSON", half(completion()), "not_json", 200, "body"),
    Case("a plain text", reply("hello", content_type="text/plain"), "wrong_content_type", 200),
    Case("JSON that says octet-stream", reply(completion(), content_type="application/octet-stream"),
         "wrong_content_type", 200),
    Case("JSON of another shape", reply({"hello": 1}), "bad_reply", 200, "body"),
    Case("a JSON string", reply('"hello"'), "bad_reply", 200, "body"),
    Case("choices null", reply(completion(choices=None)), "error_in_reply", 200, "body"),
    Case("choices of another type", reply(completion(choices=[1])), "bad_reply", 200, "body"),
    Case("an empty body", reply(b""), "empty_reply", 200, "body"),
    Case("an empty text", reply(completion("")), "empty_reply", 200, "body"),
    Case("no choices", reply(completion(choices=[])), "empty_reply", 200, "body"),
    Case("no usage", reply(completion(usage=...)), "usage_missing", 200, "body"),
    Case("negative usage", reply(completion(usage={"prompt_tokens": -1, "completion_tokens": 1})),
         "usage_missing", 200, "body"),
    Case("usage as text", reply(completion(usage={"prompt_tokens": "7", "completion_tokens": 1.5})),
         "usage_missing", 200, "body"),
    Case("a stream without usage", sse(delta("hi"), delta(None, "stop"), "[DONE]"), "usage_missing", 200, "body"),
    Case("an error inside a 200", reply({"error": {"message": "x", "code": 429}}), "rate_limited", 200, "body"),
    Case("an error event in a stream", sse({"error": {"message": "x", "type": "overloaded_error"}}),
         "overloaded", 200, upstream_code="overloaded_error"),
    Case("an error after text", sse(delta("hi"), {"error": {"message": "x"}}), "error_in_reply", 200, "body"),
    Case("DashScope's error event",
         [STREAM + b'\r\nid:1\nevent:error\n:HTTP_STATUS/429\ndata:{"code":"Throttling","message":"x"}\n\n'],
         "rate_limited", 200, upstream_code="Throttling"),
    Case("Gemini's bare JSON in a stream",
         [STREAM + b'\r\ndata: {"choices":[]}\n\n{"error":{"code":503,\n"message":"x"}}\n'], "overloaded", 200),
    Case("a page of HTML sent as a stream", [STREAM + b"\r\n<html>\n<p>hi\n</html>\n"], "bad_reply", 200),
    Case("a finish reason that means failure", sse(delta("hi"), delta("", "insufficient_system_resource")),
         "error_in_reply", 200, "body", "insufficient_system_resource"),
    Case("a stream cut after text", sse(delta("hi"), delta("there")), "connection_lost", 200, "body"),
    Case("a stream closed before any text", [STREAM + b"\r\n: hello\n\n"], "empty_reply", 200),
    Case("broken JSON in an event", sse(delta("hi"), "{broken"), "not_json", 200, "body"),
    Case("one endless line", [STREAM + b"\r\ndata: " + b"x" * 1_100_000], "reply_too_large", 200),
    Case("a body cut before its length", [HEAD + b'content-length: 900\r\n\r\n{"choices":['],
         "connection_lost", 200, "body"),
    Case("a broken chunked body", [HEAD + b"transfer-encoding: chunked\r\n\r\nZZ\r\nhello", HANG],
         "connection_lost", 200),
    Case("a broken chunk after text",
         [STREAM + b"transfer-encoding: chunked\r\n\r\n", *chunk(delta("hi")), b"ZZ\r\nhello", HANG],
         "connection_lost", 200, "body"),
    Case("closed without a word", [], "connection_lost", None, "headers"),
    Case("no HTTP at all", [b"SSH-2.0-OpenSSH_9\r\n\r\n"], "connection_lost", None, "headers"),
    Case("headers that never end", [b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000], "connection_lost", None, "headers"),
    Case("a compressed answer", [HEAD + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b"],
         "bad_reply", 200),
    Case("never answers", [HANG], "first_token_timeout", None, "headers"),
    Case("headers, then nothing", [STREAM + b"\r\n", HANG], "first_token_timeout", 200),
    Case("only empty chunks and comments", [STREAM + b"\r\n", Repeat(b': ping\n\ndata: {"choices":[]}\n\n', gap_s=0.1)],
         "first_token_timeout", 200),
    Case("silence in mid-answer", [*sse(delta("hi")), HANG], "idle_timeout", 200, "body"),
    Case("a redirect", [b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"],
         "unexpected_status", 302),
    Case("429 of Gemini", reply([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "x"}}], 429),
         "rate_limited", 429, upstream_code="RESOURCE_EXHAUSTED"),
    Case("401", reply({"error": {"message": "x", "code": "invalid_api_key"}}, 401), "credential_refused", 401,
         upstream_code="invalid_api_key"),
    Case("402 of DeepSeek", reply({"error": {"message": "Insufficient Balance"}}, 402, "application/octet-stream"),
         "quota_exhausted", 402),
    Case("403", reply("no", 403), "credential_refused", 403),
    Case("404", reply({"error": {"message": "x", "code": "model_not_found"}}, 404), "model_not_found", 404,
         upstream_code="model_not_found"),
    Case("500", reply("oops", 500), "server_error", 500),
    Case("502 with HTML", reply("<html>", 502, "text/html"), "server_error", 502),
    Case("529", reply({}, 529), "overloaded", 529),
    Case("a teapot", reply({}, 418), "unexpected_status", 418),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_the_next_target_answers_and_the_record_says_why(case: Case, tmp_path: Path) -> None:
    """The caller gets the second target's answer; the first one's fault is on record with phase and status."""
    async with upstream(case.script) as a, upstream(streamed("ok")) as b:
        async with running(config_text({"a": a.base_url, "b": b.base_url}), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert (answer.status, answer.json["content"]) == (200, "ok")
            (record,) = await gateway.records()
            failed = record.attempts[0]
            assert failed.outcome == "failed"
            assert (failed.code, failed.http_status, failed.phase) == (case.code, case.status, case.phase)
            assert failed.upstream_code == case.upstream_code
            assert len(a.received) == 1


async def test_a_provider_that_is_silent_is_left_by_closing_its_connection(tmp_path: Path) -> None:
    """A call that was given up is cancelled at the provider, so that nobody pays for an answer nobody reads."""
    async with upstream([HANG]) as a, upstream(streamed()) as b:
        async with running(config_text({"a": a.base_url, "b": b.base_url}), tmp_path) as gateway:
            await gateway.chat(prompt="Hola")

            await a.left.wait()


async def test_the_last_target_waits_three_times_as_long_for_its_first_token(tmp_path: Path) -> None:
    """After the last target there is nobody to ask, so a slow start there is better than no answer."""
    slow: Script = [0.5, *streamed("late")]
    async with upstream(slow) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        answer = await gateway.chat(prompt="Hola")

        assert answer.json["content"] == "late"


async def test_one_deadline_covers_all_targets(tmp_path: Path) -> None:
    """When the total is over, the rest of the plan is not begun, and the attempts say so."""
    more = "[timeouts]\nconnect_s = 5\nfirst_token_s = 5\nidle_s = 5\ntotal_s = 0.3\n"
    async with upstream([HANG]) as a:
        async with running(config_text({"a": a.base_url, "b": a.base_url}, more=more), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert answer.status == 500
            assert [(a["outcome"], a["code"]) for a in answer.json["attempts"]] == [
                ("failed", "total_timeout"),
                ("skipped", "deadline"),
            ]


async def test_a_plain_json_answer_to_a_stream_request_is_taken(tmp_path: Path) -> None:
    """A server that cannot stream still serves: its whole answer is as good."""
    async with upstream(reply(completion("plain"), content_type="application/json; charset=utf-8")) as a:
        async with running(config_text({"a": a.base_url}), tmp_path) as gateway:
            assert (await gateway.chat(prompt="Hola")).json["content"] == "plain"


async def test_a_target_that_must_not_stream_is_not_asked_to(tmp_path: Path) -> None:
    """`stream_upstream = false` sends a plain request, and its first byte may take as long as `idle_s`."""
    tasks = '[tasks.T]\ntargets = [{ provider = "a", model = "m", stream_upstream = false }]\n'
    async with upstream([0.4, *reply(completion("plain"))]) as a:
        more = "[timeouts]\nfirst_token_s = 0.1\nidle_s = 1\n"
        async with running(config_text({"a": a.base_url}, tasks=tasks, more=more), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["content"] == "plain"
            assert "stream" not in a.received[0].json
            assert "max_tokens" not in a.received[0].json


async def test_blank_lines_before_an_answer_are_no_fault(tmp_path: Path) -> None:
    """DeepSeek keeps a slow plain answer alive with empty lines."""
    body = b"\n\n\n" + reply(completion("alive"))[0].partition(b"\r\n\r\n")[2]  # type: ignore[union-attr]
    async with upstream(reply(body)) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        assert (await gateway.chat(prompt="Hola")).json["content"] == "alive"


async def test_a_finish_without_done_is_whole(tmp_path: Path) -> None:
    """Several providers end without `[DONE]`: their finish reason is the protocol's end."""
    script = sse(delta("hi"), delta(None, "stop"), {"choices": [], "usage": USAGE})
    async with upstream(script) as a, running(config_text({"a": a.base_url}), tmp_path) as gateway:
        assert (await gateway.chat(prompt="Hola")).json["content"] == "hi"


async def test_an_unknown_host_and_untrusted_tls_are_connect_failures(
    tmp_path: Path, tls_server: Callable[[], Awaitable[int]]
) -> None:
    """No name and no trusted certificate: the next target, and never a call without verification."""
    port = await tls_server()
    providers = {
        "dns": "https://no-such-host.invalid/v1",
        "tls": f"https://localhost:{port}/v1",
    }
    async with upstream(streamed()) as c:
        more = "[timeouts]\nconnect_s = 3\n"
        async with running(config_text({**providers, "c": c.base_url}, more=more), tmp_path) as gateway:
            answer = await gateway.chat(prompt="Hola")

            assert answer.json["provider"] == "c"
            (record,) = await gateway.records()
            dns, tls, _ = record.attempts
            assert (dns.code, dns.phase) == ("host_unknown", "connect")
            assert (tls.code, tls.phase) == ("tls_failed", "connect")
            assert tls.detail == "its TLS certificate is not trusted"


def test_the_client_verifies_certificates() -> None:
    """No code of ours turns certificate checks off."""
    import relevo

    for path in Path(relevo.__file__).parent.rglob("*.py"):
        text = path.read_text()
        assert "verify=False" not in text
        assert "CERT_NONE" not in text
        assert "ssl=False" not in text


async def test_connections_are_used_again_after_streams_and_plain_answers(tmp_path: Path) -> None:
    """A whole answer leaves its connection open for the next call: no handshake a request."""
    import asyncio

    connections, requests = [], []
    kinds = {
        "stream": (b"text/event-stream", b"".join(streamed("ok")[1:])),  # type: ignore[arg-type]
        "plain": (b"application/json", json.dumps(completion("ok")).encode()),
    }

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                body = json.loads(await reader.readexactly(length))
                kind, data = kinds[body["messages"][0]["content"]]
                requests.append(body)
                writer.write(
                    b"HTTP/1.1 200 OK\r\ncontent-type: " + kind + b"\r\ntransfer-encoding: chunked\r\n\r\n"
                )
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
                await asyncio.sleep(0.02)  # the end of the body comes a moment after the end marker
                writer.write(b"0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with running(config_text({"a": url}), tmp_path) as gateway:
        for kind in ("stream", "plain", "stream", "stream"):
            assert (await gateway.chat(prompt=kind)).json["content"] == "ok"
            await asyncio.sleep(0.05)
    server.close()

    assert len(requests) == 4
    assert len(connections) == 1
